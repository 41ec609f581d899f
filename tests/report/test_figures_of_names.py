"""A run's figures of many classes with names, and of images that are not digits."""

import dataclasses

import drawings
import evaluated_runs
import numpy as np
import pytest
import tiny
from drawings import cells, words
from evaluated_runs import STEP, evaluated

from cvae.data.dataset import Dataset, Split
from cvae.report import figures


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """An evaluated run on 8 x 8 images of 26 classes with names: (run, data set)."""
    n_classes, random = 26, np.random.RandomState(3)
    splits = [
        Split(
            random.randint(0, 256, (n, 64)).astype(np.uint8),
            np.arange(n) % n_classes,
        )
        for n in (130, 60)
    ]
    names = tuple(f"<b> ${c}$" for c in range(n_classes))
    data = Dataset("shapes", *splits, classes=names)
    config = dataclasses.replace(tiny.CONFIG, n_classes=n_classes, x_dim=64)
    weights = tiny.random_weights(tiny.shapes(config))
    run = evaluated_runs.trained(
        tmp_path_factory.mktemp("runs") / "named", config, weights
    )
    run.keep_data(data)
    mistakes = [{"image": 3, "class": 3, "predicted": 25, "log_odds": 9.0}]
    counts = np.diag(np.bincount(splits[1].labels))
    evaluation = {
        "dataset": "shapes",
        "n_images": 60,
        "step": STEP,
        "classifier": {"confusion": counts.tolist(), "mistakes": mistakes},
    }
    return evaluated(run, evaluation, np.linspace(-9, -5, 60)), data


def test_many_named_classes_are_drawn_and_those_that_are_chosen_are_labelled(
    named, tmp_path
):
    run, data = named
    names = ["samples", "reconstructions", "transfer", "interpolations", "extremes"]
    names += ["mistakes", "confusion", "latent_space", "neighbours"]
    facts = figures.draw(run, data, tmp_path, names, [".svg"])
    chosen = [data.classes[c] for c in (0, 3, 6, 8, 11, 14, 17, 19, 22, 25)]
    for name in ("transfer", "extremes", "neighbours"):
        told = words(tmp_path / f"{name}.svg")
        assert [text for text in told if text in data.classes][:10] == chosen
    told = words(tmp_path / "samples.svg")
    assert sorted(told) == sorted(map(str, range(26)))  # two blocks: no room for names
    assert facts["neighbours"]["samples"] == 26 * 2  # as many as there are test images
    for name in ("samples", "transfer", "extremes", "mistakes", "confusion"):
        drawings.assert_words_are_apart(tmp_path / f"{name}.svg")


def test_the_number_of_samples_in_a_report_is_that_of_the_figure(named, tmp_path):
    run, data = named
    n = figures.per_class(data.classes, range(26))
    assert figures.per_class([str(c) for c in range(10)], range(10)) == 10
    figures.draw(run, data, tmp_path, ["samples"], [".png"])
    assert len(cells(tmp_path / "samples.png", 13, 2 * n)[0]) == 2 * n < 20
