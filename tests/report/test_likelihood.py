"""Sentences on bound and likelihood follow from the numbers."""

import pytest
import standin
from standin import estimate, level, measurements

from cvae.config import Config
from cvae.report import likelihood


def checked(**changes):
    """An evaluation whose likelihoods were checked."""
    return standin.evaluation(**standin.checks(**changes))


# Growth


def test_growth_is_described_for_one_two_and_more_levels():
    levels = [level(10, -82.9), level(100, -82.5, 0.4), level(5000, -82.4, 0.1)]
    measured = standin.evaluation(growth=levels[:1])
    assert "With 100 particles, the estimate" in likelihood.growth(measured)
    text = likelihood.growth(standin.evaluation())
    assert "From 10 to 100 particles" in text and "encoder" not in text
    assert "rises by 0.083\u00a0±\u00a00.005 nats (" in text
    last = estimate(-82.4, 0.21, particles=5000)
    text = likelihood.growth(
        standin.evaluation(growth=levels, log_likelihood=last),
    )
    assert "rises by 0.50 nats; the last step, from 100, contributes 0.100" in text


def test_growth_is_compared_with_that_by_the_encoders_proposal():
    text = likelihood.growth(checked())
    assert "it rises by 1.03 nats from 10 to 5,000 particles" in text


@pytest.mark.parametrize("p5, few", [(4.2, True), (40.0, False)])
def test_a_small_effective_sample_size_is_named(p5, few):
    text = likelihood.draws({"median": 300.0, "p5": p5, "particles": 5000})
    assert "a bias of 0.002 and 0.1" in text or not few  # (1 / ESS - 1 / 5,000) / 2
    assert ("a handful of draws" in text) == few
    assert ("depend on single draws" in text) != few


@pytest.mark.parametrize(
    "pairs, expected",
    [
        (0, "converged for every image and class"),
        (1, "For one pair of an image and a class, the search"),
        (23, "For 23\u00a0pairs of an image and a class, the search"),
    ],
)
def test_pairs_that_keep_the_encoders_proposal_are_counted(pairs, expected):
    assert expected in likelihood.modes({"pairs": pairs, "images": [3][:pairs]})


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
    assert expected in likelihood.generalization(measured)


def test_an_estimate_below_the_bound_is_not_called_a_gap():
    low = standin.evaluation(log_likelihood=estimate(-85.04, 0.21, particles=1))
    assert "is not above the bound" in likelihood.inference(low)
    assert "2.66 nats above the bound" in likelihood.inference(standin.evaluation())


@pytest.mark.parametrize(
    "difference, expected",
    [
        (0.02, "agree within two standard errors"),
        (0.3, "the encoder's proposal misses at least this difference"),
        (-0.3, "Laplace's proposal misses at least this difference"),
    ],
)
def test_the_proposals_are_judged_by_the_paired_difference(difference, expected):
    text = likelihood.proposals(checked(difference=difference))
    assert expected in text and "with 5,000 particles" in text
    assert "On 200\u00a0test images" in text


@pytest.mark.parametrize(
    "gap, stderr, expected",
    [
        (0.02, 0.0125, "is within two standard errors of zero"),
        (
            0.0404,
            0.0125,
            "is small: the estimate from below misses at most about 0.065",
        ),
        (0.19, 0.0125, "is large: the estimate from below may miss up to about 0.215"),
        (-0.03, 0.0125, "is negative, which the expectations exclude"),
    ],
)
def test_the_sandwich_is_judged_by_its_gap(gap, stderr, expected):
    text = likelihood.sandwich(checked(gap=gap, gap_stderr=stderr))
    assert expected in text and "On 300\u00a0images drawn from the model" in text


@pytest.mark.parametrize("lacking", [("encoder", "sandwich"), ("sandwich",)])
def test_a_run_whose_likelihoods_were_not_checked_is_named(lacking):
    measured = checked()
    assert "not checked" not in likelihood.proposals(measured)
    for name in lacking:
        del measured[name]
    assert "were not checked" in likelihood.proposals(measured)
    assert not likelihood.sandwich(measured)
    assert "encoder" not in likelihood.growth(measured)


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


@pytest.mark.parametrize(
    "difference, way", [(0.169, "0.17 nats lower"), (-0.2, "0.20 nats higher")]
)
def test_the_estimate_is_compared_with_that_of_others(difference, way):
    found = measurements(**standin.checks(difference=difference))
    text = likelihood.comparison(found)
    assert "100 particles of Laplace's proposal, where Burda et al. took 5,000" in text
    assert f"Estimated in their way, our $log p(xs given ys)$ is {way}." in text
    assert "in their way" not in likelihood.comparison(measurements())
    assert "in their way" not in likelihood.comparison(
        measurements(**standin.checks(difference=0.01))
    )
    many = measurements(marginal=estimate(-84.7, 0.2, particles=5000))
    assert "where Burda et al. took" not in likelihood.comparison(many)


def test_a_run_on_other_data_is_not_compared():
    found = measurements(config=Config(dataset="mnist-5k"))
    text = likelihood.comparison(found)
    assert "would be fair to neither" in text and "above" not in text
    assert "not comparable" in likelihood.scope(found["data"])
    assert not likelihood.scope(measurements()["data"])
