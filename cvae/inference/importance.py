"""Importance sampling: log p(x | y) as the log mean of weights, in float64 NumPy.

The weights are w = p(x, z | y) / q(z), with z from a proposal q. The log of their mean
is low in expectation, and the less so the more particles there are (Burda et al. 2016,
equation 8 and theorem 1).
"""

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.inference.laplace import Gaussians

MAX_PARTICLES = 10**6  # of an image and class
LEVELS = (10, 100, 1000)  # particles at which an estimate is reported
ROWS = 2000  # of z that are decoded in one call, as far as one particle each allows


def levels(particles: int) -> Tuple[int, ...]:
    """Return the `LEVELS` below `particles`, and `particles` itself."""
    return tuple(level for level in LEVELS if level < particles) + (particles,)


def log_mean_exp(log_weights: np.ndarray, axis: int) -> np.ndarray:
    """Return the log of the mean of exp(`log_weights`) along `axis`, in float64."""
    log_weights = np.asarray(log_weights, np.float64)
    total = np.logaddexp.reduce(log_weights, axis)
    return total - np.log(log_weights.shape[axis])


def log_weights(posterior: Any, proposals: Gaussians, eps: np.ndarray) -> np.ndarray:
    """Return log w `[particles, n]` of the z that `proposals` make of `eps`.

    Args:
        posterior: of n pairs (x, y), see `cvae.inference.laplace`.
        eps: standard normal draws, `[particles, n, d]`.
    """
    z = proposals.sample(eps)
    return posterior.log_joint(z) - proposals.log_density(eps)


class LogSums:
    """Running log Σ w and log Σ w² of weights that come in chunks, for n columns.

    Memory does not grow with the number of weights.
    """

    def __init__(self, n: int):
        self.count = 0  # weights of each column so far
        self._top = np.full(n, -np.inf)  # the largest log w so far
        self._sum = np.zeros(n)  # Σ w / exp(top)
        self._squares = np.zeros(n)  # Σ w² / exp(2 top)

    def add(self, log_weights: np.ndarray) -> None:
        """Add `log_weights` `[particles, n]`."""
        log_weights = np.asarray(log_weights, np.float64)
        top = np.maximum(self._top, log_weights.max(0))
        zero = np.where(np.isneginf(top), 0.0, top)  # all weights are 0 so far
        shrink, weights = np.exp(self._top - zero), np.exp(log_weights - zero)
        self._sum = self._sum * shrink + weights.sum(0)
        self._squares = self._squares * shrink**2 + (weights**2).sum(0)
        self._top = top
        self.count += len(log_weights)

    def log_mean(self) -> np.ndarray:
        """Return the log of the mean weight, `[n]`."""
        with np.errstate(divide="ignore"):  # log 0
            return self._top + np.log(self._sum / self.count)

    def effective_sample_size(self) -> np.ndarray:
        """Return (Σ w)² / Σ w², between 1 and the number of weights, `[n]`."""
        return self._sum**2 / self._squares


class Estimate(NamedTuple):
    """log p(x | y) of n pairs in nats at each of the `levels` of particles."""

    log_likelihoods: np.ndarray  # [levels, n]
    ess: np.ndarray  # [n], effective sample size at the last level


def estimate(
    posterior: Any,
    proposals: Gaussians,
    streams: Sequence[np.random.RandomState],
    particles: int,
    go_on: Callable[[], None] = lambda: None,
) -> Estimate:
    """Estimate log p(x | y) of n pairs (x, y).

    Args:
        posterior: of the pairs, see `cvae.inference.laplace`.
        streams: a source of normal draws for each pair. More particles of the same
            stream begin with the same draws.
        go_on: called before each chunk of particles; it raises to end the work.
    """
    n, d = proposals.center.shape
    sums, found = LogSums(n), []
    for level in levels(particles):
        while sums.count < level:
            go_on()
            size = min(level - sums.count, max(1, ROWS // n))
            eps = normals(streams, size, d)
            sums.add(log_weights(posterior, proposals, eps))
        found.append(sums.log_mean())
    return Estimate(np.stack(found), sums.effective_sample_size())


def normals(streams: Sequence[np.random.RandomState], size: int, d: int) -> np.ndarray:
    """Return the next standard normal draws of n streams, `[size, n, d]`."""
    return np.stack([stream.standard_normal((size, d)) for stream in streams], 1)
