"""A trained model as functions of arrays: encode, decode, bound, importance weights."""

from typing import Callable, Dict, Generator, NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import zs
from cvae.backend import compat, stateless, threads
from cvae.config import Config
from cvae.inference import importance
from cvae.inference.importance import Proposals
from cvae.model import build_generator, build_networks, build_variational

BLOCK = 500  # images a call; fixed, because a block keys its draws of z
ROWS = 2000  # of z that `decode` takes at once

# Blocks of work run side by side instead, and rounding does not depend on the machine's
# cores. Takes effect for this session alone as `cvae/__init__.py` has it.
_ONE_THREAD_AN_OP = tf.ConfigProto(intra_op_parallelism_threads=1)

# Numbers of draws ("evaluation" in `stateless.key`): bounds take block * BOUND_STEP,
# the importance weights' lie between IMPORTANCE_STEPS and 2**40, where those of
# annealed importance sampling begin.
BOUND_STEP = 10**6
IMPORTANCE_STEPS = 2**39
CHUNKS = 2**10  # numbers kept for the chunks of an image's class: 10**6 particles


class Bound(NamedTuple):
    """Of each image, in nats, `[n]`: `total` = `reconstruction` - `kl_sampled`."""

    total: np.ndarray  # E_q[log p(x | y, z) + log p(z) - log q(z | x, y)]
    reconstruction: np.ndarray  # E_q[log p(x | y, z)]
    kl_sampled: np.ndarray  # E_q[log q(z | x, y) - log p(z)], from the same samples
    kl: np.ndarray  # KL(q(z | x, y) || p(z)) in closed form


class Model:
    """Generator and variational net with the weights of one run.

    Draws of z for the bound are keyed by (`config.seed`, block of images), those for
    importance weights by (`config.seed`, number of the image, class, chunk of
    particles), so that a result depends on nothing else. Labels are integers 0..K-1.
    Several threads may use one model.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        with compat.new_graph() as graph:
            self._build(config)
            self._variables = {v.op.name: v for v in tf.global_variables()}
            self._session = tf.Session(graph=graph, config=_ONE_THREAD_AN_OP)
        self.load(weights)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._session.close()

    def load(self, weights: Dict[str, np.ndarray]) -> None:
        """Replace the weights by `weights`, name to array.

        Raises:
            CvaeError: they are those of another architecture.
        """
        compat.load(self._session, self._variables, weights)

    def decode(self, labels: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the means of x, `[n, x_dim]`, for labels `[n]` and z `[n, d]`."""
        means = np.empty((len(z), self.config.x_dim), np.float32)
        for part in _blocks(len(z), ROWS):
            feed = {self._labels: labels[part], self._z: z[part][None]}
            means[part] = self._session.run(self._x_mean, feed)[0]
        return means

    def encode(self, bits: np.ndarray, labels: np.ndarray) -> Tuple:
        """Return mean and log standard deviation of q(z | x, y), each `[n, d]`."""
        shape = (len(bits), self.config.z_dim)
        mean, logstd = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for part in _blocks(len(bits), BLOCK):
            feed = {self._bits: bits[part], self._labels: labels[part]}
            mean[part], logstd[part] = self._session.run(self._gaussian, feed)
        return mean, logstd

    def bound(self, bits: np.ndarray, labels: np.ndarray) -> Bound:
        """Return the bound on log p(x | y) of each image, one sample of z each."""

        def of_block(block, go_on):
            go_on()
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            feed = {
                self._bits: _filled_up(bits[part]),
                self._labels: _filled_up(labels[part]),
                self._draw: block * BOUND_STEP,
            }
            return np.stack(self._session.run(self._bound, feed))

        found = threads.each(of_block, range(-(-len(bits) // BLOCK)))
        return Bound(*np.concatenate(list(found), 1)[:, : len(bits)])

    def log_likelihood(
        self, bits: np.ndarray, labels: np.ndarray, particles: int, first: int = 0
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image by importance sampling, float64 `[n]`.

        Args:
            first: number of the first image, which keys its draws.
        """
        own = [(first + i, bits[i], c, [c]) for i, c in enumerate(labels)]
        found = self.estimates(own, particles)
        return np.array([estimate.log_likelihoods[-1, 0] for estimate in found])

    def estimates(self, images: Sequence[Tuple], particles: int) -> Generator:
        """Yield `importance.estimate` of each image, from a thread a core.

        Args:
            images: (number, bits `[x_dim]`, label, the classes to estimate) of each.
                The number keys the draws.
        """

        def of_image(image, go_on):
            number, bits, label, classes = image
            proposals = self._proposals(number, bits, go_on)
            return importance.estimate(proposals, classes, label, particles)

        return threads.each(of_image, images)

    def _proposals(self, image: int, bits: np.ndarray, go_on: Callable) -> Proposals:
        """The weights of one image's particles; `first` encodes it with every class.

        The first particles of all classes are drawn and weighed at one go. What the
        encoder said of each class is kept for its later chunks, and fed.
        """
        n_classes = self.config.n_classes
        keys = IMPORTANCE_STEPS + image * (n_classes + 1) * CHUNKS
        every = {
            self._bits: np.broadcast_to(bits, (n_classes, len(bits))),
            self._labels: np.arange(n_classes),
            self._draw: keys,
        }
        encoded = []

        def first(n, classes):
            go_on()
            feed = dict(every)
            feed.update({self._particles: n, self._chosen: classes})
            fetches = [self._log_weights, self._posterior]
            log_weights, parameters = self._session.run(fetches, feed)
            encoded[:] = parameters
            return log_weights

        def more(c, chunk, n):
            go_on()
            feed = dict(zip(self._posterior, [part[c : c + 1] for part in encoded]))
            feed[self._bits], feed[self._labels] = bits[None], [c]
            feed[self._draw] = keys + (int(c) + 1) * CHUNKS + chunk
            feed[self._particles] = n
            return self._session.run(self._log_weights, feed)[:, 0]

        return Proposals(first, more)

    def _build(self, config):
        self._bits = tf.placeholder(tf.uint8, [None, config.x_dim])
        self._labels = tf.placeholder(tf.int32, [None])
        self._z = tf.placeholder(tf.float32, [1, None, config.z_dim])
        self._particles = tf.placeholder_with_default(1, [])
        self._draw = tf.placeholder_with_default(tf.constant(0, tf.int64), [])
        everyone = tf.range(tf.size(self._labels))
        self._chosen = tf.placeholder_with_default(everyone, [None])

        x = tf.cast(self._bits, tf.float32)
        y = tf.one_hot(self._labels, config.n_classes)
        draw_key = stateless.key(config.seed, self._draw, "evaluation")
        nets = build_networks(config)
        variational = build_variational(nets, x, y, draw_key, config, self._particles)
        q = variational.observe()
        self._gaussian = [q["z"].dist.mean, q["z"].dist.logstd]
        self._posterior = self._gaussian  # all that the encoder says, to be fed again
        # z is drawn for all rows, so that what is drawn does not hang on the chosen.
        chosen = [tf.gather(part, self._chosen) for part in (x, y)]
        z = tf.gather(q["z"].tensor, self._chosen, axis=1)
        n = tf.size(self._chosen)
        generator = build_generator(nets, n, config, self._particles)
        joint = generator.observe(x=chosen[0], y=chosen[1], z=z)
        log_px, log_pz = _log_px(joint), joint.cond_log_prob("z")  # [particles, chosen]
        log_qz = tf.gather(q.cond_log_prob("z"), self._chosen, axis=1)
        self._log_weights = log_px + log_pz - log_qz
        self._bound = [
            tf.reduce_mean(part, 0)
            for part in (self._log_weights, log_px, log_qz - log_pz)
        ]
        self._bound.append(_gaussian_kl(*self._gaussian))
        self._x_mean = generator.observe(y=y, z=self._z)["x_mean"]


def _log_px(net):
    """`net.cond_log_prob("x")`, in half as many passes over a Bernoulli's logits.

    With t the logits, negated where x = 0, it is Σ log σ(t), and
    log σ(t) = min(t, 0) + log σ(|t|). As σ(|t|) is in [1/2, 1], up to 126 of them can
    be multiplied in float32 before one logarithm is taken.
    """
    dist = net["x"].dist
    if not isinstance(dist, zs.distributions.Bernoulli):
        return net.cond_log_prob("x")
    x, logits = net["x"].tensor, dist.logits
    n_pixels = logits.shape.as_list()[-1]
    group = max(n for n in range(1, 127) if n_pixels % n == 0)
    groups = tf.concat([tf.shape(logits)[:-1], [n_pixels // group, group]], 0)
    right = tf.reshape(tf.sigmoid(tf.abs(logits)), groups)
    surely = tf.reduce_sum(tf.log(tf.reduce_prod(right, -1)), -1)
    return surely + tf.reduce_sum(tf.minimum((2.0 * x - 1.0) * logits, 0.0), -1)


def _gaussian_kl(mean, logstd):
    """KL(N(mean, diag std²) || N(0, I)) (Kingma & Welling 2014, appendix B)."""
    terms = tf.exp(2.0 * logstd) + tf.square(mean) - 1.0 - 2.0 * logstd
    return 0.5 * tf.reduce_sum(terms, -1)


def _filled_up(block):
    """`block` with rows of zeros up to `BLOCK`: rounding depends on their number."""
    filled = np.zeros((BLOCK,) + block.shape[1:], block.dtype)
    filled[: len(block)] = block
    return filled


def _blocks(n, size):
    return [slice(start, start + size) for start in range(0, n, size)]
