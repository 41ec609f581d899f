"""Sentences on samples, classes and z follow from the numbers."""

import numpy as np
import pytest
import standin
from standin import estimate, measurements

from cvae.config import Config
from cvae.report import findings

CONFIG = Config().to_dict()
MNIST = standin.data()
IMAGES = standin.data("shapes", [f"shape {c}" for c in range(10)])
PUBLISHED = measurements()["published"]


def classifier(**changes):
    return dict(standin.evaluation()["classifier"], **changes)


def space(**changes):
    """Facts of a latent space; chance is 0.1135."""
    return standin.facts("latent_space", **changes)["latent_space"]


@pytest.mark.parametrize("to_train, copies", [(1.2, True), (4.9, False), (6.5, False)])
def test_samples_near_training_images_may_be_copies(to_train, copies):
    near = standin.facts("neighbours", to_train=to_train)["neighbours"]
    text = findings.copies(near)
    assert text.startswith("They may be" if copies else "They are not")
    assert f"{to_train:.2f}" in text and "6.14" in text
    assert ("because they are means" in text) == (to_train == 4.9)


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0.0097, 0.02, "This is clearly more than the 0.96"),
        (0.009, 0.0102, "This agrees with the 0.96"),
        (0.004, 0.0095, "This is clearly less than the 0.96"),
    ],
)
def test_the_error_rate_is_compared_by_its_interval(low, high, expected):
    text = findings.error_rate(MNIST, classifier(low=low, high=high), PUBLISHED)
    assert text.startswith(expected)
    assert not findings.error_rate(standin.data("mnist-5k"), {}, {})


@pytest.mark.parametrize("particles, fewer", [(100, True), (1000, False)])
def test_fewer_particles_excuse_more_errors(particles, fewer):
    worse = classifier(low=0.0097, particles=particles)
    text = findings.error_rate(MNIST, worse, PUBLISHED)
    assert ("They also used more particles" in text) == fewer


def test_the_most_frequent_confusion_is_named():
    text = findings.confusions(classifier(), MNIST)
    assert "most often, 4 is taken for 9 (23 times)" in text
    text = findings.confusions(classifier(), IMAGES)
    assert "most often, shape 4 is taken for shape 9 (23 times)" in text
    once = np.diag([9] * 10)
    once[2, 7] = 1
    text = findings.confusions(classifier(confusion=once.tolist()), MNIST)
    assert "2 is taken for 7 (once)" in text


def test_a_perfect_classifier_has_no_confusions():
    right = np.diag([100] * 10).tolist()
    text = findings.confusions(classifier(confusion=right, errors=0), MNIST)
    assert "No class is taken for another" in text and "most often" not in text


def test_active_dimensions_are_counted():
    latent = standin.evaluation()["latent"]
    text = findings.active(CONFIG, latent)
    assert "Of 40 dimensions, 33 are active; the other 7 stay" in text
    assert "All 40 dimensions are active" in findings.active(
        CONFIG, dict(latent, active=40)
    )


@pytest.mark.parametrize(
    "low, accuracy, expected",
    [(0.11, 0.12, "no sign"), (0.12, 0.16, "Part of"), (0.5, 0.52, "Much of")],
)
def test_what_z_encodes_of_the_class_follows_from_the_interval(low, accuracy, expected):
    found = space(low=low, accuracy=accuracy)
    assert expected in findings.class_in_z(found)
    assert ("carry over to the other digits" in findings.transfer(found, MNIST)) == (
        accuracy < 0.2
    )
    text = findings.gaps(found, MNIST)
    assert bool(text) == (low > 0.1135)
    assert ("need not show its digit" in text) == (accuracy > 0.2)


def test_weaknesses_are_those_of_the_run():
    text = findings.weaknesses(measurements())
    for phrase in (
        "the digit 8 costs 27.90 nats more than the digit 1",
        "3.33 nats better on training images",
        "Its encoder costs 2.66 nats",
        "leaves 7 of 40 latent dimensions unused",
        "up to 1,000 decodings for each class",
        "1.23",
        "no convolutions, and a fixed prior",
        "better by 5.56 nats",
    ):
        assert phrase in text
    good = findings.weaknesses(
        measurements(
            config=Config(network="conv"),
            train_bound=estimate(-85.1, 0.2, n_images=10000),
            log_likelihood=estimate(-85.1, 0.2, particles=1),
            latent=dict(standin.evaluation()["latent"], active=40),
            classifier=classifier(errors=0),
            marginal=estimate(-70.1, 0.2, particles=5000),
        )
    )
    assert good.count(". ") == 1 and good.endswith("variables, and a fixed prior.")
