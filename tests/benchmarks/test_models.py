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
    dataset = tiny.dataset(mnist)._replace(test=None)
    arguments = argparse.Namespace(images=50, epochs=2.0)
    rows = {
        models.key_of(name, 2.0): models.row(
            models.VARIANTS[name], tmp_path / name, dataset, arguments
        )
        for name in ("base", "last")
    }
    base, last = rows["base-2"], rows["last-2"]
    metrics = Run(tmp_path / "base").metrics()[-1]
    assert (metrics["epoch"], base["settings"]["epochs"]) == (2.0, 2.0)
    assert base["bound"] == metrics["validation_bound"]
    assert base["n_images"] == 50
    gap = base["log_likelihood"]["mean"] - base["marginal"]["mean"]
    assert gap < np.log(10)
    assert last["settings"]["average"] == 0.0
    text = models.table(dict(rows, **{"base-9": base}), 2.0)
    gain = last["bound"] - base["bound"]
    assert "{:.2f} ({:+.2f})".format(last["bound"], gain) in text
    assert text.count("| the base |") == 1

    monkeypatch.delattr(Trainer, "steps")  # what is trained is not trained again
    again = models.row(models.VARIANTS["base"], tmp_path / "base", dataset, arguments)
    assert again["bound"] == base["bound"]
