"""A second opinion on log p(x | y): annealed importance sampling (AIS) with HMC.

Forward (Neal 2001; Wu et al. 2017): a chain starts at the prior and is led through
p(z) p(x | y, z)^β, β from 0 to 1, to the posterior. Its weight is an unbiased estimate
of p(x | y), so that the log of the mean weight is a lower bound on log p(x | y) in
expectation, as importance sampling is, but with no encoder in it.

Backward (Grosse et al. 2015, bidirectional Monte Carlo): on an image that was drawn
from the model, the z it was drawn from is an exact sample of p(z | x, y). The chain
from there, through the same moves in reverse order, gives an unbiased estimate of
1 / p(x | y), and minus the log of the mean an upper bound in expectation: the truth
lies between the two.

Both hold whatever the moves are, as long as each leaves its p(z) p(x | y, z)^β
invariant, the reverse moves are their reversals (HMC is its own), and nothing about
them is chosen by the draws they are used with. So step sizes are tuned in a run of its
own, on other simulated images, and then frozen.
"""

from typing import Any, Dict, NamedTuple, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae.backend import compat, stateless
from cvae.config import Config
from cvae.errors import CvaeError
from cvae.evaluation.hmc import AnnealingPath, Point, anneal
from cvae.evaluation.summary import mean_and_stderr
from cvae.model import build_generator, build_networks

# By measurement on a run of 800-800 (40 dimensions), at equal cost: many
# temperatures with short trajectories beat fewer with long ones.
CHAINS = 8  # an image
TEMPERATURES = 1000  # moves from β = 0 to 1
LEAPFROG_STEPS = 2
BATCH = 50  # images that are annealed at once; fixed, because it keys their draws
STEEPNESS = 4.0  # of the sigmoid that spaces β (Wu et al. 2017, δ)

SPAN = 50  # temperatures a call, so that an interrupt is heard within seconds
TUNING_PASSES = 5
TUNING_TEMPERATURES = 50
TARGET = 0.75  # acceptance rate that the step size is tuned for

# Numbers of draws ("evaluation" in `stateless.key`), beyond importance sampling:
# for each group of BATCH images and each path, one range of slots.
_FIRST_DRAW = 2**40
_SLOTS = 2**20
_PATHS = 4
_FORWARD, _BACKWARD, _SIMULATION, _TUNING = range(_PATHS)


class Simulated(NamedTuple):
    """Three estimates of log p(x | y) of the same simulated images, `[n]`, in nats."""

    forward: np.ndarray  # from below, by AIS
    backward: np.ndarray  # from above, by AIS
    importance: np.ndarray  # from below, by importance sampling


class Kernel(NamedTuple):
    """The frozen moves: step s_d(β) = size / sqrt(1 + β information_d) of dimension d.

    `information` is the mean square slope of log p(x | y, z) at the z that x was drawn
    from, the diagonal of the Fisher information: 1 + β information is about the
    precision of z at β.
    """

    size: float
    information: np.ndarray  # [d]

    def steps(self, betas: np.ndarray) -> np.ndarray:
        """Return the leapfrog's steps at each of `betas`, float32 `[len(betas), d]`."""
        scale = 1.0 / np.sqrt(1.0 + betas[:, None] * self.information)
        return (self.size * scale).astype(np.float32)


class Annealer:
    """AIS with the generator of one run; its `kernel` is tuned when it is made.

    Draws are keyed by (`config.seed`, number of the image, temperature), and images
    are annealed in whole groups of `BATCH` by their numbers, filled up where some are
    missing: an estimate depends on nothing but the image, its number and the weights.
    `acceptance` is the moves' acceptance rate, on the images they were tuned on.

    Raises:
        CvaeError: the weights are those of another architecture, or not finite.
    """

    def __init__(self, config: Config, weights: Dict[str, np.ndarray]):
        self.config = config
        with compat.new_graph() as graph:
            self._build(config)
            variables = {v.op.name: v for v in tf.global_variables()}
            self._session = tf.Session(graph=graph)
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
            first: number of the first image; the others follow.

        Raises:
            CvaeError: the arguments do not fit the model, or a value is not finite.
        """
        log_weights = self._log_weights(_FORWARD, (bits, labels), first, None)
        return _log_mean_exp(log_weights)

    def backward(
        self, bits: np.ndarray, labels: np.ndarray, z: np.ndarray, first: int
    ) -> np.ndarray:
        """Estimate log p(x | y) of each image from above, float64 `[n]`, in nats.

        All chains of an image start at its z: their reciprocal weights are not
        independent, but the mean of them is unbiased, which is what a bound takes.

        Args:
            z: `[n, d]`, exact samples of p(z | x, y), as `simulate` returns them. The
                other arguments, and the errors, are those of `forward`.
        """
        log_weights = self._log_weights(_BACKWARD, (bits, labels), first, z)
        return -_log_mean_exp(log_weights)

    def simulate(self, first: int, n: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw `n` images from the model: bits `[n, x_dim]`, labels `[n]`, z `[n, d]`.

        Image number i is the same whatever `first` and `n` are.
        """
        parts = [
            [array[places] for array in self._simulate(_SIMULATION, group)]
            for group, places, _ in _groups(first, n)
        ]
        bits, labels, z = (np.concatenate(arrays) for arrays in zip(*parts))
        return bits, labels, z

    def _log_weights(self, path, images, first, z):
        """Log-weights of the chains of `path`, float64 `[chains, n]`."""
        bits, labels = (np.asarray(array) for array in images)
        self._check(bits, labels, z)
        betas = inverse_temperatures(TEMPERATURES)
        if path == _BACKWARD:
            betas = betas[::-1]
        parts = []
        for group, places, rows in _groups(first, len(bits)):
            whole = [_filled(a[rows], places) for a in (bits, labels)]
            start = None if z is None else _filled(z[rows], places)
            found, _ = self._anneal((path, group), whole, start, betas, self.kernel)
            parts.append(found[:, places])
        return np.concatenate(parts, 1)

    def _anneal(self, draw, images, start, betas, kernel):
        """Lead the chains of one group of images along `betas`.

        Move j is made at β_{j+1}, so that those along the reversed `betas` are the same
        in reverse, but for the last one of either, which no weight depends on.

        Returns:
            Log-weights, float64 `[chains, BATCH]`, and the acceptance rate.
        """
        feed = dict(zip((self._path, self._group), draw))
        feed.update(zip((self._bits, self._labels), images))
        if start is None:
            z = self._session.run(self._prior, feed)
        else:
            z = np.broadcast_to(start, (CHAINS,) + start.shape)
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
                "weights are of a training that diverged; train anew with a lower "
                "--learning-rate"
            )
        return log_weights, float(np.mean(np.concatenate(rates)))

    def _tune(self):
        """Choose a `Kernel` on simulated images of its own; return it and its rate.

        The acceptance rate falls with the step size, by about half of the change of its
        logarithm near `TARGET`: each pass corrects the size by what is missing.
        """
        bits, labels, z = self._simulate(_TUNING, 0)
        tiled = np.broadcast_to(z, (CHAINS,) + z.shape)
        feed = {self._bits: bits, self._labels: labels, self._z: tiled}
        slope = self._session.run(self._slope, feed)
        kernel = Kernel(0.5, np.mean(np.square(slope[0], dtype=np.float64), 0))
        betas = inverse_temperatures(TUNING_TEMPERATURES)
        for number in range(1, TUNING_PASSES + 1):
            draw = (_TUNING, number)
            _, rate = self._anneal(draw, (bits, labels), None, betas, kernel)
            if number < TUNING_PASSES:  # the last one measures
                size = kernel.size * np.exp(2.0 * (rate - TARGET))
                kernel = kernel._replace(size=float(size))
        return kernel, rate

    def _simulate(self, path, group):
        feed = {self._path: path, self._group: group}
        return self._session.run(self._simulated, feed)

    def _check(self, bits, labels, z):
        n, n_classes = len(bits), self.config.n_classes
        expected = {"bits": (bits, self.config.x_dim), "labels": (labels, None)}
        if z is not None:
            expected["z"] = (z, self.config.z_dim)
        for name, (array, columns) in expected.items():
            shape = (n,) if columns is None else (n, columns)
            if array.shape != shape:
                raise CvaeError(
                    f"{name} have shape {array.shape}, not {shape}: give those of "
                    "this run's model"
                )
        if n and not 0 <= bits.min() <= bits.max() <= 1:
            raise CvaeError(
                f"bits go from {bits.min()} to {bits.max()}: binarize the images first"
            )
        if n and not 0 <= labels.min() <= labels.max() < n_classes:
            raise CvaeError(
                f"labels go from {labels.min()} to {labels.max()}: this run's are 0 "
                f"to {n_classes - 1}"
            )

    def _build(self, config):
        self._path, self._group, self._begin = (
            tf.placeholder(tf.int64, []) for _ in range(3)
        )
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
        """Key of one draw of the group and path that are fed."""
        draw = (self._group * _PATHS + self._path) * _SLOTS + slot
        return stateless.key(self.config.seed, _FIRST_DRAW + draw, "evaluation")


def inverse_temperatures(temperatures: int) -> np.ndarray:
    """Return β from 0 to 1, `[temperatures + 1]`, spaced by a sigmoid.

    Its steps are smallest at both ends, where the chains need it (Wu et al. 2017).
    """
    sigmoid = 1.0 / (
        1.0 + np.exp(-np.linspace(-STEEPNESS, STEEPNESS, temperatures + 1))
    )
    return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])


def summary(
    acceptance: float, forward: np.ndarray, importance: np.ndarray, simulated: Simulated
) -> Dict[str, Any]:
    """Return "ais" of `evaluation.json`: means with errors over images, in nats.

    Args:
        acceptance: of the `Annealer`.
        forward: its estimates of log p(x | y) of test images, `[n]`.
        importance: importance sampling's of the same images.
    """
    return {
        "images": len(forward),
        "chains": CHAINS,
        "temperatures": TEMPERATURES,
        "leapfrog_steps": LEAPFROG_STEPS,
        "acceptance": acceptance,
        "log_likelihood": mean_and_stderr(forward),
        "importance": mean_and_stderr(importance),
        "difference": mean_and_stderr(forward - importance),
        "simulated": {
            "images": len(simulated.forward),
            "forward": mean_and_stderr(simulated.forward),
            "backward": mean_and_stderr(simulated.backward),
            "gap": mean_and_stderr(simulated.backward - simulated.forward),
            "importance": mean_and_stderr(simulated.importance),
        },
    }


def _groups(first, n):
    """Cut images `first` to `first + n - 1` at the bounds of groups of `BATCH`.

    Return the number of each group, the images' places in it, and their rows of the n.

    Raises:
        CvaeError: there is no such image.
    """
    if n < 1 or first < 0:
        raise CvaeError(
            f"{n} images from number {first} on cannot be: take at least one, from "
            "number 0 "
            "on"
        )
    groups, start = [], first
    while start < first + n:
        group, place = divmod(start, BATCH)
        stop = min(first + n, (group + 1) * BATCH)
        places = slice(place, place + stop - start)
        groups.append((group, places, slice(start - first, stop - first)))
        start = stop
    return groups


def _filled(rows, places):
    whole = np.zeros((BATCH,) + rows.shape[1:], rows.dtype)
    whole[places] = rows
    return whole


def _log_mean_exp(log_weights):
    return np.logaddexp.reduce(log_weights, 0) - np.log(len(log_weights))
