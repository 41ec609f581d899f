"""Estimate log p(x | y) by annealed importance sampling (AIS) with HMC moves.

Forward (Neal 2001; Wu et al. 2017): a chain starts at a sample of the prior and passes
through p(z) p(x | y, z)^β, β from 0 to 1, to the posterior. Its weight is an unbiased
estimate of p(x | y). So the log of the mean weight is a lower bound on log p(x | y) in
expectation. Importance sampling gives such a bound, too, but AIS does not use the
encoder.

Backward (Grosse et al. 2015, bidirectional Monte Carlo): the z of an image that was
drawn from the model is an exact sample of p(z | x, y). A chain from this z, through the
same moves in reverse order, gives an unbiased estimate of 1 / p(x | y). Minus the log
of the mean is an upper bound in expectation: log p(x | y) lies between the two.

Both bounds are valid for all moves that meet three conditions: each move leaves its
p(z) p(x | y, z)^β invariant; the backward moves are the reversals of the forward moves
(HMC is its own reversal); no move depends on the random numbers that it is used with.
So step sizes are tuned on other simulated images and then frozen.
"""

from typing import Dict, NamedTuple, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae.backend import compat, stateless
from cvae.config import Config
from cvae.data.checks import check_bits, check_labels, check_whole, check_z
from cvae.errors import CvaeError
from cvae.evaluation.hmc import AnnealingPath, Point, anneal
from cvae.inference.blocks import filled_up
from cvae.inference.importance import log_mean_exp
from cvae.model import build_generator, build_networks

# By measurement on a run of 800-800 (40 dimensions), at equal cost: many
# temperatures with short trajectories beat fewer with long ones.
CHAINS = 8  # of each image
TEMPERATURES = 1000  # moves from β = 0 to 1
LEAPFROG_STEPS = 2
BATCH = 50  # images in a session call; fixed, because it keys their random numbers
STEEPNESS = 4.0  # of the sigmoid that spaces β (Wu et al. 2017, δ)

SPAN = 50  # temperatures in a session call, so that an interrupt takes seconds
TUNING_PASSES = 5
TUNING_TEMPERATURES = 50
TARGET = 0.75  # acceptance rate that the step size is tuned for

# Random numbers: each path of each group of BATCH images has a range of slots.
_SLOTS = 2**20
_PATHS = 4
_FORWARD, _BACKWARD, _SIMULATION, _TUNING = range(_PATHS)


class Kernel(NamedTuple):
    """The frozen moves: step s_d(β) = size / sqrt(1 + β information_d) of dimension d.

    `information` is the mean square slope of log p(x | y, z) at the z that x was drawn
    from, the diagonal of the Fisher information. So 1 + β information approximates the
    precision of z at β.
    """

    size: float
    information: np.ndarray  # [d]

    def steps(self, betas: np.ndarray) -> np.ndarray:
        """Return the leapfrog steps at each of `betas`, float32 `[len(betas), d]`."""
        scale = 1.0 / np.sqrt(1.0 + betas[:, None] * self.information)
        return (self.size * scale).astype(np.float32)


class Annealer:
    """Run AIS with the generator of one run; the constructor tunes `kernel`.

    An estimate depends only on the image, its number, the weights and `config.seed`:
    random numbers are keyed by (seed, number of the image, temperature), and a session
    call always takes a whole group of `BATCH` numbers, with zeros for missing images.
    `acceptance` is the acceptance rate of the moves on the images of the tuning.

    Raises:
        CvaeError: the weights are of another architecture or not finite.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        with compat.new_graph() as graph:
            self._build(config)
            variables = {v.op.name: v for v in tf.global_variables()}
        with compat.open_session(graph) as self._session:
            compat.load(self._session, variables, weights)
            self.kernel, self.acceptance = self._tune()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._session.close()

    def forward(self, bits: np.ndarray, labels: np.ndarray, first: int) -> np.ndarray:
        """Estimate log p(x | y) of each image from below, float64 `[n]`, in nats.

        Args:
            bits: `[n, x_dim]`, of 0 and 1.
            labels: `[n]`, 0..K-1.
            first: number of the first image; the other images have the next numbers.

        Raises:
            CvaeError: the arguments do not fit the model, or a result is not finite.
        """
        log_weights = self._log_weights(_FORWARD, bits, labels, None, first)
        return log_mean_exp(log_weights, 0)

    def backward(
        self, bits: np.ndarray, labels: np.ndarray, z: np.ndarray, first: int
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image from above, float64 `[n]`, in nats.

        All chains of an image start at its z. Their reciprocal weights are not
        independent, but the mean is unbiased, and the bound needs nothing else.

        Args:
            z: `[n, d]`, exact samples of p(z | x, y), as `simulate` returns them. The
                other arguments and the errors are those of `forward`.
        """
        log_weights = self._log_weights(_BACKWARD, bits, labels, z, first)
        return -log_mean_exp(log_weights, 0)

    def simulate(self, first: int, n: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw `n` images from the model: bits `[n, x_dim]`, labels `[n]`, z `[n, d]`.

        Image number i does not depend on `first` and `n`.

        Raises:
            CvaeError: `first` is below 0 or `n` below 1.
        """
        parts = [
            [array[places] for array in self._simulate(_SIMULATION, group)]
            for group, places, _ in _groups(first, n)
        ]
        bits, labels, z = (np.concatenate(arrays) for arrays in zip(*parts))
        return bits, labels, z

    def _log_weights(self, path, bits, labels, z, first):
        """Return log-weights of the chains of `path`, float64 `[chains, n]`."""
        bits = check_bits(bits, self.config.x_dim)
        labels = check_labels(labels, len(bits), self.config.n_classes)
        if z is not None:
            z = check_z(z, len(bits), self.config.z_dim)
        betas = inverse_temperatures(TEMPERATURES)
        if path == _BACKWARD:
            betas = betas[::-1]
        parts = []
        for group, places, rows in _groups(first, len(bits)):
            whole = [
                None if array is None else filled_up(array[rows], BATCH, places.start)
                for array in (bits, labels, z)
            ]
            found, _ = self._anneal((path, group), *whole, betas, self.kernel)
            parts.append(found[:, places])
        return np.concatenate(parts, 1)

    def _anneal(self, draw, bits, labels, start, betas, kernel):
        """Move the chains of one group of images along `betas`.

        Move j is made at β_{j+1}. So the moves along the reversed `betas` are the same
        moves in reverse order, except for the last of each, on which no weight depends.

        Args:
            draw: (path, group), which key the random numbers.
            start: z of the images, `[BATCH, d]`, or None for samples of the prior.

        Returns:
            Log-weights, float64 `[chains, BATCH]`, and the acceptance rate.
        """
        feed = self._feed(*draw)
        feed.update({self._bits: bits, self._labels: labels})
        if start is None:
            z = self._session.run(self._prior, feed)
        else:
            z = np.broadcast_to(start, self._z.shape.as_list())
        log_weights, rates = 0.0, []
        for begin in range(0, len(betas) - 1, SPAN):
            part = betas[begin : begin + SPAN + 1]
            feed.update({self._z: z, self._begin: begin, self._betas: part})
            feed[self._steps] = kernel.steps(part[1:])
            z, gained, rate = self._session.run(self._annealed, feed)
            log_weights, rates = log_weights + gained, rates + [rate]
        if not np.isfinite(log_weights).all():
            raise CvaeError(
                "annealed importance sampling gives values that are not finite: the "
                "training of these weights diverged; train again with a lower "
                "--learning-rate"
            )
        return log_weights, float(np.mean(np.concatenate(rates)))

    def _tune(self):
        """Return a `Kernel` tuned on simulated images, and its acceptance rate.

        Near `TARGET`, the acceptance rate falls by about half of the increase of the
        logarithm of the step size. Each pass corrects the size accordingly.
        """
        bits, labels, z = self._simulate(_TUNING, 0)
        tiled = np.broadcast_to(z, self._z.shape.as_list())
        feed = {self._bits: bits, self._labels: labels, self._z: tiled}
        slope = self._session.run(self._slope, feed)
        kernel = Kernel(0.5, np.mean(np.square(slope[0], dtype=np.float64), 0))
        betas = inverse_temperatures(TUNING_TEMPERATURES)
        for number in range(1, TUNING_PASSES + 1):
            draw = (_TUNING, number)
            _, rate = self._anneal(draw, bits, labels, None, betas, kernel)
            if number < TUNING_PASSES:  # the last pass only measures
                size = kernel.size * np.exp(2.0 * (rate - TARGET))
                kernel = kernel._replace(size=float(size))
        return kernel, rate

    def _simulate(self, path, group):
        return self._session.run(self._simulated, self._feed(path, group))

    def _feed(self, path, group):
        """Return the feed that keys the random numbers of a path of a group."""
        slots = (path, _PATHS), (0, _SLOTS)
        return {self._first_slot: stateless.number("annealing", group, *slots)}

    def _build(self, config):
        self._first_slot, self._begin = (tf.placeholder(tf.int64, []) for _ in "ab")
        self._bits = tf.placeholder(tf.uint8, [BATCH, config.x_dim])
        self._labels = tf.placeholder(tf.int32, [BATCH])
        self._z = tf.placeholder(tf.float32, [CHAINS, BATCH, config.z_dim])
        self._betas = tf.placeholder(tf.float64, [None])
        self._steps = tf.placeholder(tf.float32, [None, config.z_dim])

        generator = build_generator(build_networks(config), BATCH, config, CHAINS)
        x = tf.cast(self._bits, tf.float32)
        y = tf.one_hot(self._labels, config.n_classes)

        def evaluate(z):
            net = generator.observe(x=x, y=y, z=z)
            log_px, log_pz = net.cond_log_prob(["x", "z"])  # [chains, BATCH] each
            slopes = (tf.gradients(log_p, z)[0] for log_p in (log_px, log_pz))
            return Point(z, log_px, log_pz, *slopes)

        point = evaluate(self._z)
        self._slope = point.slope_px
        shape = [CHAINS, BATCH, config.z_dim + 1]
        self._annealed = anneal(
            evaluate,
            point,
            AnnealingPath(self._betas, self._steps, LEAPFROG_STEPS),
            lambda i: tf.random.stateless_normal(shape, self._key(1 + self._begin + i)),
        )
        self._prior = tf.random.stateless_normal(self._z.shape, self._key(0))

        z = tf.random.stateless_normal([BATCH, config.z_dim], self._key(0))
        uniform = tf.random.stateless_uniform([BATCH], self._key(1))
        labels = tf.cast(uniform * config.n_classes, tf.int32)
        net = generator.observe(y=tf.one_hot(labels, config.n_classes), z=z[None])
        means = net["x_mean"][0]  # [BATCH, x_dim]
        uniform = tf.random.stateless_uniform(tf.shape(means), self._key(2))
        self._simulated = [tf.cast(uniform < means, tf.uint8), labels, z]

    def _key(self, slot):
        """Return the key of a slot of the group and path that are fed."""
        draw = self._first_slot + slot
        return stateless.key(self.config.seed, draw, "evaluation")


def inverse_temperatures(temperatures: int) -> np.ndarray:
    """Return β from 0 to 1, `[temperatures + 1]`, spaced by a sigmoid.

    The steps are smallest at both ends, where the target changes most (Wu et al. 2017).
    """
    sigmoid = 1.0 / (
        1.0 + np.exp(-np.linspace(-STEEPNESS, STEEPNESS, temperatures + 1))
    )
    return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])


def _groups(first, n):
    """Divide the images `first` to `first + n - 1` into groups of `BATCH` numbers.

    Return of each group its number, the places of the images in it, and their rows
    among the n images.
    """
    first = check_whole("the number of the first image", first, 0, 2**31)
    n = check_whole("the number of images", n, 1, 2**31)
    groups, start = [], first
    while start < first + n:
        group, place = divmod(start, BATCH)
        stop = min(first + n, (group + 1) * BATCH)
        places = slice(place, place + stop - start)
        groups.append((group, places, slice(start - first, stop - first)))
        start = stop
    return groups
