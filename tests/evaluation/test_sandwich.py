"""log p(x | y) of simulated images from both sides, against what is known exactly."""

import numpy as np
import pytest
import reference
import tiny
from exact import ExactPosterior, LinearGaussian, quadrature
from scipy import stats

from cvae.config import Config
from cvae.evaluation import sandwich
from cvae.inference import laplace
from cvae.inference.importance import log_mean_exp
from cvae.inference.trained import Model

PLANE = Config(n_classes=2, x_dim=8, z_dim=2, hidden=(6,), seed=3)
N = 400


@pytest.fixture(scope="module")
def plane_weights():
    """Of the homework's model with z in the plane."""
    weights = tiny.random_weights(tiny.shapes(PLANE), seed=1)
    return {name: 1.5 * array for name, array in weights.items()}


@pytest.fixture(scope="module")
def plane(plane_weights):
    with Model(PLANE, plane_weights) as model:
        yield model


def assert_at_most(lower, upper):
    gap = upper - lower
    assert gap.mean() > -4 * gap.std(ddof=1) / np.sqrt(len(gap))


def test_the_truth_is_between_both_ends_which_meet(plane, plane_weights, monkeypatch):
    monkeypatch.setattr(sandwich, "PARTICLES", 100)
    monkeypatch.setattr(sandwich, "STEPS", 150)
    bits, labels, _ = sandwich.simulate(plane, 0, N)
    truth = quadrature(bits, labels, plane_weights, PLANE)
    found = sandwich.of_block(plane, 0, N, lambda: None)
    assert_at_most(found.below, truth)
    assert_at_most(truth, found.above)
    assert abs((found.above - found.below).mean()) < 0.02
    monkeypatch.setattr(sandwich, "STEPS", 1)
    short = sandwich.of_block(plane, 0, N, lambda: None)
    assert_at_most(truth, short.above)
    assert short.above.mean() > found.above.mean() + 0.005


def test_images_are_drawn_from_the_model(plane, plane_weights):
    bits, labels, z = sandwich.simulate(plane, 0, 4000)
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    y = reference.one_hot(labels, 2)
    means = reference.decode(y, z, plane_weights, 1)
    surprise = (bits - means) / np.sqrt(means * (1.0 - means))
    assert abs(surprise.mean()) < 0.03 and (bits.mean(0) > 0.05).all()
    again = sandwich.simulate(plane, 100, 50)
    for one, other in zip(again, (bits, labels, z)):
        np.testing.assert_array_equal(one, other[100:150])


# A chain, where the posterior is known

LINEAR = LinearGaussian()
M = 1000  # chains
BITS = np.random.RandomState(1).randint(0, 2, (M, 6))
LABELS = np.random.RandomState(2).randint(0, 3, M)
POSTERIOR = ExactPosterior(LINEAR, BITS, LABELS)
STARTS = LINEAR.posterior(BITS, LABELS, 3).astype(float)


def proposals(scale, shift=0.0):
    start = laplace.diagonal(np.zeros((M, 3)), np.zeros((M, 3)))
    found, _ = laplace.fit(POSTERIOR, start, scale)
    return found._replace(center=found.center + shift)


def streams():
    return [np.random.RandomState(i) for i in range(M)]


def test_from_the_posterior_itself_every_step_is_taken_and_every_weight_the_truth(
    monkeypatch,
):
    monkeypatch.setattr(sandwich, "STEPS", 30)
    states, taken = sandwich.chain(POSTERIOR, proposals(1.0), STARTS, streams())
    assert states.shape == (31, M) and (taken > 0.999).all()
    truth = LINEAR.log_likelihood(BITS, LABELS)
    np.testing.assert_allclose(states, np.tile(truth, (31, 1)), atol=1e-4)


def test_a_chain_that_starts_in_the_posterior_stays_there(monkeypatch):
    """Its log weights keep their distribution, by a proposal that is moved and wide."""
    monkeypatch.setattr(sandwich, "STEPS", 60)
    states, taken = sandwich.chain(POSTERIOR, proposals(1.3, 0.2), STARTS, streams())
    assert 0.2 < taken.mean() < 0.9
    for later in (1, 10, 60):
        assert stats.ks_2samp(states[0], states[later]).pvalue > 1e-3
    elsewhere = STARTS + 0.4
    states, _ = sandwich.chain(POSTERIOR, proposals(1.3, 0.2), elsewhere, streams())
    assert stats.ks_2samp(states[0], states[-1]).pvalue < 1e-3


def test_a_poor_proposal_is_still_an_upper_estimate(monkeypatch):
    monkeypatch.setattr(sandwich, "STEPS", 60)
    truth = LINEAR.log_likelihood(BITS, LABELS)
    states, _ = sandwich.chain(POSTERIOR, proposals(1.3, 0.2), STARTS, streams())
    above = -log_mean_exp(-states, 0)
    assert_at_most(truth, above)
    assert 0.0 < (above - truth).mean() < 0.3
