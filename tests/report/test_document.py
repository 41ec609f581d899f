"""The report's text follows from results.json, whatever the run measured.

Reading a PDF takes a second, so that a few runs have all there is to tell apart.
"""

import copy
import dataclasses
import functools
import re

import pytest
import standin
from standin import NOTE, SOURCES, estimate, level, typeset, words

from cvae.config import Config
from cvae.report import document
from cvae.storage import files

ROOT = document.SOURCE.parent.parent


def flat(*particles):
    """The growth of an estimate whose gains do not fall."""
    later = enumerate(particles[1:])
    return [level(particles[0], -84.0)] + [
        level(k, -83.0, 0.3 + 0.1 * n) for n, k in later
    ]


def falling():
    """A growth with a bias of 2 k^(-1/2): after 1,000 particles, of 0.063 nats."""
    bias = [2 * k**-0.5 for k in (10, 100, 1000)]
    return [
        level(10, -80 - bias[0]),
        level(100, -80 - bias[1], bias[0] - bias[1]),
        level(1000, -80 - bias[2], bias[1] - bias[2]),
    ]


def classifier(**changes):
    return dict(standin.evaluation()["classifier"], **changes)


def facts(low, to_train):
    """What pictures measured, with these of the latent space and of neighbours."""
    found = copy.deepcopy(standin.FACTS)
    found["latent_space"]["low"] = low
    found["neighbours"]["to_train"] = to_train
    return found


HIGH = estimate(-70.1, 0.2, particles=5000)
RIGHT = [[100 if a == b else 0 for b in range(10)] for a in range(10)]

# The standard error of train_bound - bound is 0.30, that of annealing's difference
# 0.0196, and chance in the latent space is 0.1135.
RUNS = {
    "first": dict(
        train_bound=estimate(-81.7, 0.21, n_images=10000),
        log_likelihood=HIGH,
        growth=flat(2),
        ess={"median": 300.0, "p5": 4.2, "particles": 5000},
        classifier=classifier(low=0.0097, high=0.02),
        ais=standin.annealed(0.02, importance=-80.9),
        facts=facts(low=0.12, to_train=1.2),
    ),
    "second": dict(
        train_bound=estimate(-84.5, 0.21, n_images=10000),
        marginal=HIGH,
        growth=flat(10, 100),
        ess={"median": 300.0, "p5": 40.0, "particles": 5000},
        classifier=classifier(low=0.009, high=0.0102, particles=10000),
        ais=standin.annealed(0.3, importance=-81.5),
        facts=facts(low=0.11, to_train=4.9),
    ),
    "third": dict(
        train_bound=estimate(-85.6, 0.21, n_images=10000),
        log_likelihood=estimate(-85.04, 0.21, particles=1),
        growth=flat(10, 100, 1000),
        classifier=classifier(low=0.004, high=0.0095, confusion=RIGHT, errors=0),
        ais=standin.annealed(-0.3, importance=-80.1),
    ),
    "fourth": dict(
        train_bound=estimate(-89.0, 0.21, n_images=10000),
        log_likelihood=estimate(-80 - 2 * 1000**-0.5, 0.2, particles=1000),
        growth=falling(),
    ),
    "dense": dict(
        config=Config(
            epochs=None,
            validate=True,
            learning_rate=3e-4,
            hidden=(50, 60, 70),
            warmup=700,
            weight_decay=0.07,
            film=True,
        )
    ),
    "conv": dict(
        config=Config(
            network="conv",
            hidden=(300,),
            channels=(16, 24),
            blocks=2,
            optimizer="muon",
            iwae_share=0.3,
            iwae_particles=7,
        )
    ),
    "elsewhere": dict(
        config=Config(dataset="mnist-5k", network="conv", film=True), note=NOTE
    ),
}


@pytest.fixture(scope="module")
def text(drawn):
    """The words of a report with all there can be."""
    return words(typeset(drawn, standin.results(ais=standin.annealed())))


@pytest.fixture(scope="module")
def told(drawn):
    """A function that returns the words of the report on one of `RUNS`, by name."""

    @functools.lru_cache(maxsize=None)
    def told(name):
        found = standin.results(**RUNS[name])
        if name == "fourth":
            found["last"]["epoch"] = 41.5
        return words(typeset(drawn, found))

    return told


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
            assert f"{row[key]:.1f}".replace("-", "\u2212") in text
    assert "Errors 7 9 11 13 15 17 19 21 23 25" in text
    assert "The easiest class is the digit 1 (\u221280.00)" in text
    assert "the hardest the digit 8 (\u2212107.90)" in text


def test_every_setting_is_in_the_table_with_its_value_and_meaning(told, text):
    for field in dataclasses.fields(Config):
        assert field.name in text
        assert field.metadata["help"].replace("`", "").replace("'", "\u2019") in text
    assert "batch_size 256 images in a step" in text
    changed = told("dense")
    for row in (
        "hidden 50, 60, 70",
        "epochs none",
        "validate yes",
        "learning_rate 0.0003",
        "hidden layers of 50, 60 and 70 units",  # the encoder
        "hidden layers of 70, 60 and 50 units",  # the decoder
    ):
        assert row in changed


def test_convolutional_networks_are_described_with_their_sizes(told, text):
    changed = told("conv")
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
    "run, phrase",
    [
        ("dense", "Over the first 700 steps the rate rises"),
        ("dense", "by 0.07𝜂𝑡 of themselves"),
        ("dense", "the class scales and shifts each unit (Perez et al., 2018)"),
        ("conv", "Muon makes the momentum"),
        ("conv", "In the last 30 % of the steps"),
        ("elsewhere", "which the class scales and shifts as"),
    ],
)
def test_what_else_was_done_is_said_where_it_was(told, text, run, phrase):
    for name in ("dense", "conv", "elsewhere"):
        assert (phrase in told(name)) == (name == run)
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
    shown -= {f"{value:.2f}" for value in published}
    assert len(shown) > 10 and not [n for n in shown if n in changed.lines]


# What others published


def test_every_published_figure_has_a_source_and_all_the_table_says_of_it():
    published = files.read_json(document.PUBLISHED)
    assert len(published) >= 6
    for key, row in published.items():
        assert re.search(r"arXiv:\d{4}\.\d{4,5}|github\.com/", row["source"]), key
        assert row["quantity"] in ("log p(x)", "log p(x|y)", "error rate"), key
        assert row["work"] in "\n".join(SOURCES)
        for name in ("model", "value", "binarization", "differs"):
            assert row[name], key
        assert {"particles", "parameters"} < set(row)


def test_every_published_figure_is_in_the_table(text):
    for row in files.read_json(document.PUBLISHED).values():
        value = row["value"]
        shown = f"{100 * value if 0 < value < 1 else value:.2f}"
        assert shown.replace("-", "\u2212") in text
        assert row["differs"] in text and row["model"] in text


def test_only_log_px_is_compared_with_models_that_know_no_classes(told):
    found = told("first")  # with a high log p(x | y)
    assert "our \u221284.66 \u00b1 0.21 is above VAE (k = 1) at \u221286.76" in found
    assert "within two standard errors of IWAE (k = 50) at \u221284.78" in found
    assert "and below IWAE (k = 50, two layers)" in found and "at \u221282.90" in found
    assert "is ahead by 5.56 nats" in found
    found = told("second")  # with a high log p(x)
    assert "is above VAE" in found and "IAF at \u221279.10. That is" in found
    assert "and below" not in found and "is ahead" not in found


@pytest.mark.parametrize("run, verdict", [("first", 0), ("second", 1), ("third", 2)])
def test_the_error_rate_is_compared_by_its_interval(told, run, verdict):
    verdicts = "clearly more than the 0.96", "That agrees with", "clearly less than"
    assert [said in told(run) for said in verdicts] == [n == verdict for n in range(3)]


@pytest.mark.parametrize(
    "run, particles, more", [("first", 5000, False), ("second", 10000, True)]
)
def test_what_decides_close_calls_is_said_where_it_is_more(told, run, particles, more):
    """Than the 5,000 particles of the likelihoods."""
    said = "estimated once more, from 10,000 particles, and Bayes\u2019 rule decides"
    assert (said in told(run)) == more
    assert f"10 times {particles:,} decodings" in told(run)


def test_a_run_on_other_data_is_not_compared(told):
    found = told("elsewhere")
    assert "This run is not on the whole of MNIST, and not comparable" in found
    for verdict in ("is above", "and below", "is ahead", "clearly", "That agrees"):
        assert verdict not in found


# Verdicts


@pytest.mark.parametrize(
    "run, verdict", [("first", 0), ("second", 1), ("third", 1), ("fourth", 2)]
)
def test_the_verdict_on_overfitting_follows_from_the_numbers(told, run, verdict):
    verdicts = "nats says that", "no sign of overfitting", "easier ones, by 3.97"
    assert [said in told(run) for said in verdicts] == [n == verdict for n in range(3)]


def test_an_estimate_below_the_bound_is_not_called_a_gap(told):
    found = told("third")
    assert "does not rise above the bound" in found and "nats above" not in found


def test_the_bias_that_is_left_follows_from_gains_that_fall_as_a_power(told):
    assert "\u22120.50, some 0.06 nats are still missing" in told("fourth")


@pytest.mark.parametrize("run", ["first", "second", "third"])
def test_few_particles_or_gains_that_do_not_fall_are_not_extrapolated(told, run):
    assert "still missing" not in told(run)


@pytest.mark.parametrize("run, verdict", [("first", True), ("second", False)])
def test_a_small_effective_sample_size_is_said_to_be_one(told, run, verdict):
    assert ("carried by a handful of draws" in told(run)) == verdict


@pytest.mark.parametrize("run, verdict", [("first", 0), ("second", 1), ("third", 2)])
def test_the_verdict_on_annealing_follows_from_the_numbers(told, run, verdict):
    verdicts = (
        "agree within the error",
        "importance sampling misses at least that much",
        "annealing, not the encoder, is the poorer proposal",
    )
    assert [said in told(run) for said in verdicts] == [n == verdict for n in range(3)]


@pytest.mark.parametrize("run, verdict", [("first", 0), ("second", 1), ("third", 2)])
def test_importance_sampling_is_set_against_the_bracket(told, run, verdict):
    verdicts = "0.93, between the two", "0.568 below", "0.787 above"
    assert [said in told(run) for said in verdicts] == [n == verdict for n in range(3)]


def test_a_run_without_annealing_says_so(told):
    found = told("fourth")
    assert "annealed importance sampling" in found and "was not run" in found
    assert "A second opinion" not in found and "leapfrog" not in found


@pytest.mark.parametrize("run, knows", [("first", True), ("second", False)])
def test_whether_z_knows_the_class_follows_from_the_interval(told, run, knows):
    assert ("A little of the class is thus left" in told(run)) == knows
    assert ("thus no sign that" in told(run)) != knows


@pytest.mark.parametrize("run, copies", [("first", True), ("second", False)])
def test_whether_samples_are_copies_follows_from_their_distance(told, run, copies):
    assert ("They may be" in told(run)) == copies
    assert ("They are not" in told(run)) != copies


def test_a_perfect_classifier_has_no_confusion_to_tell_of(told):
    found = told("third")
    assert "No class is taken for another" in found and "most often" not in found


def test_a_run_cut_short_by_its_time_says_so(told, text):
    assert "70.0 passes that were asked for did not fit" in told("fourth")
    assert "did not fit" not in text


def test_the_code_that_the_report_shows_is_the_code_that_ran():
    shown = re.findall(r"```py (.+?)```", document.SOURCE.read_text(encoding="utf-8"))
    assert len(shown) >= 9
    shipped = "".join(
        (ROOT / "cvae" / name).read_text(encoding="utf-8")
        for name in ("model.py", "training/step.py")
    )
    for line in shown:
        assert line in standin.Words(shipped)
