"""A trained model as functions of arrays: decode, encode, bound, posterior of z."""

from typing import Any, Dict, NamedTuple, Tuple, TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import zs
from cvae.backend import compat, stateless, threads
from cvae.config import Config
from cvae.data import checks
from cvae.inference import estimates, importance
from cvae.inference.blocks import filled_up, slices
from cvae.inference.importance import ROWS
from cvae.model import build_generator, build_networks, build_variational

BLOCK = 500  # images a call; fixed, because a block keys its draws of z
DIFFERENCE = 2e-3  # in z, between the logits whose difference is the Jacobian's

# Blocks of work run side by side instead, and rounding does not depend on the machine's
# cores. It takes effect for this session only, because of `cvae/__init__.py`.
_ONE_THREAD_AN_OP = tf.ConfigProto(intra_op_parallelism_threads=1)

_DRAWS = 10**6  # numbers of a block of images

_Self = TypeVar("_Self", bound="Generator")


class Bound(NamedTuple):
    """Of each image, in nats, `[n]`: `total` = `reconstruction` - `kl_sampled`."""

    total: np.ndarray  # E_q[log p(x | y, z) + log p(z) - log q(z | x, y)]
    reconstruction: np.ndarray  # E_q[log p(x | y, z)]
    kl_sampled: np.ndarray  # E_q[log q(z | x, y) - log p(z)], from the same samples
    kl: np.ndarray  # KL(q(z | x, y) || p(z)) in closed form


class Generator:
    """p(x | y, z) with the weights of one run, which is all that samples take.

    Several threads may use it.

    Raises:
        CvaeError: the weights are those of another architecture.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        with compat.new_graph() as self._graph:
            self._build(config)
        with compat.open_session(self._graph, _ONE_THREAD_AN_OP) as self._session:
            self.load(weights)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *unused: Any) -> None:
        self._session.close()

    def load(self, weights: Dict[str, np.ndarray]) -> None:
        """Replace the weights by `weights`, name to array.

        Raises:
            CvaeError: they are those of another architecture.
        """
        compat.load(self._session, self._variables, weights)

    def decode(self, labels: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the means of x, `[n, x_dim]`, for labels `[n]` and z `[n, d]`.

        Raises:
            CvaeError: labels are no integers from 0 to K - 1, z is of another shape,
                or n is 0.
        """
        labels = checks.check_labels(labels, None, self.config.n_classes)
        z = checks.check_z(z, len(labels), self.config.z_dim)
        means = np.empty((len(z), self.config.x_dim), np.float32)
        for part in slices(len(z), ROWS):
            feed = {self._labels: labels[part], self._z: z[part][None]}
            means[part] = self._session.run(self._x_mean, feed)[0]
        return means

    def _build(self, config):
        self._labels = tf.placeholder(tf.int32, [None])
        self._z = tf.placeholder(tf.float32, [None, None, config.z_dim])
        generator = build_generator(
            build_networks(config), tf.size(self._labels), config
        )
        y = tf.one_hot(self._labels, config.n_classes)
        self._x_mean = generator.observe(y=y, z=self._z)["x_mean"]
        self._variables = {v.op.name: v for v in tf.global_variables()}


class Model(Generator):
    """Generator and variational net with the weights of one run.

    Draws of z for the bound are keyed by (`config.seed`, block of images), those for
    log p(x | y) by (`config.seed`, number of the image, class), so that they depend on
    nothing else.

    Every method takes bits `[n, x_dim]`, 0 or 1, and labels `[n]`, integers from 0 to
    K - 1, n not 0, and raises `CvaeError` for anything else.
    """

    def encode(
        self, bits: np.ndarray, labels: np.ndarray
    ) -> Tuple[np.ndarray, np.ndarray]:
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
                self._draw: number * _DRAWS,
            }
            return np.stack(self._session.run(self._bound, feed))

        found = threads.each(of_block, enumerate(slices(len(bits), BLOCK)))
        return Bound(*np.concatenate(list(found), 1)[:, : len(bits)])

    def posterior(self, bits: np.ndarray, labels: np.ndarray) -> "Posterior":
        """Return p(z | x, y) of each pair (x, y), up to a factor, as functions of z."""
        return Posterior(self, *self._checked(bits, labels))

    def log_likelihood(
        self, bits: np.ndarray, labels: np.ndarray, particles: int, first: int = 0
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image in nats, float64 `[n]`.

        Args:
            particles: of the Laplace proposal, for each image.
            first: number of the first image, which keys its draws.
        """
        bits, labels = self._checked(bits, labels)
        particles = checks.check_whole(
            "particles", particles, 1, importance.MAX_PARTICLES
        )

        def of_block(part, go_on):
            found = estimates.of_own_class(
                self, bits[part], labels[part], particles, first + part.start, go_on
            )
            return found.log_likelihoods[-1]

        blocks = slices(len(bits), estimates.BLOCK)
        return np.concatenate(list(threads.each(of_block, blocks)))

    def _checked(self, bits, labels):
        bits = checks.check_bits(bits, self.config.x_dim)
        return bits, checks.check_labels(labels, len(bits), self.config.n_classes)

    def _build(self, config):
        self._bits = tf.placeholder(tf.uint8, [None, config.x_dim])
        self._labels = tf.placeholder(tf.int32, [None])
        self._draw = tf.placeholder_with_default(tf.constant(0, tf.int64), [])

        x = tf.cast(self._bits, tf.float32)
        y = tf.one_hot(self._labels, config.n_classes)
        draw_key = stateless.key(config.seed, self._draw, "evaluation")
        nets = build_networks(config)
        q = build_variational(nets, x, y, draw_key, config, 1).observe()
        self._gaussian = [q["z"].dist.mean, q["z"].dist.logstd]
        generator = build_generator(nets, tf.size(self._labels), config)
        shape = [None, None, config.z_dim]  # particles, n, d
        self._z = tf.placeholder_with_default(q["z"].tensor, shape)
        joint = generator.observe(x=x, y=y, z=self._z)
        log_px, log_pz = _log_px(joint), joint.cond_log_prob("z")  # [particles, n]
        self._log_joint = log_px + log_pz
        self._x_mean = joint["x_mean"]
        self._linearized = _linearize(nets.decoder, x, y, self._z[0])
        log_qz = q.cond_log_prob("z")
        parts = log_px + log_pz - log_qz, log_px, log_qz - log_pz
        self._bound = [tf.reduce_mean(part, 0) for part in parts]
        self._bound.append(_gaussian_kl(*self._gaussian))
        self._variables = {v.op.name: v for v in tf.global_variables()}


class Posterior:
    """p(z | x, y) of n pairs (x, y), up to a factor, as functions of z."""

    def __init__(self, model: Model, bits: np.ndarray, labels: np.ndarray):
        self._model, self._bits, self._labels = model, bits, labels

    def __getitem__(self, rows: Any) -> "Posterior":
        return Posterior(self._model, self._bits[rows], self._labels[rows])

    def log_joint(self, z: np.ndarray) -> np.ndarray:
        """Return log p(x, z | y) of z `[particles, n, d]`, `[particles, n]` in nats."""
        parts = slices(z.shape[1], max(1, ROWS // len(z)))
        found = [self._run(self._model._log_joint, z[:, part], part) for part in parts]
        return np.concatenate(found, 1)

    def linearize(self, z: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return gradient `[n, d]` and curvature `[n, d, d]` of log p(x, z | y) at z.

        The curvature is the generalized Gauss-Newton matrix H of
        `cvae.inference.laplace`.
        """
        fetches, found = self._model._linearized, []
        for part in slices(len(z), max(1, ROWS // (1 + z.shape[1]))):
            found.append(self._run(fetches, z[part][None], part))
        gradient, curvature = (np.concatenate(parts) for parts in zip(*found))
        return gradient.astype(np.float64), curvature.astype(np.float64)

    def _run(self, fetches, z, part):
        model, bits, labels = self._model, self._bits[part], self._labels[part]
        feed = {model._z: z, model._bits: bits, model._labels: labels}
        return model._session.run(fetches, feed)


def _linearize(decoder, x, y, z):
    """Return gradient and curvature of log p(x, z | y); J is taken by differences."""
    d = z.shape.as_list()[-1]
    moves = DIFFERENCE * tf.eye(d)[:, None]
    logits = decoder(y, tf.concat([z[None], z + moves], 0))  # [1 + d, n, x_dim]
    jacobian = (logits[1:] - logits[:1]) / DIFFERENCE  # [d, n, x_dim]
    means = tf.sigmoid(logits[0])
    gradient = tf.transpose(tf.reduce_sum(jacobian * (x - means), -1)) - z
    scaled = tf.transpose(jacobian * tf.sqrt(means * (1.0 - means)), [1, 0, 2])
    return gradient, tf.matmul(scaled, scaled, transpose_b=True) + tf.eye(d)


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
