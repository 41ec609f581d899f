"""The benchmark of models: one change each, judged by held-out images alone."""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import models

from cvae.run import Run
from cvae.trainer import Trainer


@pytest.mark.parametrize("name", sorted(models.VARIANTS))
def test_a_variant_differs_from_the_base_in_what_it_says_and_holds_images_out(name):
    variant = models.VARIANTS[name]
    found, base = models.config_of(variant).to_dict(), models.BASE.to_dict()
    assert {k: v for k, v in found.items() if v != base[k]}.keys() == set(
        variant.changes
    )
    assert found["validate"] and found["minutes"] is None
    assert (name == "base") == (not variant.changes)


def test_a_row_is_of_held_out_images_and_the_test_set_is_not_looked_at(
    mnist, tmp_path, monkeypatch
):
    base = dataclasses.replace(tiny.CONFIG, validate=True)
    monkeypatch.setattr(models, "BASE", base)
    monkeypatch.setattr(models, "PARTICLES", 3)
    dataset = tiny.dataset(mnist)._replace(test=None)
    arguments = argparse.Namespace(images=50)
    rows = {
        name: models.row(models.VARIANTS[name], tmp_path / name, dataset, arguments)
        for name in ("base", "last")
    }
    last = Run(tmp_path / "base").metrics()[-1]
    assert rows["base"]["bound"] == last["validation_bound"]
    assert rows["base"]["n_images"] == 50
    gap = rows["base"]["log_likelihood"]["mean"] - rows["base"]["marginal"]["mean"]
    assert gap < np.log(10)
    assert rows["last"]["settings"]["average"] == 0.0
    text = models.table(rows)
    gain = rows["last"]["bound"] - rows["base"]["bound"]
    assert "{:.2f} ({:+.2f})".format(rows["last"]["bound"], gain) in text
    assert text.count("| the base |") == 1

    monkeypatch.delattr(Trainer, "steps")  # what is trained is not trained again
    again = models.row(models.VARIANTS["base"], tmp_path / "base", dataset, arguments)
    assert again["bound"] == rows["base"]["bound"]
