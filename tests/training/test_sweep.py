"""Runs that are trained side by side are those that are trained one by one."""

import dataclasses

import numpy as np
import pytest
import tiny
from small_sets import write_npz

from cvae.backend.workers import Workers
from cvae.errors import CvaeError
from cvae.runs.run import Member, Run
from cvae.training import loop, sweep
from cvae.training.step import Trainer

CONFIG = dataclasses.replace(tiny.CONFIG, epochs=1.0)


def members(folder, config=CONFIG):
    return [
        Member(folder / f"seed-{seed}", dataclasses.replace(config, seed=seed))
        for seed in range(2)
    ]


@pytest.mark.once  # it imports TensorFlow twice; test_workers.py has less
def test_two_at_a_time_are_the_same_bits_and_trained_once(
    data, tmp_path, capsys, monkeypatch
):
    splits = [(x.reshape(-1, 28, 28), y) for x, y in (data.train, data.test)]
    path = write_npz(tmp_path / "data.npz", *splits)
    runs = members(tmp_path, dataclasses.replace(CONFIG, dataset=str(path)))
    rows = sweep.train_with_progress(runs, None, Workers("loky", 2))
    alone = Run.create(tmp_path / "alone", runs[1].config)
    row = loop.train(alone, data)
    assert rows[1]["test_bound"] == row["test_bound"] != rows[0]["test_bound"]
    weights = alone.weights()
    for name, array in Run(runs[1].path).weights().items():
        np.testing.assert_array_equal(array, weights[name])
    assert capsys.readouterr().err.count(": bound ") == 2
    monkeypatch.delattr(Trainer, "steps")  # what is trained is not trained again
    tasks = [(run.path, run.config, None) for run in runs]
    assert [sweep._train(task) for task in tasks] == rows


def test_a_run_with_other_settings_is_one_line(mnist_dir, tmp_path):
    Run.create(tmp_path / "seed-0", tiny.CONFIG)
    with pytest.raises(CvaeError, match="seed-0 has other settings.*move it away"):
        sweep._train((tmp_path / "seed-0", members(tmp_path)[0].config, mnist_dir))


def test_the_table_has_mean_and_spread_of_each_group():
    bounds = [-90.0, -92.0, -97.0]
    rows = [{"test_bound": bound, "epoch": 4.0} for bound in bounds]
    one = [{"validation_bound": -80.5, "test_bound": 0.0, "epoch": 2.5}]
    lines = sweep.table({"quick": rows, "quick seed=1": one}).splitlines()
    assert lines[2].split() == (
        ["quick", "3", f"{np.mean(bounds):.3f}", f"{np.std(bounds, ddof=1):.3f}"]
        + ["-97.000", "-90.000", "4.0"]
    )
    assert lines[3].split()[2:] == ["1", "-80.500", "-80.500", "-80.500", "2.5"]
    assert max(map(len, lines)) <= 80
