"""The report's text follows from results.json, whatever the run measured."""

import copy
import dataclasses
import re

import pytest
import standin
from standin import NOTE, SOURCES, estimate, level, typeset, words

from cvae import files, report
from cvae.config import Config

ROOT = report.SOURCE.parent.parent


@pytest.fixture(scope="module")
def text(drawn):
    """The words of a report with all there can be."""
    return words(typeset(drawn, standin.results(ais=standin.annealed())))


def told(drawn, **changes):
    """The words of a report with other measurements."""
    return words(typeset(drawn, standin.results(**changes)))


# The numbers


@pytest.mark.parametrize(
    "number",
    [
        "\u221285.03 \u00b1 0.21",  # the test bound
        "\u221282.37 \u00b1 0.21",  # log p(x|y)
        "\u221284.66 \u00b1 0.21",  # log p(x)
        "\u221281.70 \u00b1 0.21",  # the bound on training images
        "5,000 particles puts",
        "24.61",
        "24.62",
        "\u221260.41",
        "60,000 training images",
        "16,407 steps in 9.7 minutes",
        "70.0 passes",
        "862,384 and 885,680 weights",
        "1,748,064",  # their sum, in the table beside the published models
        "3.33 \u00b1 0.30",  # generalization gap, its errors added in quadrature
        "2.66 nats above the bound",
        "0.077 nats a pixel",
        "\u22122.303",  # log 1/10
        "from 10 to 5,000",
        "rises by 1.02",
        "contributes 0.110 \u00b1 0.005 nats",
        "median 63.9 and the 5th percentile 4.2 among 5,000 weights",
        "a bias of 0.008 and 0.118 nats",  # (1 / ESS - 1 / 5,000) / 2
        "by more than 20 nats",
        "123 go to a wrong class",
        "error rate of 1.23",
        "from 1.03 to 1.47",
        "is 0.047 \u00b1 0.003 nats",
        "it is 4 for 9, 23 times",
        "Of 40 dimensions, 33 are; the other 7",
        "right in 16.3",
        "15.6 to 17.0",
        "chance is 11.4",
        "median of 1,000 samples is 4.87",
        "6.14",
        "16 chains an image, 2,000 temperatures, and 10 leapfrog steps",
        "On 500 test images",
        "difference of 0.022 \u00b1 0.020 nats",
        "\u221280.93 \u00b1 0.93 and the backward ones \u221280.89 \u00b1 0.93",
        "to 0.045 \u00b1 0.005 nats",
    ],
)
def test_the_text_has_the_numbers_of_the_results(text, number):
    assert number in text


def test_the_table_of_classes_has_every_class(text):
    for row in standin.evaluation()["per_class"]:
        for key in ("bound", "reconstruction", "kl", "log_likelihood", "marginal"):
            assert "{:.1f}".format(row[key]).replace("-", "\u2212") in text
    assert "Errors 7 9 11 13 15 17 19 21 23 25" in text
    assert "The easiest class is the digit 1 (\u221280.00)" in text
    assert "the hardest the digit 8 (\u2212107.90)" in text


def test_every_setting_is_in_the_table_with_its_value_and_meaning(drawn, text):
    config = Config(epochs=None, validate=True, learning_rate=3e-4, hidden=(50, 60, 70))
    for field in dataclasses.fields(Config):
        assert field.name in text
        assert field.metadata["help"].replace("`", "").replace("'", "\u2019") in text
    assert "batch_size 256 images in a step" in text
    changed = told(drawn, config=config)
    for row in (
        "hidden 50, 60, 70",
        "epochs none",
        "validate yes",
        "learning_rate 0.0003",
        "hidden layers of 50, 60 and 70 units",  # the encoder
        "hidden layers of 70, 60 and 50 units",  # the decoder
    ):
        assert row in changed


def test_convolutional_networks_are_described_with_their_sizes(drawn, text):
    config = Config(network="conv", hidden=(300,), channels=(16, 24), blocks=2)
    changed = told(drawn, config=config)
    for phrase in (
        "2 times, by convolutions of stride 2 to 16 feature maps of 14 \u00d7 14 and "
        "24 feature maps of 7 \u00d7 7",
        "2 residual blocks follow",
        "a hidden layer of 300 units",
        "Perez et al., 2018",
    ):
        assert phrase in changed
        assert phrase not in text
    assert "fully connected" in text and "no convolutions" in text
    assert "fully connected" not in changed and "no convolutions" not in changed
    assert "the log-odds of their pixels" in text
    assert "the log-odds of their pixels" not in changed


@pytest.mark.parametrize(
    "changes, phrase",
    [
        ({"warmup": 700}, "Over the first 700 steps the rate rises"),
        ({"weight_decay": 0.07}, "by 0.07𝜂𝑡 of themselves"),
        ({"optimizer": "muon"}, "Muon makes the momentum"),
        ({"iwae_share": 0.3, "iwae_particles": 7}, "In the last 30 % of the steps"),
        ({"film": True}, "the class scales and shifts each unit (Perez et al., 2018)"),
        ({"film": True, "network": "conv"}, "which the class scales and shifts as"),
    ],
)
def test_what_else_was_done_is_said_where_it_was(drawn, text, changes, phrase):
    assert phrase in told(drawn, config=Config(**changes))
    assert phrase not in text


def test_no_decimal_is_typed_in_the_sources_but_lengths_and_thresholds():
    assert len(SOURCES) == 3
    for source in SOURCES:
        source = re.sub(r"//.*|arXiv:[\d.]+", "", source)
        source = re.sub(r"\d+(\.\d+)?(pt|em|mm|fr|%)", "", source)
        typed = set(re.findall(r"\d+\.\d+", source))
        assert typed <= {"0.02", "0.03", "0.1", "0.5", "0.99", "1.0", "1.1", "2.0"}


def other(value):
    """`value` with every measured number in it another one."""
    if isinstance(value, dict):
        kept = ("class", "image", "predicted", "explained")
        return {k: v if k in kept else other(v) for k, v in value.items()}
    if isinstance(value, list):
        return [other(item) for item in value]
    return value * 1.173 if isinstance(value, float) else value


def test_another_run_leaves_no_number_of_this_one_in_the_text(drawn, text):
    """Of those with two decimals, so that none is the same by chance."""
    this = standin.results(ais=standin.annealed())
    that = copy.deepcopy(this)
    for part in ("evaluation", "pictures", "last"):
        that[part] = other(this[part])
    changed = words(typeset(drawn, that))
    published = {abs(row["value"]) for row in this["published"].values()}
    shown = set(re.findall(r"(?<![\d.])\d\d\.\d\d(?!\d)", text.lines))
    shown -= {"{:.2f}".format(value) for value in published}
    assert len(shown) > 10 and not [n for n in shown if n in changed.lines]


# What others published


def test_every_published_figure_has_a_source_and_all_the_table_says_of_it():
    published = files.read_json(report.PUBLISHED)
    assert len(published) >= 6
    for key, row in published.items():
        assert re.search(r"arXiv:\d{4}\.\d{4,5}|github\.com/", row["source"]), key
        assert row["quantity"] in ("log p(x)", "log p(x|y)", "error rate"), key
        assert row["work"] in "\n".join(SOURCES)
        for name in ("model", "value", "binarization", "differs"):
            assert row[name], key
        assert {"particles", "parameters"} < set(row)


def test_every_published_figure_is_in_the_table(text):
    for row in files.read_json(report.PUBLISHED).values():
        value = row["value"]
        shown = "{:.2f}".format(100 * value if 0 < value < 1 else value)
        assert shown.replace("-", "\u2212") in text
        assert row["differs"] in text and row["model"] in text


def test_only_log_px_is_compared_with_models_that_know_no_classes(drawn):
    high = estimate(-70.1, 0.2, particles=5000)
    found = told(drawn, log_likelihood=high)
    assert "our \u221284.66 \u00b1 0.21 is above VAE (k = 1) at \u221286.76" in found
    assert "within two standard errors of IWAE (k = 50) at \u221284.78" in found
    assert "and below IWAE (k = 50, two layers)" in found and "at \u221282.90" in found
    assert "is ahead by 5.56 nats" in found
    found = told(drawn, marginal=high)
    assert "is above VAE" in found and "IAF at \u221279.10. That is" in found
    assert "and below" not in found and "is ahead" not in found


@pytest.mark.parametrize(
    "low, high, verdict",
    [(0.0097, 0.02, 0), (0.009, 0.0102, 1), (0.004, 0.0095, 2)],
)
def test_the_error_rate_is_compared_by_its_interval(drawn, low, high, verdict):
    classifier = dict(standin.evaluation()["classifier"], low=low, high=high)
    found = told(drawn, classifier=classifier)
    verdicts = "clearly more than the 0.96", "That agrees with", "clearly less than"
    assert [said in found for said in verdicts] == [n == verdict for n in range(3)]


@pytest.mark.parametrize("particles, more", [(5000, False), (10000, True)])
def test_what_decides_close_calls_is_said_where_it_is_more(drawn, particles, more):
    """Than the 5,000 particles of the likelihoods."""
    classifier = dict(standin.evaluation()["classifier"], particles=particles)
    found = told(drawn, classifier=classifier)
    said = "estimated once more, from 10,000 particles, and Bayes\u2019 rule decides"
    assert (said in found) == more
    assert "10 times {:,} decodings".format(particles) in found


def test_a_run_on_other_data_is_not_compared(drawn):
    config = Config(dataset="mnist-5k")
    found = told(drawn, config=config, note=NOTE)
    assert "This run is not on the whole of MNIST, and not comparable" in found
    for verdict in ("is above", "and below", "is ahead", "clearly", "That agrees"):
        assert verdict not in found


# Verdicts


@pytest.mark.parametrize(
    "train_mean, verdict",
    [(-81.7, 0), (-84.5, 1), (-85.6, 1), (-89.0, 2)],  # each with an error of 0.30
)
def test_the_verdict_on_overfitting_follows_from_the_numbers(
    drawn, train_mean, verdict
):
    found = told(drawn, train_bound=estimate(train_mean, 0.21, n_images=10000))
    verdicts = "nats says that", "no sign of overfitting", "easier ones, by 3.97"
    assert [said in found for said in verdicts] == [n == verdict for n in range(3)]


def test_an_estimate_below_the_bound_is_not_called_a_gap(drawn):
    found = told(drawn, log_likelihood=estimate(-85.04, 0.21, particles=1))
    assert "does not rise above the bound" in found and "nats above" not in found


def test_the_bias_that_is_left_follows_from_gains_that_fall_as_a_power(drawn):
    """With a bias of 2 k^(-1/2): after 1,000 particles, 0.063 nats are missing."""
    bias = [2 * k**-0.5 for k in (10, 100, 1000)]
    levels = [
        level(10, -80 - bias[0]),
        level(100, -80 - bias[1], bias[0] - bias[1]),
        level(1000, -80 - bias[2], bias[1] - bias[2]),
    ]
    found = told(
        drawn,
        growth=levels,
        log_likelihood=estimate(-80 - bias[2], 0.2, particles=1000),
    )
    assert "\u22120.50, some 0.06 nats are still missing" in found


@pytest.mark.parametrize("particles", [[2], [10, 100], [10, 100, 1000]])
def test_few_particles_or_gains_that_do_not_fall_are_not_extrapolated(drawn, particles):
    levels = [level(particles[0], -84.0)]
    levels += [level(k, -83.0, 0.3 + 0.1 * n) for n, k in enumerate(particles[1:])]
    found = told(drawn, growth=levels)
    assert "still missing" not in found


@pytest.mark.parametrize("p5, verdict", [(4.2, True), (40.0, False)])
def test_a_small_effective_sample_size_is_said_to_be_one(drawn, p5, verdict):
    found = told(drawn, ess={"median": 300.0, "p5": p5, "particles": 5000})
    assert ("carried by a handful of draws" in found) == verdict


@pytest.mark.parametrize(
    "mean, verdict", [(0.02, 0), (0.3, 1), (-0.3, 2)]
)  # with an error of 0.0196
def test_the_verdict_on_annealing_follows_from_the_numbers(drawn, mean, verdict):
    found = told(drawn, ais=standin.annealed(mean))
    verdicts = (
        "agree within the error",
        "importance sampling misses at least that much",
        "annealing, not the encoder, is the poorer proposal",
    )
    assert [said in found for said in verdicts] == [n == verdict for n in range(3)]


@pytest.mark.parametrize(
    "importance, verdict",
    [(-80.9, "between the two"), (-81.5, "0.568 below"), (-80.1, "0.787 above")],
)
def test_importance_sampling_is_set_against_the_bracket(drawn, importance, verdict):
    found = told(drawn, ais=standin.annealed(importance=importance))
    assert verdict in found


def test_a_run_without_annealing_says_so(drawn):
    found = told(drawn)
    assert "annealed importance sampling" in found and "was not run" in found
    assert "A second opinion" not in found and "leapfrog" not in found


@pytest.mark.parametrize("low, knows", [(0.12, True), (0.11, False)])
def test_whether_z_knows_the_class_follows_from_the_interval(drawn, low, knows):
    facts = copy.deepcopy(standin.FACTS)
    facts["latent_space"]["low"] = low
    found = told(drawn, facts=facts)
    assert ("A little of the class is thus left" in found) == knows
    assert ("thus no sign that" in found) != knows


@pytest.mark.parametrize("distance, copies", [(1.2, True), (4.9, False)])
def test_whether_samples_are_copies_follows_from_their_distance(
    drawn, distance, copies
):
    facts = copy.deepcopy(standin.FACTS)
    facts["neighbours"]["to_train"] = distance
    found = told(drawn, facts=facts)
    assert ("They may be" in found) == copies and ("They are not" in found) != copies


def test_a_perfect_classifier_has_no_confusion_to_tell_of(drawn):
    right = [[100 if a == b else 0 for b in range(10)] for a in range(10)]
    classifier = dict(standin.evaluation()["classifier"], confusion=right, errors=0)
    found = told(drawn, classifier=classifier)
    assert "No class is taken for another" in found and "most often" not in found


def test_a_run_cut_short_by_its_time_says_so(drawn, text):
    results = standin.results()
    results["last"]["epoch"] = 41.5
    found = words(typeset(drawn, results))
    assert "70.0 passes that were asked for did not fit" in found
    assert "did not fit" not in text


def test_the_code_that_the_report_shows_is_the_code_that_ran():
    shown = re.findall(r"```py (.+?)```", report.SOURCE.read_text(encoding="utf-8"))
    assert len(shown) >= 9
    shipped = "".join(
        (ROOT / "cvae" / name).read_text(encoding="utf-8")
        for name in ("model.py", "trainer.py")
    )
    for line in shown:
        assert line in standin.Words(shipped)
