"""A trained model as functions of arrays: encode, decode, bound, importance weights."""

from typing import Callable, Dict, Generator, NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import zs
from cvae.backend import compat, stateless, threads
from cvae.config import Config
from cvae.data import checks
from cvae.errors import CvaeError
from cvae.inference import importance
from cvae.inference.blocks import filled_up, slices
from cvae.inference.importance import Proposals
from cvae.model import build_generator, build_networks, build_variational

BLOCK = 500  # images a call; fixed, because a block keys its draws of z
ROWS = 2000  # of z that `decode` takes at once

# Blocks of work run side by side instead, and rounding does not depend on the machine's
# cores. It takes effect for this session only, because of `cvae/__init__.py`.
_ONE_THREAD_AN_OP = tf.ConfigProto(intra_op_parallelism_threads=1)

# Sizes for `stateless.number`.
_DRAWS = 10**6  # of a block of images
_CHUNKS = 2**10  # of an image's class, for `importance.MAX_PARTICLES`


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
    particles), so that a result depends on nothing else. Several threads may use one
    model.

    Every method takes bits `[n, x_dim]`, 0 or 1, and labels `[n]`, integers from 0 to
    K - 1, n not 0, and raises `CvaeError` for anything else.

    Raises:
        CvaeError: the weights are those of another architecture.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        with compat.new_graph() as self._graph:
            self._build(config)
        with compat.open_session(self._graph, _ONE_THREAD_AN_OP) as self._session:
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
        labels = checks.check_labels(labels, None, self.config.n_classes)
        z = checks.check_z(z, len(labels), self.config.z_dim)
        means = np.empty((len(z), self.config.x_dim), np.float32)
        for part in slices(len(z), ROWS):
            feed = {self._labels: labels[part], self._z: z[part][None]}
            means[part] = self._session.run(self._x_mean, feed)[0]
        return means

    def encode(self, bits: np.ndarray, labels: np.ndarray) -> Tuple:
        """Return mean and log standard deviation of q(z | x, y), each `[n, d]`."""
        bits, labels = self._checked(bits, labels)
        shape = (len(bits), self.config.z_dim)
        mean, logstd = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for part in slices(len(bits), BLOCK):
            feed = {self._bits: bits[part], self._labels: labels[part]}
            mean[part], logstd[part] = self._session.run(self._gaussian, feed)
        return mean, logstd

    def bound(self, bits: np.ndarray, labels: np.ndarray) -> Bound:
        """Return the bound on log p(x | y) of each image, one sample of z each."""
        bits, labels = self._checked(bits, labels)

        def of_block(block, go_on):
            go_on()
            number, part = block
            feed = {  # filled up, because rounding depends on the number of rows
                self._bits: filled_up(bits[part], BLOCK),
                self._labels: filled_up(labels[part], BLOCK),
                self._draw: stateless.number("bound", number, (0, _DRAWS)),
            }
            return np.stack(self._session.run(self._bound, feed))

        found = threads.each(of_block, enumerate(slices(len(bits), BLOCK)))
        return Bound(*np.concatenate(list(found), 1)[:, : len(bits)])

    def log_likelihood(
        self, bits: np.ndarray, labels: np.ndarray, particles: int, first: int = 0
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image by importance sampling, float64 `[n]`.

        Args:
            first: number of the first image, which keys its draws.
        """
        bits, labels = self._checked(bits, labels)
        own = [(first + i, bits[i], c, [c]) for i, c in enumerate(labels)]
        found = self._estimates(own, _checked_particles(particles))
        return np.array([estimate.log_likelihoods[-1, 0] for estimate in found])

    def estimates(self, images: Sequence[Tuple], particles: int) -> Generator:
        """Yield `importance.estimate` of each image, from one thread for each core.

        Args:
            images: (number, bits `[x_dim]`, label, the classes to estimate, the label
                among them) of each. The number keys the draws.
        """
        images = list(images)
        if images:
            self._checked([image[1] for image in images], [i[2] for i in images])
        for classes in {tuple(classes) for _, _, _, classes in images}:
            checks.check_classes(classes, self.config.n_classes)
        for number, _, label, classes in images:
            if label not in classes:
                raise CvaeError(
                    f"image {number} has label {label}, which is not among the classes "
                    "to estimate: add it to them"
                )
        return self._estimates(images, _checked_particles(particles))

    def _estimates(self, images, particles):
        def of_image(image, go_on):
            number, bits, label, classes = image
            proposals = self._proposals(number, bits, go_on)
            return importance.estimate(proposals, classes, label, particles)

        return threads.each(of_image, images)

    def _checked(self, bits, labels):
        bits = checks.check_bits(bits, self.config.x_dim)
        return bits, checks.check_labels(labels, len(bits), self.config.n_classes)

    def _proposals(self, image: int, bits: np.ndarray, go_on: Callable) -> Proposals:
        """Return the proposals of one image; `first` encodes it with every class.

        The first particles of all classes are drawn and weighted in a single session
        call. The encoder's output for each class is kept, and fed for later chunks.
        """
        n_classes = self.config.n_classes

        def draw(c, chunk):  # -1 for all classes
            places = (c + 1, n_classes + 1), (chunk, _CHUNKS)
            return stateless.number("importance", image, *places)

        every = {
            self._bits: np.broadcast_to(bits, (n_classes, len(bits))),
            self._labels: np.arange(n_classes),
            self._draw: draw(-1, 0),
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
            feed[self._draw] = draw(int(c), chunk)
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
        self._posterior = self._gaussian  # all of the encoder's output, to be fed again
        # z is drawn for all rows, so that a row's draw does not depend on the choice.
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
        self._variables = {v.op.name: v for v in tf.global_variables()}


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


def _checked_particles(particles):
    return checks.check_whole("particles", particles, 1, importance.MAX_PARTICLES)
