"""A trained model as functions of arrays: encode, decode, bound, importance weights."""

from typing import Callable, Dict, NamedTuple, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import draws
from cvae.config import Config
from cvae.model import build_generator, build_variational
from cvae.run import check_arrays

BLOCK = 500  # images a call; fixed, because a block keys its draws of z
CHUNK = 10  # particles a call: 5,000 rows keep both cores' matrix products busy


class Bound(NamedTuple):
    """Of each image, in nats, `[n]`: `total` = `reconstruction` - `kl_sampled`."""

    total: np.ndarray  # E_q[log p(x | y, z) + log p(z) - log q(z | x, y)]
    reconstruction: np.ndarray  # E_q[log p(x | y, z)]
    kl_sampled: np.ndarray  # E_q[log q(z | x, y) - log p(z)], from the same samples
    kl: np.ndarray  # KL(q(z | x, y) || p(z)) in closed form


class Model:
    """Generator and variational net with the weights of one run.

    Draws of z are keyed by (`config.seed`, block of images, chunk of particles), so
    a result depends on nothing else. Labels are integers 0..K-1.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        graph = tf.Graph()
        with graph.as_default():
            self._build(config)
            self._variables = {v.op.name: v for v in tf.global_variables()}
            self._session = tf.Session(graph=graph)
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
        shapes = {name: v.shape.as_list() for name, v in self._variables.items()}
        check_arrays(weights, shapes)
        for name, variable in self._variables.items():
            variable.load(weights[name], self._session)

    def decode(self, labels: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the means of x, `[n, x_dim]`, for labels `[n]` and z `[n, d]`."""
        feed = {self._labels: labels, self._z: z[None]}
        return self._session.run(self._x_mean, feed)[0]

    def encode(self, bits: np.ndarray, labels: np.ndarray) -> Tuple:
        """Return mean and log standard deviation of q(z | x, y), each `[n, d]`."""
        feed = {self._bits: bits, self._labels: labels}
        return self._session.run([self._posterior.mean, self._posterior.logstd], feed)

    def bound(self, bits: np.ndarray, labels: np.ndarray) -> Bound:
        """Return the bound on log p(x | y) of each image, one sample of z each."""
        parts = []
        for block, (x, y) in enumerate(_blocks(bits, labels)):
            feed = {self._bits: x, self._labels: y, self._block: block}
            parts.append(self._session.run(self._bound, feed))
        return Bound(*(np.concatenate(part) for part in zip(*parts)))

    def log_likelihood(
        self,
        bits: np.ndarray,
        labels: np.ndarray,
        particles: int,
        tick: Callable[[int], None] = lambda n_images: None,
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image by importance sampling, float64 `[n]`.

        The log mean of `particles` weights p(x, z | y) / q(z | x, y), a lower bound
        in expectation that tightens with `particles` (Burda et al. 2016, eq. 8). They
        stream through a running log-sum-exp in chunks, so that memory does not grow
        with them, and the encoder runs once an image. `tick` hears of finished images.
        """
        estimates = []
        for block, (x, y) in enumerate(_blocks(bits, labels)):
            mean, logstd = self.encode(x, y)
            feed = {
                self._bits: x,
                self._labels: y,
                self._posterior.mean: mean,
                self._posterior.logstd: logstd,
                self._block: block,
            }
            log_sum = np.full(len(x), -np.inf)
            for chunk, start in enumerate(range(0, particles, CHUNK)):
                feed[self._chunk] = chunk
                feed[self._particles] = min(CHUNK, particles - start)
                weights = self._session.run(self._log_weights, feed).astype(np.float64)
                log_sum = np.logaddexp(log_sum, np.logaddexp.reduce(weights, 0))
            estimates.append(log_sum - np.log(particles))
            tick(len(x))
        return np.concatenate(estimates)

    def _build(self, config):
        self._bits = tf.placeholder(tf.uint8, [None, config.x_dim])
        self._labels = tf.placeholder(tf.uint8, [None])
        self._z = tf.placeholder(tf.float32, [1, None, config.z_dim])
        self._particles = tf.placeholder_with_default(1, [])
        self._block = tf.placeholder_with_default(0, [])
        self._chunk = tf.placeholder_with_default(0, [])

        x = tf.cast(self._bits, tf.float32)
        y = tf.one_hot(self._labels, config.n_classes)
        draw = tf.cast(self._block, tf.int64) * 10**6 + tf.cast(self._chunk, tf.int64)
        draw_key = draws.key(config.seed, draw, "evaluation")
        generator = build_generator(tf.size(self._labels), config, self._particles)
        variational = build_variational(x, y, draw_key, config, self._particles)

        self._x_mean = generator.observe(y=y, z=self._z)["x_mean"]
        q = variational.observe()
        self._posterior = q["z"].dist
        joint = generator.observe(x=x, y=y, z=q["z"])
        log_px, log_pz = joint.cond_log_prob(["x", "z"])  # [particles, n] each
        log_qz = q.cond_log_prob("z")
        self._log_weights = log_px + log_pz - log_qz
        self._bound = [
            tf.reduce_mean(part, 0)
            for part in (self._log_weights, log_px, log_qz - log_pz)
        ]
        self._bound.append(_gaussian_kl(self._posterior.mean, self._posterior.logstd))


def _gaussian_kl(mean, logstd):
    """KL(N(mean, diag std²) || N(0, I)) (Kingma & Welling 2014, appendix B)."""
    terms = tf.exp(2.0 * logstd) + tf.square(mean) - 1.0 - 2.0 * logstd
    return 0.5 * tf.reduce_sum(terms, -1)


def _blocks(bits, labels):
    for start in range(0, len(bits), BLOCK):
        yield bits[start : start + BLOCK], labels[start : start + BLOCK]
