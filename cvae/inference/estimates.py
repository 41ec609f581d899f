"""log p(x | y) of images under a model: of their own class, or of every class.

Each image and class is a pair. A few draws from the encoder's q(z | x, y) show which
classes of an image matter; these get the Laplace proposal and all the particles.
"""

from typing import Any, Callable, NamedTuple, Tuple

import numpy as np

from cvae.backend.streams import stream
from cvae.inference import importance, laplace
from cvae.inference.importance import Estimate
from cvae.inference.laplace import Gaussians

BLOCK = 50  # images that are estimated together
PILOT = 4  # particles of the encoder's proposal with which a class is looked at
MARGIN = 15.0  # nats behind the best class at which a class keeps that estimate
CLOSE = 2.0  # nats behind the best class within which two classes are a near-tie
DECISIVE = 1000  # particles that decide a near-tie, at least


class Likelihoods(NamedTuple):
    """log p(x | y) of n images by all K classes, in nats."""

    log_likelihoods: np.ndarray  # [levels, n, K], see `importance.levels`
    ess: np.ndarray  # [n], effective sample size of the own class at the last level
    decisive: np.ndarray  # [n, K], estimates for Bayes' rule
    particles: np.ndarray  # [n, K], particles of each of those
    fallback: np.ndarray  # [n, K], whether the encoder's proposal replaced Laplace's


def decisive_particles(particles: int) -> int:
    """Return how many particles decide a near-tie among estimates of `particles`."""
    return max(particles, DECISIVE)


def of_own_class(
    model: Any,
    bits: np.ndarray,
    labels: np.ndarray,
    particles: int,
    first: int = 0,
    go_on: Callable[[], None] = lambda: None,
    by_encoder: bool = False,
) -> Estimate:
    """Estimate log p(x | y) of each image with its class.

    Args:
        model: a `cvae.inference.trained.Model`.
        bits, labels: `[n, x_dim]` and `[n]`, at most `BLOCK` images for good speed.
        first: the number of the first image, which keys its draws.
        by_encoder: take the encoder's q(z | x, y) as the proposal, not Laplace's.
    """
    posterior, proposals = propose(model, bits, labels, go_on, by_encoder)
    purpose = "encoder" if by_encoder else "likelihood"
    streams = _streams(model, purpose, first + np.arange(len(labels)), labels)
    return importance.estimate(posterior, proposals, streams, particles, go_on)


def of_all_classes(
    model: Any,
    bits: np.ndarray,
    labels: np.ndarray,
    particles: int,
    first: int = 0,
    go_on: Callable[[], None] = lambda: None,
) -> Likelihoods:
    """Estimate log p(x | y) of each image with every class y.

    The own class and each class within `MARGIN` nats of the best, by `PILOT` particles
    of the encoder's proposal, get the Laplace proposal and all `particles`. The other
    classes keep that first estimate. Where the best class is not more than `CLOSE` nats
    ahead, both are estimated again with `DECISIVE` particles or more, and Bayes' rule
    uses the result.
    """
    n, n_classes = len(bits), model.config.n_classes
    images = np.repeat(np.arange(n), n_classes)
    classes = np.tile(np.arange(n_classes), n)
    posterior = model.posterior(bits[images], classes)
    encoder = _encoder(model, bits[images], classes)
    go_on()
    eps = _pilot_draws(model, first, n)
    pilot = importance.log_mean_exp(importance.log_weights(posterior, encoder, eps), 0)
    pilot = pilot.reshape(n, n_classes)
    near = pilot >= pilot.max(1, keepdims=True) - MARGIN
    near[np.arange(n), labels] = True
    chosen = np.flatnonzero(near)

    def estimate(purpose, rows, particles):  # of some of the chosen pairs
        pairs = chosen[rows]
        numbers = first + images[pairs]
        streams = _streams(model, purpose, numbers, classes[pairs])
        some = posterior[pairs], proposals.take(rows)
        return importance.estimate(*some, streams, particles, go_on)

    some = posterior[chosen], encoder.take(chosen)
    proposals, converged = _fitted(*some, go_on)
    found = estimate("likelihood", np.arange(len(chosen)), particles)
    by_level = np.repeat(pilot[None], len(found.log_likelihoods), 0)
    by_level[:, near] = found.log_likelihoods
    ess, fallback = np.zeros(near.shape), np.zeros(near.shape, bool)
    ess[near], fallback[near] = found.ess, ~converged

    decisive, given = by_level[-1].copy(), np.where(near, particles, PILOT)
    close = near & (decisive >= decisive.max(1, keepdims=True) - CLOSE)
    close &= close.sum(1, keepdims=True) > 1
    more = decisive_particles(particles)
    if close.any() and more > particles:
        again = estimate("near-tie", np.flatnonzero(close[near]), more)
        decisive[close], given[close] = again.log_likelihoods[-1], more
    own = ess[np.arange(n), labels]
    return Likelihoods(by_level, own, decisive, given, fallback)


def propose(
    model: Any,
    bits: np.ndarray,
    labels: np.ndarray,
    go_on: Callable[[], None] = lambda: None,
    by_encoder: bool = False,
) -> Tuple[Any, Gaussians]:
    """Return the posteriors of n pairs and their proposals: Laplace's or the encoder's.

    Where no mode is found, Laplace's are the encoder's.
    """
    posterior, encoder = model.posterior(bits, labels), _encoder(model, bits, labels)
    if by_encoder:
        return posterior, encoder
    return posterior, _fitted(posterior, encoder, go_on)[0]


def _fitted(posterior, encoder, go_on):
    if encoder.center.shape[1] > laplace.MAX_DIM:
        return encoder, np.zeros(len(encoder.center), bool)
    return laplace.fit(posterior, encoder, laplace.SCALE, go_on)


def _encoder(model, bits, labels):
    return laplace.diagonal(*model.encode(bits, labels))


def _streams(model, purpose, images, classes):
    """Return the source of draws of each pair of the number of an image and a class."""
    places = model.config.n_classes
    return [
        stream(model.config.seed, purpose, int(image), (int(c), places))
        for image, c in zip(images, classes)
    ]


def _pilot_draws(model, first, n):
    """Return the draws with which all classes are looked at, `[PILOT, n K, d]`."""
    config = model.config
    shape = (PILOT, config.n_classes, config.z_dim)
    images = range(first, first + n)
    streams = (stream(config.seed, "pilot", image) for image in images)
    return np.concatenate([source.standard_normal(shape) for source in streams], 1)
