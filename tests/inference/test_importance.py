"""Running sums of importance weights, and who gets how many, against plain NumPy."""

import tracemalloc

import numpy as np
import pytest
import reference

from cvae.inference import importance
from cvae.inference.importance import (
    LogSums,
    Proposals,
    chunks,
    decisive_particles,
    estimate,
    levels,
)


def streamed(log_weights, cuts):
    """`LogSums` of `[particles, classes]`, cut at `cuts`."""
    sums = LogSums(log_weights.shape[1])
    for part in np.split(log_weights, cuts):
        sums.add(part, range(log_weights.shape[1]))
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
    assert list(sums.count) == [1000] * 3


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


def test_classes_are_summed_each_by_itself():
    weights = log_weights()
    sums = LogSums(3)
    sums.add(weights[:10], [0, 1, 2])
    sums.add(weights[10:, 1:2], [1])
    expected = reference.log_mean_exp(weights[:10], 0)
    expected[1] = reference.log_mean_exp(weights[:, 1], 0)
    np.testing.assert_allclose(sums.log_mean(), expected, rtol=1e-12)


def test_memory_does_not_grow_with_the_particles():
    def peak(particles):
        def first(n, classes):
            return log_weights(shape=(n, len(classes)))

        def more(c, chunk, n):
            return log_weights(shape=(n,))

        tracemalloc.start()
        estimate(Proposals(first, more), range(3), 0, particles)
        bytes_at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_at_most

    peak(2000)  # whatever is made once
    assert peak(200000) < 1.5 * peak(2000)


@pytest.mark.parametrize("particles", [1, 9, 10, 11, 99, 100, 1000, 1001, 5000, 12345])
def test_every_particle_comes_once_and_in_the_chunk_that_is_its_own(particles):
    marks = levels(particles)
    assert marks[-1] == particles and list(marks) == sorted(set(marks))
    assert set(marks[:-1]) == {m for m in (10, 100, 1000, 5000) if m < particles}
    begins = [0, 10, 100, *range(1000, 20000, 1000)]
    seen = 0
    for begin, mark in zip((0,) + marks, marks):
        for number, size in chunks(begin, mark):
            assert begins[number] == seen and 0 < size <= importance.CHUNK
            seen += size
        assert seen == mark


class Fake:
    """An image whose class c has given log-weights; what was asked for is noted."""

    def __init__(self, weights):
        self.weights = weights  # [particles, classes]
        self.proposals = Proposals(self._first, self._more)

    def _first(self, n, classes):
        return self.weights[:n, list(classes)]

    def _more(self, c, chunk, n):
        begin = (0, 10, 100, 1000, 2000)[chunk]
        return self.weights[begin : begin + n, c]


def test_without_pruning_all_classes_have_the_estimate_of_all_their_weights():
    fake = Fake(log_weights(2.0, (1500, 4)))
    found = estimate(fake.proposals, range(4), 1, 1500)
    for row, mark in enumerate((10, 100, 1000, 1500)):
        expected = reference.log_mean_exp(fake.weights[:mark], 0)
        np.testing.assert_allclose(found.log_likelihoods[row], expected, rtol=1e-12)
    assert list(found.particles) == [1500] * 4


def test_particles_go_to_the_own_class_and_to_those_near_the_best():
    weights = log_weights(0.1, (1500, 4))
    weights += np.array([0.0, -1.0, -1.0, -importance.MARGIN - 5.0])
    weights[:10, 2] -= importance.MARGIN - 5.0
    weights[10:, 2] -= 100.0  # its mean so far falls behind slowly
    found = estimate(Fake(weights).proposals, range(4), 3, 1500)
    assert list(found.particles) == [1500, 1500, 1000, 1500]
    expected = reference.log_mean_exp(weights[:1000, 2], 0)
    np.testing.assert_allclose(found.log_likelihoods[2:, 2], expected, rtol=1e-12)


def test_a_class_that_was_left_out_stays_out():
    weights = log_weights(0.1, (1500, 3))
    weights[:10, 1] -= importance.MARGIN + 5.0
    weights[10:, 0] -= 100.0  # now the best falls, too
    found = estimate(Fake(weights).proposals, range(3), 2, 1500)
    assert found.particles[1] == 10


def test_a_close_call_is_decided_by_more_particles():
    """Of classes 0, 1 and 2 the first is ahead at 100; class 2 catches up, 3 is far."""
    weights = log_weights(0.1, (1000, 4))
    weights += np.array([0.0, -3.0, -2.0, -importance.CLOSE - 1.0])
    weights[100:, 2:] += 10.0
    found = estimate(Fake(weights).proposals, range(4), 3, 100)
    at_100 = reference.log_mean_exp(weights[:100], 0)
    np.testing.assert_allclose(found.log_likelihoods[-1], at_100, rtol=1e-12)
    assert found.log_likelihoods.shape == (2, 4) and at_100.argmax() == 0
    expected = np.append(reference.log_mean_exp(weights[:, :3], 0), at_100[3])
    np.testing.assert_allclose(found.decisive, expected, rtol=1e-12)
    assert expected.argmax() == 2
    assert list(found.particles) == [1000, 1000, 1000, 100]
    shares = np.exp(weights[:100])
    ess = shares.sum(0) ** 2 / (shares**2).sum(0)
    np.testing.assert_allclose(found.ess, ess, rtol=1e-9)


@pytest.mark.parametrize("particles, behind", [(100, 1.0), (1500, -1.0)])
def test_what_is_clear_or_has_particles_enough_is_decided_by_what_there_is(
    particles, behind
):
    weights = log_weights(0.1, (1500, 2)) - [0.0, importance.CLOSE + behind]
    found = estimate(Fake(weights).proposals, range(2), 0, particles)
    np.testing.assert_array_equal(found.decisive, found.log_likelihoods[-1])
    assert list(found.particles) == [particles] * 2


@pytest.mark.parametrize(
    "particles, decisive", [(1, 10), (10, 100), (100, 1000), (250, 1000), (5000, 5000)]
)
def test_ten_times_as_many_decide_up_to_a_thousand(particles, decisive):
    assert decisive_particles(particles) == decisive
