"""The benchmark of models: one change each, judged by held-out images alone."""

import argparse
import dataclasses
import sys

import numpy as np
import pytest
import tiny
from paths import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import models

from cvae.data.dataset import Split
from cvae.runs.run import Run
from cvae.training.step import Trainer


@pytest.mark.parametrize("name", sorted(models.VARIANTS))
def test_a_variant_differs_from_the_base_in_what_it_says_and_holds_images_out(name):
    variant = models.VARIANTS[name]
    found, base = models.config_of(variant, 16.0).to_dict(), models.BASE.to_dict()
    assert {k: v for k, v in found.items() if v != base[k]}.keys() == set(
        variant.changes
    )
    assert found["validate"] and found["minutes"] is None
    assert (name == "base") == (not variant.changes)
    half = models.config_of(variant, 8.0).to_dict()
    assert half == dict(found, epochs=found["epochs"] / 2.0)


def test_a_row_is_of_held_out_images_and_the_test_set_is_not_looked_at(
    mnist, tmp_path, monkeypatch
):
    small = dataclasses.replace(tiny.CONFIG, validate=True)
    monkeypatch.setattr(models, "BASE", small)
    monkeypatch.setattr(models, "PARTICLES", 3)
    nothing = Split(np.full((1, 784), 255, np.uint8), np.zeros(1, np.uint8))
    dataset = tiny.dataset(mnist)._replace(test=nothing)
    arguments = argparse.Namespace(images=10, epochs=2.0)
    last = models.VARIANTS["last"]
    found = models.row(last, tmp_path / "last", dataset, arguments)
    metrics = Run(tmp_path / "last").metrics()[-1]
    assert (metrics["epoch"], found["settings"]["epochs"]) == (2.0, 2.0)
    assert found["settings"]["average"] == 0.0
    assert found["bound"] == metrics["validation_bound"]
    assert found["n_images"] == 10 and "test_bound" not in metrics
    gap = found["log_likelihood"]["mean"] - found["marginal"]["mean"]
    assert gap < np.log(10)

    monkeypatch.delattr(Trainer, "steps")  # what is trained is not trained again
    again = models.row(last, tmp_path / "last", dataset, arguments)
    assert again["bound"] == found["bound"]


def test_the_table_has_what_a_variant_is_beyond_the_base():
    estimate = {"mean": -90.0, "stderr": 0.3, "particles": 3}
    base = {"text": "the base", "settings": {"epochs": 2.0}, "minutes": 0.1}
    base.update(bound=-95.5, train_bound=-94.0, error_rate=0.25, n_images=50)
    base.update(log_likelihood=estimate, marginal=estimate)
    last = dict(base, text="the last weights", bound=-96.75)
    rows = {"base-2": base, "last-2": last, "base-9": base}
    text = models.table(rows, 2.0)
    assert "| the last weights | 2 | 0.1 | -94.00 (+0.00) | -96.75 (-1.25) |" in text
    assert text.count("| the base | 2 | 0.1 | -94.00 | -95.50 | -90.00 |") == 1
