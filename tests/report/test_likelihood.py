"""Sentences on bound and likelihood follow from the numbers."""

import pytest
import standin
from standin import estimate, level, measurements

from cvae.config import Config
from cvae.report import likelihood


def falling(power, particles=(10, 100, 1000)):
    """The growth of an estimate with the bias 2 k^-power."""
    bias = [2 * k**-power for k in particles]
    gains = [None, bias[0] - bias[1], bias[1] - bias[2]]
    return [level(k, -80 - b, g) for k, b, g in zip(particles, bias, gains)]


def flat(*particles):
    """The growth of an estimate whose gains do not fall."""
    return [level(k, -83.0, 0.3 + 0.1 * n) for n, k in enumerate(particles)]


# Growth


@pytest.mark.parametrize("power", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("particles", [(10, 100, 1000), (100, 1000, 5000)])
def test_a_bias_that_falls_as_a_power_is_extrapolated_exactly(power, particles):
    bias = likelihood.remaining_bias(falling(power, particles))
    assert bias.power == pytest.approx(power)
    assert bias.nats == pytest.approx(2 * particles[-1] ** -power)


@pytest.mark.parametrize(
    "levels", [flat(2), flat(10, 100), flat(10, 100, 1000), falling(0.01)]
)
def test_few_levels_or_gains_that_do_not_fall_are_not_extrapolated(levels):
    assert likelihood.remaining_bias(levels) is None


def test_growth_is_described_for_one_two_and_more_levels():
    measured = standin.evaluation(growth=flat(5000))
    assert "With 5,000 particles, the estimate" in likelihood.growth(measured)
    measured = standin.evaluation(growth=flat(10, 5000))
    assert "From 10 to 5,000 particles" in likelihood.growth(measured)
    assert "rises by 0.400\u00a0±\u00a00.005 nats (" in likelihood.growth(measured)
    text = likelihood.growth(standin.evaluation())
    assert "rises by 1.02 nats; the last step, from 1,000, contributes 0.110" in text
    assert "still missing" in text
    measured = standin.evaluation(growth=falling(0.5))
    text = likelihood.growth(measured)
    assert "$k^(-0.50)$, about 0.06 nats are still missing" in text


@pytest.mark.parametrize("p5, few", [(4.2, True), (40.0, False)])
def test_a_small_effective_sample_size_is_named(p5, few):
    text = likelihood.draws({"median": 300.0, "p5": p5, "particles": 5000})
    assert "a bias of 0.002 and 0.1" in text or not few  # (1 / ESS - 1 / 5,000) / 2
    assert ("a handful of draws" in text) == few
    assert ("depend on single draws" in text) != few


# Verdicts


@pytest.mark.parametrize(
    "train, expected",
    [
        (-81.7, "The gap of 3.33\u00a0±\u00a00.30 nats shows that the model fits"),
        (-84.5, "no sign of overfitting"),
        (-85.6, "no sign of overfitting"),
        (-89.0, "The test images are even easier, by 3.97 nats"),
    ],
)
def test_overfitting_is_judged_by_twice_the_error_of_the_gap(train, expected):
    measured = standin.evaluation(train_bound=estimate(train, 0.21, n_images=10000))
    texts = (
        [
            likelihood.generalization(measured),
            likelihood.generalization(
                standin.evaluation(train_bound=measured["bound"])
            ),
        ]
        if False
        else [likelihood.generalization(measured)]
    )
    assert expected in texts[0]


def test_an_estimate_below_the_bound_is_not_called_a_gap():
    low = standin.evaluation(log_likelihood=estimate(-85.04, 0.21, particles=1))
    assert "is not above the bound" in likelihood.inference(low)
    assert "2.66 nats above the bound" in likelihood.inference(standin.evaluation())


@pytest.mark.parametrize("ais", [None, standin.annealed()])
def test_a_run_without_annealing_is_named(ais):
    measured = standin.evaluation(**({"ais": ais} if ais else {}))
    assert ("was not run" in likelihood.inference(measured)) == (ais is None)
    assert bool(likelihood.annealing(ais)) == (ais is not None)


@pytest.mark.parametrize(
    "mean, expected",
    [
        (0.02, "agree within two standard errors"),
        (0.3, "importance sampling misses at least this difference"),
        (-0.3, "the encoder is a better proposal than annealing"),
    ],
)
def test_annealing_is_judged_by_the_paired_difference(mean, expected):
    assert expected in likelihood.annealing(standin.annealed(mean, 0.0196))


@pytest.mark.parametrize(
    "importance, expected",
    [
        (-80.9, "between the two"),
        (-81.5, "0.568 nats below the forward chains"),
        (-80.1, "0.787 nats above the backward chains"),
    ],
)
def test_importance_sampling_is_compared_with_both_ends(importance, expected):
    assert expected in likelihood.annealing(standin.annealed(importance=importance))


@pytest.mark.parametrize("sampled, how", [(24.62, "agrees to"), (25.9, "differs by")])
def test_the_sampled_divergence_is_compared_with_the_closed_form(sampled, how):
    measured = standin.evaluation(kl_sampled=estimate(sampled, 0.06))
    assert how in likelihood.divergences(measured)


# Published values


def test_published_values_are_above_near_and_below():
    text = likelihood.comparison(measurements())
    assert (
        "our \u221284.66\u00a0±\u00a00.21 is above VAE (k = 1) at \u221286.76" in text
    )
    assert "within two standard errors of IWAE (k = 50) at \u221284.78" in text
    assert "and below IWAE (k = 50, two layers) at \u221282.90" in text
    high = measurements(marginal=estimate(-70.1, 0.2, particles=5000))
    text = likelihood.comparison(high)
    assert "IAF at \u221279.10. The models" in text and "below" not in text


def test_fewer_particles_than_others_used_are_named():
    few = measurements(marginal=estimate(-84.7, 0.2, particles=100))
    assert "fewer particles" in likelihood.comparison(few)
    assert "fewer particles" not in likelihood.comparison(measurements())


def test_a_run_on_other_data_is_not_compared():
    found = measurements(config=Config(dataset="mnist-5k"))
    text = likelihood.comparison(found)
    assert "would be fair to neither" in text and "above" not in text
    assert "not comparable" in likelihood.scope(found["config"])
    assert not likelihood.scope(measurements()["config"])
