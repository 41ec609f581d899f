"""Annealed importance sampling against models whose log p(x | y) is known exactly."""

import dataclasses
import gc

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny
from exact import LinearGaussian, all_images, quadrature
from scipy import special, stats

from cvae.backend import stateless
from cvae.config import Config
from cvae.errors import CvaeError
from cvae.evaluation import ais
from cvae.evaluation.ais import Annealer

PLANE = Config(n_classes=2, x_dim=8, z_dim=2, hidden=(6,), seed=3)
CHAINS, BATCH = 4, 200


@pytest.fixture(scope="module", autouse=True)
def module_patch():
    """Annealing of a moment; and what else the module's fixtures patch."""
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(ais, "CHAINS", CHAINS)
        patch.setattr(ais, "BATCH", BATCH)
        patch.setattr(ais, "TEMPERATURES", 30)
        patch.setattr(ais, "TUNING_TEMPERATURES", 10)
        yield patch


@pytest.fixture(scope="module")
def plane_weights():
    """Of the homework's model with z in the plane, pixels far from a coin's toss."""
    weights = tiny.random_weights(tiny.shapes(PLANE), seed=1)
    return {name: 3.0 * array for name, array in weights.items()}


@pytest.fixture(scope="module")
def plane(plane_weights):
    """An `Annealer` of that model."""
    with Annealer(PLANE, plane_weights) as annealer:
        yield annealer


@pytest.fixture(scope="module")
def linear():
    """A linear-Gaussian model, and data for it."""
    random = np.random.RandomState(1)
    bits = random.randint(0, 2, (3000, 6)).astype(np.uint8)
    return LinearGaussian(), bits, random.randint(0, 3, 3000)


def annealer_of(model, config=None):
    """An `Annealer` with `model` in the place of the homework's."""
    with pytest.MonkeyPatch().context() as patch:
        model.put_into(patch, ais)
        return Annealer(config or model.config, {})


@pytest.fixture(scope="module")
def linear_annealer(linear):
    with annealer_of(linear[0]) as annealer:
        yield annealer


@pytest.fixture
def annealer(linear, linear_annealer, monkeypatch):
    """Of the linear-Gaussian model, with steps that reject one proposal in eight."""
    kernel = ais.Kernel(1.0, linear[0].information)
    monkeypatch.setattr(linear_annealer, "kernel", kernel)
    return linear_annealer


@pytest.fixture(scope="module")
def single(linear):
    """An `Annealer` of the linear-Gaussian model with one chain."""
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(ais, "CHAINS", 1)
        annealer = annealer_of(linear[0])
    with annealer:
        yield annealer


def assert_mean_is_one(ratios):
    """Within 4 standard errors, and those are small."""
    error = ratios.std(ddof=1) / np.sqrt(len(ratios))
    assert error < 0.05
    assert abs(ratios.mean() - 1.0) < 4 * error


def assert_below(low, high):
    """Less in the mean over images, by more than 4 standard errors."""
    gaps = high - low
    error = gaps.std(ddof=1) / np.sqrt(len(gaps))
    assert gaps.mean() > 4 * error


def test_forward_is_the_log_of_an_unbiased_estimate_and_so_a_lower_bound(
    linear, annealer
):
    model, bits, labels = linear
    forward = annealer.forward(bits, labels, 0)
    truth = model.log_likelihood(bits, labels)
    assert_mean_is_one(np.exp(forward - truth))
    assert_below(forward, truth)


def test_backward_is_an_upper_bound(linear, annealer):
    model, bits, labels = linear
    backward = annealer.backward(bits, labels, model.posterior(bits, labels, 2), 0)
    assert_below(model.log_likelihood(bits, labels), backward)


def test_a_single_step_backward_is_the_log_likelihood_of_the_given_z(
    linear, annealer, monkeypatch
):
    model, bits, labels = linear
    monkeypatch.setattr(ais, "TEMPERATURES", 1)
    z = model.posterior(bits, labels, seed=2)
    expected = stats.norm.logpdf(bits, z @ model.w.T + model.b[labels], model.noise)
    backward = annealer.backward(bits, labels, z, 0)
    np.testing.assert_allclose(backward, expected.sum(1), rtol=1e-4)


@pytest.mark.parametrize("temperatures, size", [(2, 1.0), (10, 0.4), (10, 1.0)])
def test_weights_forward_and_backward_are_related_as_crooks_found(
    linear, single, monkeypatch, temperatures, size
):
    """r = w / p(x | y) of a chain has E[r h(r)] forward = E[h(r)] backward.

    For every h, if and only if 1 / w is what a reversed chain has (Crooks 2000); with
    h(r) = 1 / (1 + r) both means have bounded terms (Bennett 1976).
    """
    model, bits, labels = linear
    monkeypatch.setattr(ais, "TEMPERATURES", temperatures)
    truth = model.log_likelihood(bits, labels)
    z = model.posterior(bits, labels, seed=2)
    single.kernel = ais.Kernel(size, model.information)
    forward = special.expit(single.forward(bits, labels, 0) - truth)
    backward = special.expit(truth - single.backward(bits, labels, z, 0))
    error = np.hypot(forward.std(), backward.std()) / np.sqrt(len(truth))
    assert error < 0.01
    assert abs(forward.mean() - backward.mean()) < 4 * error


def test_both_bounds_close_in_on_the_truth_as_temperatures_grow(
    linear, annealer, monkeypatch
):
    model, bits, labels = linear[0], linear[1][:1000], linear[2][:1000]
    z = model.posterior(bits, labels, seed=2)
    truth = model.log_likelihood(bits, labels).mean()
    gaps = []
    for temperatures in (4, 20, 100):
        monkeypatch.setattr(ais, "TEMPERATURES", temperatures)
        forward = annealer.forward(bits, labels, 0).mean()
        backward = annealer.backward(bits, labels, z, 0).mean()
        gaps.append((truth - forward, backward - truth))
    for coarser, finer in zip(gaps, gaps[1:]):
        assert 0.0 < finer[0] < 0.5 * coarser[0]
        assert 0.0 < finer[1] < 0.5 * coarser[1]
    assert max(gaps[-1]) < 0.1


def test_the_truth_lies_between_the_two_on_images_drawn_from_a_bernoulli_model(
    plane, plane_weights, monkeypatch
):
    monkeypatch.setattr(ais, "TEMPERATURES", 6)
    bits, labels, z = plane.simulate(0, 600)
    forward = plane.forward(bits, labels, 0)
    backward = plane.backward(bits, labels, z, 0)
    truth = quadrature(bits, labels, plane_weights, PLANE)
    assert_mean_is_one(np.exp(forward - truth))
    assert_below(forward, truth)
    assert_below(truth, backward)
    assert (backward - forward).mean() < 1.0


def test_simulated_images_follow_the_model(plane, plane_weights):
    """Each image of each class as often as quadrature gives; z standard normal."""
    bits, labels, z = plane.simulate(0, 6000)
    images = all_images(8)
    number = bits @ (1 << np.arange(7, -1, -1))
    for c in range(2):
        own = labels == c
        assert own.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(6000))
        p = np.exp(quadrature(images, np.full(256, c), plane_weights, PLANE))
        expected, found = own.sum() * p, np.bincount(number[own], minlength=256)
        often = expected > 5
        chi2 = ((found - expected) ** 2 / expected)[often].sum()
        assert often.sum() > 20
        assert chi2 < stats.chi2.isf(1e-4, often.sum())
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4


def test_a_simulated_image_was_drawn_from_its_own_z(plane, plane_weights):
    bits, labels, z = plane.simulate(0, 2000)
    y = reference.one_hot(labels, 2)
    means = reference.decode(y, z, plane_weights, 1)
    spread = np.sqrt((means * (1 - means)).sum())
    assert abs((bits - means).sum()) < 4 * spread
    own = reference.log_px(bits, means).mean()
    others = reference.log_px(np.roll(bits, 1, 0), means).mean()
    assert own > others + 1.0


def test_a_result_does_not_depend_on_the_batch_that_an_image_is_in(linear, annealer):
    model, bits, labels = linear[0], linear[1][:500], linear[2][:500]
    z = model.posterior(bits, labels, seed=2)
    whole = annealer.forward(bits, labels, 0)
    back = annealer.backward(bits, labels, z, 0)
    for first, n in ((0, 1), (3, 40), (190, 230), (499, 1)):
        some = slice(first, first + n)
        found = annealer.forward(bits[some], labels[some], first)
        np.testing.assert_array_equal(found, whole[some])
        found = annealer.backward(bits[some], labels[some], z[some], first)
        np.testing.assert_array_equal(found, back[some])


def test_simulated_images_do_not_depend_on_how_many_are_asked_for(plane):
    whole = plane.simulate(0, 450)
    some = plane.simulate(190, 20)
    for array, part in zip(whole, some):
        np.testing.assert_array_equal(array[190:210], part)


def test_a_result_does_not_depend_on_the_temperatures_a_call(
    linear, annealer, monkeypatch
):
    bits, labels = linear[1][:400], linear[2][:400]
    found = []
    for span in (30, 7):
        monkeypatch.setattr(ais, "SPAN", span)
        found.append(annealer.forward(bits, labels, 0))
    np.testing.assert_allclose(*found, rtol=1e-12)  # sums in another order


def test_images_and_paths_have_random_numbers_of_their_own(annealer):
    same = np.zeros((2 * BATCH, 6), np.uint8), np.zeros(2 * BATCH, int)
    assert len(np.unique(annealer.forward(*same, first=0))) == 2 * BATCH
    with annealer._session.graph.as_default():
        slots = [annealer._key(slot) for slot in (0, 1, 2, 10**5)]
    keys = [
        tuple(key)
        for path in range(4)
        for group in (0, 1, 10**4)
        for key in annealer._session.run(slots, annealer._feed(path, group))
    ]
    assert len(set(keys)) == len(keys)
    numbers = [int(key[1]) // len(stateless.PURPOSES) for key in keys]
    (own,) = stateless.EVALUATION_NUMBERS["annealing"]
    assert own.start == min(numbers) and max(numbers) in own


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    linear, linear_annealer
):
    """From the start, so that the tuning is the same, too."""
    model, bits, labels = linear[0], linear[1][:300], linear[2][:300]
    found = linear_annealer.forward(bits, labels, 0)
    with annealer_of(model) as again:
        np.testing.assert_array_equal(again.forward(bits, labels, 0), found)
    with annealer_of(model, dataclasses.replace(model.config, seed=6)) as other:
        assert (other.forward(bits, labels, 0) != found).all()


def test_step_sizes_are_tuned_to_the_target_on_images_of_their_own(plane):
    kernel = plane.kernel
    assert plane.acceptance == pytest.approx(ais.TARGET, abs=0.1)
    bits, labels, z = plane.simulate(0, BATCH)
    plane.forward(bits, labels, 0)
    plane.backward(bits, labels, z, 0)
    assert plane.kernel is kernel, "frozen"
    assert not np.isin(plane._simulate(ais._TUNING, 0)[2], z).any()


def test_the_information_is_the_mean_square_slope_of_log_px(plane, plane_weights):
    bits, labels, z = plane._simulate(ais._TUNING, 0)
    y = reference.one_hot(labels, 2)

    def log_px(z):
        return reference.log_px(bits, reference.decode(y, z, plane_weights, 1))

    slopes = [log_px(z + d) - log_px(z - d) for d in 1e-5 * np.eye(2)]
    expected = np.square(np.array(slopes) / 2e-5).mean(1)
    np.testing.assert_allclose(plane.kernel.information, expected, rtol=1e-3)


def test_the_moves_backward_are_those_forward_in_reverse_order(
    linear, annealer, monkeypatch
):
    _, bits, labels = linear
    steps, seen = ais.Kernel.steps, []

    def spy(kernel, betas):
        seen.extend(betas)
        return steps(kernel, betas)

    monkeypatch.setattr(ais.Kernel, "steps", spy)
    betas = ais.inverse_temperatures(30)
    annealer.forward(bits[:1], labels[:1], 0)
    np.testing.assert_array_equal(seen, betas[1:])
    seen.clear()
    annealer.backward(bits[:1], labels[:1], np.zeros((1, 3), np.float32), 0)
    np.testing.assert_array_equal(seen, betas[:-1][::-1])


def test_steps_shrink_with_beta_along_dimensions_that_x_tells_about():
    steps = ais.Kernel(0.5, np.array([0.0, 3.0])).steps(np.array([0.0, 1.0]))
    np.testing.assert_allclose(steps, [[0.5, 0.5], [0.5, 0.25]])


def test_beta_rises_by_a_sigmoid_from_0_to_1():
    betas = ais.inverse_temperatures(100)
    assert len(betas) == 101 and betas[0] == 0.0 and betas[-1] == 1.0
    rise = np.diff(betas)
    assert (rise > 0).all() and rise.argmax() in (49, 50)
    np.testing.assert_allclose(rise, rise[::-1])
    logits = special.logit(betas[1:-1] * 0.9640275801 + special.expit(-4.0))
    np.testing.assert_allclose(np.diff(logits), 8.0 / 100, rtol=1e-6)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"bits": np.zeros((3, 5), np.uint8)}, "bits have shape"),
        ({"bits": np.full((3, 6), 255, np.uint8)}, "binarize"),
        ({"bits": np.full((3, 6), 0.5, np.float32)}, "binarize"),
        ({"bits": np.zeros((0, 6), np.uint8)}, "there are no bits"),
        ({"labels": np.zeros(2, int)}, "labels have shape"),
        ({"labels": np.array([0, 1, 3])}, "labels go from 0 to 3"),
        ({"labels": np.array([0, -1, 2])}, "labels go from -1"),
        ({"labels": np.zeros(3)}, "labels are of type float64"),
        ({"z": np.zeros((3, 2), np.float32)}, "z have shape"),
        ({"z": np.zeros((2, 3), np.float32)}, "3 labels and 2 rows of z"),
        ({"z": np.full((3, 3), np.nan, np.float32)}, "not finite"),
        ({"first": -1}, "the number of the first image cannot be -1"),
        ({"first": 0.5}, "the number of the first image cannot be 0.5"),
    ],
)
def test_values_that_cannot_be_are_refused(annealer, change, message):
    arguments = {
        "bits": np.zeros((3, 6), np.uint8),
        "labels": np.arange(3),
        "z": np.zeros((3, 3), np.float32),
        "first": 0,
    }
    with pytest.raises(CvaeError, match=message):
        annealer.backward(**dict(arguments, **change))
    with pytest.raises(CvaeError, match="the number of images cannot be 0"):
        annealer.simulate(0, 0)


def test_weights_of_another_architecture_or_not_finite_are_refused(
    plane_weights, monkeypatch
):
    closed, close = [], tf.Session.close

    def spy(session):
        closed.append(id(session))
        close(session)

    monkeypatch.setattr(tf.Session, "close", spy)
    other = dataclasses.replace(PLANE, hidden=(7,))
    with pytest.raises(CvaeError, match="another architecture") as caught:
        Annealer(other, plane_weights)
    assert closed, "a constructor that fails closes its session"
    diverged = dict(plane_weights)
    diverged["gen/x_logits/bias"] = np.full(8, np.nan, np.float32)
    del caught  # whose traceback had the session
    gc.collect()
    closed.clear()
    with pytest.raises(CvaeError, match="not finite") as caught:
        Annealer(PLANE, diverged)
    assert closed and caught
