"""log p(x | y) of simulated images from below and from above.

An image that is drawn from the model comes with z, an exact sample of its posterior. A
Metropolis-Hastings chain that starts there remains in the posterior (Murray &
Salakhutdinov 2009). For z from the posterior, q(z) / p(x, z | y) has the mean
1 / p(x | y), so that minus the log of its mean over the chain is too high in
expectation, as importance sampling is too low. Their gap bounds the errors of both
(Grosse et al. 2015, section 4, where the chains anneal).
"""

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.backend.streams import stream
from cvae.inference import estimates, importance
from cvae.inference.importance import log_mean_exp
from cvae.inference.laplace import Gaussians

PARTICLES = 1000  # of the estimate from below
STEPS = 600  # of a chain
# Shares of a move that are new: a fresh draw of the proposal, and two local moves, by
# which a chain leaves a place that fresh draws seldom hit.
MOVES = (1.0, 0.5, 0.25)


class Sandwich(NamedTuple):
    """Two estimates of log p(x | y) of simulated images in nats, `[n]`."""

    below: np.ndarray  # by importance sampling
    above: np.ndarray  # by the chain
    acceptance: np.ndarray  # share of its proposals that the chain took


def of_block(model: Any, first: int, n: int, go_on: Callable[[], None]) -> Sandwich:
    """Simulate the images `first` to `first + n - 1` and estimate their log p(x | y).

    Args:
        model: a `cvae.inference.trained.Model`.
        go_on: called now and then; it raises to end the work.
    """
    bits, labels, z = simulate(model, first, n)
    posterior, proposals = estimates.propose(model, bits, labels, go_on)
    streams = _streams(model, "from below", first, n)
    below = importance.estimate(posterior, proposals, streams, PARTICLES, go_on)
    streams = _streams(model, "from above", first, n)
    states, acceptance = chain(posterior, proposals, z, streams, go_on)
    return Sandwich(below.log_likelihoods[-1], -log_mean_exp(-states, 0), acceptance)


def simulate(
    model: Any, first: int, n: int
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bits `[n, x_dim]`, labels `[n]` and z `[n, d]` drawn from the model."""
    config, draws = model.config, []
    for source in _streams(model, "simulation", first, n):
        label = source.randint(config.n_classes)
        z = source.standard_normal(config.z_dim)
        draws.append((label, z, source.random_sample(config.x_dim)))
    labels, z, uniform = (np.stack(parts) for parts in zip(*draws))
    return (uniform < model.decode(labels, z)).astype(np.uint8), labels, z


def chain(
    posterior: Any,
    proposals: Gaussians,
    z: np.ndarray,
    streams: Sequence[np.random.RandomState],
    go_on: Callable[[], None] = lambda: None,
) -> Tuple[np.ndarray, np.ndarray]:
    """Return log weights of n chains `[1 + STEPS, n]` and their acceptance rates `[n]`.

    With z = `proposals.sample(eps)`, a step proposes sqrt(1 - b²) eps + b xi, where xi
    is a new draw and b takes turns in `MOVES`. It keeps the distribution of the
    proposals, so that it is taken with probability min(1, w' / w) (the preconditioned
    Crank-Nicolson proposal: Cotter et al. 2013).

    Args:
        posterior: of n pairs (x, y), see `cvae.inference.laplace`.
        z: the first states, `[n, d]`.
        streams: a source of random numbers for each chain.
    """

    def log_weights(eps):
        return importance.log_weights(posterior, proposals, eps[None])[0]

    eps = proposals.draws(z)
    states, taken = [log_weights(eps)], []
    for step in range(STEPS):
        go_on()
        share = MOVES[step % len(MOVES)]
        xi = importance.normals(streams, 1, eps.shape[1])[0]
        moved = np.sqrt(1.0 - share**2) * eps + share * xi
        found = log_weights(moved)
        threshold = np.log1p([-source.random_sample() for source in streams])
        taken.append(threshold <= found - states[-1])
        eps = np.where(taken[-1][:, None], moved, eps)
        states.append(np.where(taken[-1], found, states[-1]))
    return np.stack(states), np.mean(taken, 0)


def _streams(model, purpose, first, n):
    seed = model.config.seed
    return [stream(seed, purpose, image) for image in range(first, first + n)]
