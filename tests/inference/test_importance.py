"""Running sums of importance weights, and estimates of them, against plain NumPy."""

import tracemalloc

import numpy as np
import pytest
import reference
from exact import ExactPosterior, LinearGaussian
from scipy import stats

from cvae.inference import importance, laplace
from cvae.inference.importance import LogSums, estimate, levels


def streamed(log_weights, cuts):
    """`LogSums` of `[particles, classes]`, cut at `cuts`."""
    sums = LogSums(log_weights.shape[1])
    for part in np.split(log_weights, cuts):
        sums.add(part)
    return sums


def log_weights(scale=5.0, shape=(1000, 3), mean=-90.0):
    return mean + scale * np.random.RandomState(0).standard_normal(shape)


@pytest.mark.parametrize("cuts", [[], [1], [10, 100, 500], list(range(1, 1000))])
@pytest.mark.parametrize("scale, mean", [(0.0, -90.0), (5.0, -90.0), (900.0, 3e4)])
def test_streamed_sums_equal_those_of_all_weights_at_once(cuts, scale, mean):
    weights = log_weights(scale, mean=mean)
    sums = streamed(weights, cuts)
    expected = reference.log_mean_exp(weights, 0)
    np.testing.assert_allclose(sums.log_mean(), expected, rtol=1e-12)
    shares = np.exp(weights - weights.max(0))
    expected = shares.sum(0) ** 2 / (shares**2).sum(0)
    np.testing.assert_allclose(sums.effective_sample_size(), expected, rtol=1e-9)
    assert sums.count == 1000


def test_equal_weights_all_count_and_one_large_weight_counts_alone():
    equal = streamed(np.full((50, 1), -3.0), [7])
    assert equal.effective_sample_size() == pytest.approx([50.0])
    alone = log_weights(0.0, (50, 1))
    alone[31] = 0.0
    assert streamed(alone, [20]).effective_sample_size() == pytest.approx([1.0])


def test_weights_of_zero_add_nothing():
    weights = log_weights()[:4]
    weights[[0, 1, 3]] = -np.inf
    sums = streamed(weights, [1, 2])
    np.testing.assert_allclose(sums.log_mean(), weights[2] - np.log(4), rtol=1e-12)


@pytest.mark.parametrize("particles", [1, 9, 10, 11, 99, 100, 1000, 1001, 5000])
def test_the_levels_end_with_the_particles(particles):
    marks = levels(particles)
    assert marks[-1] == particles and list(marks) == sorted(set(marks))
    assert set(marks[:-1]) == {m for m in (10, 100, 1000) if m < particles}


LINEAR = LinearGaussian()
BITS = np.random.RandomState(1).randint(0, 2, (30, 6))
LABELS = np.random.RandomState(2).randint(0, 3, 30)
POSTERIOR = ExactPosterior(LINEAR, BITS, LABELS)
WIDE = laplace.gaussians(  # N(0, 1.2² I), which is no posterior
    np.zeros((30, 3)), 1.2 * np.tile(np.eye(3), (30, 1, 1))
)


def streams(n=30):
    return [np.random.RandomState(i) for i in range(n)]


def test_an_estimate_is_the_log_mean_of_its_weights_at_every_level():
    found = estimate(POSTERIOR, WIDE, streams(), 150)
    eps = np.stack([s.standard_normal((150, 3)) for s in streams()], 1)
    z = 1.2 * eps
    weights = POSTERIOR.log_joint(z) - stats.norm.logpdf(z, scale=1.2).sum(-1)
    assert len(found.log_likelihoods) == 3
    for row, level in zip(found.log_likelihoods, (10, 100, 150)):
        expected = reference.log_mean_exp(weights[:level], 0)
        np.testing.assert_allclose(row, expected, rtol=1e-12)
    shares = np.exp(weights - weights.max(0))
    expected = shares.sum(0) ** 2 / (shares**2).sum(0)
    np.testing.assert_allclose(found.ess, expected, rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 45, 10**4])
def test_chunks_change_nothing_but_the_size_of_a_call(monkeypatch, rows):
    sizes, whole = [], estimate(POSTERIOR, WIDE, streams(), 70)
    log_joint = ExactPosterior.log_joint
    monkeypatch.setattr(
        ExactPosterior, "log_joint", lambda s, z: sizes.append(z) or log_joint(s, z)
    )
    monkeypatch.setattr(importance, "ROWS", rows)
    found = estimate(POSTERIOR, WIDE, streams(), 70)
    for one, other in zip(found, whole):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert max(z.shape[0] for z in sizes) == min(60, max(1, rows // 30))


def test_an_estimate_is_unbiased_and_its_log_low():
    truth = LINEAR.log_likelihood(BITS, LABELS)
    repeats = [np.random.RandomState(1000 + i) for i in range(30)]
    found = np.stack(
        [estimate(POSTERIOR, WIDE, repeats, 20).log_likelihoods[-1] for _ in range(400)]
    )
    ratios = np.exp(found - truth)
    error = ratios.std() / np.sqrt(ratios.size)
    assert error < 0.02 and abs(ratios.mean() - 1.0) < 4 * error
    assert found.mean() < truth.mean() - 0.1


def test_memory_does_not_grow_with_the_particles():
    def peak(particles):
        tracemalloc.start()
        estimate(POSTERIOR, WIDE, streams(), particles)
        bytes_at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_at_most

    peak(200)  # whatever is made once
    assert peak(10000) < 1.5 * peak(500)


def test_the_work_ends_where_it_is_told_to():
    calls = []

    def go_on():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        estimate(POSTERIOR, WIDE, streams(), 10**6, go_on)
