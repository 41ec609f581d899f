"""Samples of a run as files: the grid and the arrays, whole, the same again."""

import json

import numpy as np
import pytest
import standin
import tiny
from drawings import words

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import generate
from cvae.inference.trained import Model
from cvae.report.samples import SampleOptions, write_samples
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CONFIG = Config(hidden=(20,), z_dim=6)


@pytest.fixture
def run(tmp_path):
    weights = tiny.random_weights(tiny.shapes(CONFIG))
    run = Run.create(tmp_path / "run", CONFIG)
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(1, [0, 0.0, 1])))
    return run


def test_grid_and_arrays_are_written_and_hold_the_samples(run, tmp_path):
    grid, arrays = write_samples(
        run, tmp_path / "deep" / "grid.png", [1, 8], 3, SampleOptions(seed=4)
    )
    assert grid.read_bytes().startswith(b"\x89PNG")
    with np.load(str(arrays), allow_pickle=False) as archive:
        with Model(CONFIG, run.weights()) as model:
            expected = generate.samples(model, [1, 8], 3, seed=4)
        np.testing.assert_array_equal(archive["x"], expected)
        assert list(archive["y"]) == [1, 8] and archive["seed"] == 4


def test_binary_samples_are_bits(run, tmp_path):
    _, arrays = write_samples(
        run, tmp_path / "grid.png", None, 2, SampleOptions(binary=True)
    )
    with np.load(str(arrays), allow_pickle=False) as archive:
        assert archive["x"].shape == (10, 2, 784)
        assert set(np.unique(archive["x"])) == {0, 1}


@pytest.mark.parametrize("classes", [[10], [-1], [3, 11]])
def test_an_unknown_class_is_one_line_and_nothing_is_written(run, tmp_path, classes):
    with pytest.raises(CvaeError, match="choose from 0 to 9"):
        write_samples(run, tmp_path / "grid.png", classes, 2, SampleOptions())
    assert not (tmp_path / "grid.png").exists()


def test_rows_are_labelled_with_the_names_of_the_classes(run, tmp_path):
    (tmp_path / "run" / "dataset.json").write_text(
        json.dumps(standin.data("shapes", [f"shape {c}" for c in range(10)]))
    )
    write_samples(run, tmp_path / "grid.svg", [7, 2], 3, SampleOptions())
    assert words(tmp_path / "grid.svg") == ["shape 7", "shape 2"]


def test_samples_are_the_same_files_again(run, tmp_path):
    paths = [
        write_samples(run, tmp_path / name, [5], 2, SampleOptions())
        for name in ("a.png", "b.png")
    ]
    for one, other in zip(*paths):
        assert one.read_bytes() == other.read_bytes()
