"""Which classes of an image get which proposal and how many particles."""

import functools

import numpy as np
import pytest
import reference
from kept_graphs import random_weights

from cvae.backend.streams import stream
from cvae.config import Config
from cvae.inference import estimates, importance, laplace
from cvae.inference.estimates import of_all_classes
from cvae.inference.trained import Model

N, PARTICLES = 12, 130


@pytest.fixture(scope="module")
def few(images):
    return images[0][:N], images[1][:N].astype(int)


@pytest.fixture(scope="module")
def found(model, few):
    return of_all_classes(model, *few, PARTICLES)


def test_the_own_class_has_the_estimate_that_it_has_alone(model, few, found):
    own = estimates.of_own_class(model, *few, PARTICLES)
    of_all = found.log_likelihoods[:, np.arange(N), few[1]]
    np.testing.assert_allclose(of_all, own.log_likelihoods, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found.ess, own.ess, rtol=0.01)
    alone = model.log_likelihood(*few, PARTICLES)
    np.testing.assert_array_equal(alone, own.log_likelihoods[-1])


def test_an_estimate_does_not_depend_on_the_images_beside_it(model, few, found):
    bits, labels = few
    part = of_all_classes(model, bits[7:9], labels[7:9], PARTICLES, first=7)
    np.testing.assert_array_equal(part.particles, found.particles[7:9])
    for name, axis in (("log_likelihoods", 1), ("decisive", 0)):
        whole = np.take(getattr(found, name), [7, 8], axis)
        np.testing.assert_allclose(getattr(part, name), whole, rtol=0, atol=1e-3)


def test_the_same_again_is_the_same_bits(model, few, found):
    for one, other in zip(of_all_classes(model, *few, PARTICLES), found):
        np.testing.assert_array_equal(one, other)


def test_more_particles_begin_with_the_same_draws(model, few, found):
    more = of_all_classes(model, *few, 1100)
    first = more.log_likelihoods[:2], found.log_likelihoods[:2]
    np.testing.assert_allclose(*first, rtol=0, atol=1e-3)


def test_a_far_class_keeps_the_estimate_of_a_few_draws_of_the_encoder(
    model, weights, few, monkeypatch
):
    bits, labels = few
    monkeypatch.setattr(estimates, "MARGIN", -1.0)  # all but the own class are far
    found = of_all_classes(model, bits, labels, 10, first=3)
    far = np.ones((N, 10), bool)
    far[np.arange(N), labels] = False
    assert (found.particles[far] == estimates.PILOT).all()
    assert (found.particles[~far] == 10).all()
    seed = model.config.seed
    for i in range(N):
        x, y = np.repeat(bits[i : i + 1], 10, 0), np.arange(10)
        mean, std = reference.encode(x, reference.one_hot(y, 10), weights, 2)
        draws = stream(seed, "pilot", 3 + i)
        z = mean + std * draws.standard_normal((estimates.PILOT, 10, 6))
        log_px, log_pz, log_qz = reference.log_weights(x, y, z, weights, 10, 2)
        expected = reference.log_mean_exp(log_px + log_pz - log_qz, 0)
        for row in found.log_likelihoods:
            np.testing.assert_allclose(row[i, far[i]], expected[far[i]], atol=1e-3)


def test_a_class_gets_all_particles_if_it_is_within_the_margin(
    model, few, found, monkeypatch
):
    assert (found.particles >= PARTICLES).all()  # of random weights, all are near
    monkeypatch.setattr(estimates, "MARGIN", 1.0)
    pruned = of_all_classes(model, *few, PARTICLES)
    near = pruned.particles >= PARTICLES
    assert 0.1 < near.mean() < 0.9 and near[np.arange(N), few[1]].all()
    last = pruned.log_likelihoods[-1], found.log_likelihoods[-1]
    np.testing.assert_allclose(last[0][near], last[1][near], rtol=0, atol=1e-3)


def test_a_near_tie_is_decided_by_more_particles_of_other_draws(
    model, few, found, monkeypatch
):
    monkeypatch.setattr(estimates, "CLOSE", 3.0)
    tied = of_all_classes(model, *few, PARTICLES)
    best = tied.log_likelihoods[-1].max(1, keepdims=True)
    close = tied.log_likelihoods[-1] >= best - 3.0
    close &= close.sum(1, keepdims=True) > 1
    assert 0 < close.sum() < close.size
    np.testing.assert_array_equal(tied.particles == estimates.DECISIVE, close)
    last = tied.log_likelihoods[-1]
    np.testing.assert_array_equal(tied.decisive[~close], last[~close])
    gap = (tied.decisive - last)[close]
    assert (gap != 0).all() and np.abs(gap).max() < 1.0
    np.testing.assert_array_equal(last, found.log_likelihoods[-1])


def test_with_particles_enough_a_near_tie_stays_as_it_is(model, few):
    found = of_all_classes(model, *few, estimates.DECISIVE)
    np.testing.assert_array_equal(found.decisive, found.log_likelihoods[-1])
    assert estimates.decisive_particles(5) == estimates.DECISIVE
    assert estimates.decisive_particles(10**5) == 10**5


@pytest.mark.parametrize("limit", ["steps", "dimensions"])
def test_where_no_mode_is_found_the_encoder_proposes_and_it_is_said(
    model, few, monkeypatch, limit
):
    if limit == "steps":
        monkeypatch.setattr(laplace, "MAX_STEPS", laplace.MIN_STEPS - 1)
    else:
        monkeypatch.setattr(laplace, "MAX_DIM", 5)
    found = of_all_classes(model, *few, 50)
    near = found.particles >= 50
    np.testing.assert_array_equal(found.fallback, near)
    proposals = laplace.diagonal(*model.encode(*few))
    streams = estimates._streams(model, "likelihood", np.arange(N), few[1])
    posterior = model.posterior(*few)
    own = importance.estimate(posterior, proposals, streams, 50).log_likelihoods[-1]
    last = found.log_likelihoods[-1][np.arange(N), few[1]]
    np.testing.assert_allclose(last, own, rtol=0, atol=1e-3)


def test_it_proposes_better_than_the_encoder(model, few, found):
    encoder = estimates.of_own_class(model, *few, PARTICLES, by_encoder=True)
    assert not found.fallback.any()
    assert np.median(found.ess) > 2 * np.median(encoder.ess)
    gap = found.log_likelihoods[-1][np.arange(N), few[1]] - encoder.log_likelihoods[-1]
    assert gap.mean() > 0.0


def test_convolutions_are_linearized_as_well(few):
    config = Config(
        network="conv", channels=(2, 3), hidden=(5,), z_dim=4, activation="swish"
    )
    with Model(config, random_weights(config)) as model:
        found = of_all_classes(model, *few, 50)
    assert not found.fallback.any() and np.isfinite(found.decisive).all()
    assert np.median(found.ess) > 10


def test_the_work_ends_where_it_is_told_to(model, few):
    def go_on():
        raise KeyboardInterrupt()

    by_encoder = functools.partial(estimates.of_own_class, by_encoder=True)
    for estimate in (of_all_classes, estimates.of_own_class, by_encoder):
        with pytest.raises(KeyboardInterrupt):
            estimate(model, *few, 10, go_on=go_on)
