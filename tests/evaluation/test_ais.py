"""Annealed importance sampling against models whose log p(x | y) is known exactly."""

import dataclasses

import numpy as np
import pytest
import reference
import tiny
from exact import LinearGaussian, all_images, quadrature
from scipy import special, stats

from cvae.backend import stateless
from cvae.config import Config
from cvae.errors import CvaeError
from cvae.evaluation import ais
from cvae.evaluation.ais import Annealer
from cvae.storage import schema

PLANE = Config(n_classes=2, x_dim=8, z_dim=2, hidden=(6,), seed=3)
CHAINS, BATCH = 4, 200


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(ais, "CHAINS", CHAINS)
    monkeypatch.setattr(ais, "BATCH", BATCH)
    monkeypatch.setattr(ais, "TEMPERATURES", 30)
    monkeypatch.setattr(ais, "TUNING_TEMPERATURES", 10)


@pytest.fixture(scope="module")
def plane_weights():
    """Of the homework's model with z in the plane, pixels far from a coin's toss."""
    weights = tiny.random_weights(tiny.shapes(PLANE), seed=1)
    return {name: 3.0 * array for name, array in weights.items()}


@pytest.fixture
def linear(monkeypatch):
    """A linear-Gaussian model in the place of the homework's, and data for it."""
    model = LinearGaussian()
    model.put_into(monkeypatch, ais)
    random = np.random.RandomState(1)
    bits = random.randint(0, 2, (3000, 6)).astype(np.uint8)
    labels = random.randint(0, 3, 3000)
    return model, bits, labels


@pytest.fixture
def annealer(linear):
    """Of the linear-Gaussian model, with steps that reject one proposal in eight."""
    model = linear[0]
    with Annealer(model.config, {}) as annealer:
        annealer.kernel = ais.Kernel(1.0, model.information)
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
    linear, monkeypatch, temperatures, size
):
    """r = w / p(x | y) of a chain has E[r h(r)] forward = E[h(r)] backward.

    For every h, if and only if 1 / w is what a reversed chain has (Crooks 2000); with
    h(r) = 1 / (1 + r) both means have bounded terms (Bennett 1976).
    """
    model, bits, labels = linear
    monkeypatch.setattr(ais, "CHAINS", 1)
    monkeypatch.setattr(ais, "TEMPERATURES", temperatures)
    truth = model.log_likelihood(bits, labels)
    z = model.posterior(bits, labels, seed=2)
    with Annealer(model.config, {}) as annealer:
        annealer.kernel = ais.Kernel(size, model.information)
        forward = special.expit(annealer.forward(bits, labels, 0) - truth)
        backward = special.expit(truth - annealer.backward(bits, labels, z, 0))
    error = np.hypot(forward.std(), backward.std()) / np.sqrt(len(truth))
    assert error < 0.01
    assert abs(forward.mean() - backward.mean()) < 4 * error


def test_both_bounds_close_in_on_the_truth_as_temperatures_grow(
    linear, annealer, monkeypatch
):
    model, bits, labels = linear
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
    plane_weights, monkeypatch
):
    monkeypatch.setattr(ais, "TEMPERATURES", 6)
    with Annealer(PLANE, plane_weights) as annealer:
        bits, labels, z = annealer.simulate(0, 600)
        forward = annealer.forward(bits, labels, 0)
        backward = annealer.backward(bits, labels, z, 0)
    truth = quadrature(bits, labels, plane_weights, PLANE)
    assert_mean_is_one(np.exp(forward - truth))
    assert_below(forward, truth)
    assert_below(truth, backward)
    assert (backward - forward).mean() < 1.0


def test_simulated_images_follow_the_model(plane_weights):
    """Each image of each class as often as quadrature says; z standard normal."""
    with Annealer(PLANE, plane_weights) as annealer:
        bits, labels, z = annealer.simulate(0, 6000)
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


def test_a_simulated_image_was_drawn_from_its_own_z(plane_weights):
    with Annealer(PLANE, plane_weights) as annealer:
        bits, labels, z = annealer.simulate(0, 2000)
    y = reference.one_hot(labels, 2)
    means = reference.decode(y, z, plane_weights, 1)
    spread = np.sqrt((means * (1 - means)).sum())
    assert abs((bits - means).sum()) < 4 * spread
    own = reference.log_px(bits, means).mean()
    others = reference.log_px(np.roll(bits, 1, 0), means).mean()
    assert own > others + 1.0


def test_a_result_does_not_depend_on_the_batch_that_an_image_is_in(linear):
    model, bits, labels = linear
    z = model.posterior(bits, labels, seed=2)
    with Annealer(model.config, {}) as annealer:
        whole = annealer.forward(bits, labels, 0)
        back = annealer.backward(bits, labels, z, 0)
        for first, n in ((0, 1), (3, 40), (190, 230), (2999, 1)):
            some = slice(first, first + n)
            found = annealer.forward(bits[some], labels[some], first)
            np.testing.assert_array_equal(found, whole[some])
            found = annealer.backward(bits[some], labels[some], z[some], first)
            np.testing.assert_array_equal(found, back[some])
    with Annealer(model.config, {}) as again:
        np.testing.assert_array_equal(again.forward(bits, labels, 0), whole)


def test_simulated_images_do_not_depend_on_how_many_are_asked_for(plane_weights):
    with Annealer(PLANE, plane_weights) as annealer:
        whole = annealer.simulate(0, 450)
        some = annealer.simulate(190, 20)
    for array, part in zip(whole, some):
        np.testing.assert_array_equal(array[190:210], part)


def test_a_result_does_not_depend_on_the_temperatures_a_call(
    linear, annealer, monkeypatch
):
    _, bits, labels = linear
    found = []
    for span in (30, 7):
        monkeypatch.setattr(ais, "SPAN", span)
        found.append(annealer.forward(bits, labels, 0))
    np.testing.assert_allclose(*found, rtol=1e-12)  # sums in another order


def test_images_numbers_paths_and_seeds_have_draws_of_their_own(linear):
    model, bits, labels = linear
    same = np.zeros((2 * BATCH, 6), np.uint8), np.zeros(2 * BATCH, int)
    with Annealer(model.config, {}) as annealer:
        forward = annealer.forward(*same, first=0)
        with annealer._session.graph.as_default():
            slots = [annealer._key(slot) for slot in (0, 1, 2, 10**5)]
        keys = [
            tuple(key)
            for path in range(4)
            for group in (0, 1, 10**4)
            for key in annealer._session.run(
                slots, {annealer._path: path, annealer._group: group}
            )
        ]
    assert len(np.unique(forward)) == 2 * BATCH
    assert len(set(keys)) == len(keys)
    assert min(key[1] for key in keys) >= 2**40 * len(stateless.PURPOSES)
    other = dataclasses.replace(model.config, seed=6)
    with Annealer(other, {}) as annealer:
        assert (annealer.forward(*same, first=0) != forward).all()


def test_step_sizes_are_tuned_to_the_target_on_images_of_their_own(plane_weights):
    with Annealer(PLANE, plane_weights) as annealer:
        kernel = annealer.kernel
        assert annealer.acceptance == pytest.approx(ais.TARGET, abs=0.1)
        bits, labels, z = annealer.simulate(0, BATCH)
        annealer.forward(bits, labels, 0)
        annealer.backward(bits, labels, z, 0)
        assert annealer.kernel is kernel, "frozen"
        tuned_on = annealer._simulate(ais._TUNING, 0)[2]
    assert not np.isin(tuned_on, z).any()


def test_the_information_is_the_mean_square_slope_of_log_px(plane_weights):
    with Annealer(PLANE, plane_weights) as annealer:
        bits, labels, z = annealer._simulate(ais._TUNING, 0)
    y = reference.one_hot(labels, 2)

    def log_px(z):
        return reference.log_px(bits, reference.decode(y, z, plane_weights, 1))

    slopes = [log_px(z + d) - log_px(z - d) for d in 1e-5 * np.eye(2)]
    expected = np.square(np.array(slopes) / 2e-5).mean(1)
    np.testing.assert_allclose(annealer.kernel.information, expected, rtol=1e-3)


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


def test_the_summary_holds_means_errors_and_paired_differences():
    forward, importance = np.array([-3.0, -1.0]), np.array([-4.0, -1.5])
    simulated = ais.Simulated(
        np.array([-5.0, -6.0, -7.0]), np.array([-4.0, -5.5, -6.5]), np.full(3, -5.25)
    )
    found = ais.summary(0.7, forward, importance, simulated)
    schema.check(found, schema.EVALUATION["ais?"], "ais")
    assert found["images"] == 2 and found["simulated"]["images"] == 3
    assert (found["chains"], found["temperatures"]) == (CHAINS, 30)
    assert found["leapfrog_steps"] == ais.LEAPFROG_STEPS
    assert found["acceptance"] == 0.7
    assert found["log_likelihood"] == {"mean": -2.0, "stderr": 1.0}
    assert found["importance"]["mean"] == -2.75
    assert found["difference"] == {"mean": 0.75, "stderr": 0.25}
    assert found["simulated"]["forward"] == pytest.approx(
        {"mean": -6.0, "stderr": 3**-0.5}
    )
    assert found["simulated"]["backward"]["mean"] == pytest.approx(-16 / 3)
    assert found["simulated"]["gap"] == pytest.approx({"mean": 2 / 3, "stderr": 1 / 6})
    assert found["simulated"]["importance"] == {"mean": -5.25, "stderr": 0.0}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"bits": np.zeros((3, 5), np.uint8)}, "bits have shape"),
        ({"bits": np.full((3, 6), 255, np.uint8)}, "binarize"),
        ({"labels": np.zeros(2, int)}, "labels have shape"),
        ({"z": np.zeros((3, 2), np.float32)}, "z have shape"),
        ({"labels": np.array([0, 1, 3])}, "labels go from 0 to 3"),
        ({"labels": np.array([0, -1, 2])}, "labels go from -1"),
        ({"first": -1}, "from number -1"),
        ({"z": np.full((3, 3), np.nan, np.float32)}, "not finite"),
    ],
)
def test_values_that_cannot_be_are_refused(linear, change, message):
    arguments = {
        "bits": np.zeros((3, 6), np.uint8),
        "labels": np.arange(3),
        "z": np.zeros((3, 3), np.float32),
        "first": 0,
    }
    with Annealer(linear[0].config, {}) as annealer:
        with pytest.raises(CvaeError, match=message):
            annealer.backward(**dict(arguments, **change))


def test_no_images_are_refused(linear):
    with Annealer(linear[0].config, {}) as annealer:
        with pytest.raises(CvaeError, match="at least one"):
            annealer.forward(np.zeros((0, 6), np.uint8), np.zeros(0, int), 0)
        with pytest.raises(CvaeError, match="at least one"):
            annealer.simulate(0, 0)


def test_weights_of_another_architecture_or_not_finite_are_refused(plane_weights):
    with pytest.raises(CvaeError, match="another architecture"):
        Annealer(dataclasses.replace(PLANE, hidden=(7,)), plane_weights)
    diverged = dict(plane_weights)
    diverged["gen/x_logits/bias"] = np.full(8, np.nan, np.float32)
    with pytest.raises(CvaeError, match="not finite"):
        Annealer(PLANE, diverged)
