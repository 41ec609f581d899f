"""A run becomes a report, or says in one line why it cannot."""

import json
import os
import shutil

import numpy as np
import pytest
from standin import NOTE, words

from cvae.config import Config
from cvae.data.dataset import Dataset, Split
from cvae.errors import CvaeError
from cvae.evaluation import evaluate
from cvae.report import document, figures
from cvae.runs.checkpoints import Checkpoint, State
from cvae.runs.run import Run
from cvae.storage import files

CONFIG = Config(hidden=(6,), z_dim=2, batch_size=10, epochs=1.0)


def small_split(n, seed):
    random = np.random.RandomState(seed)
    images = random.randint(0, 256, (n, 784)).astype(np.uint8)
    return Split(images, np.arange(n, dtype=np.uint8) % 10)


@pytest.fixture(scope="module")
def dataset():
    return Dataset("mnist", small_split(50, 0), small_split(30, 1), NOTE)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, dataset):
    """The directory of a run of 5 steps, evaluated."""
    from cvae.training.step import Trainer

    run = Run.create(tmp_path_factory.mktemp("runs") / "small", CONFIG)
    with Trainer(CONFIG, dataset.train) as trainer:
        state = trainer.state()
    run.save_checkpoint(Checkpoint(state, State(5, [0, 0.0, 5])))
    row = {"step": 5, "epoch": 1.0, "seconds": 1.5, "learning_rate": 1e-9}
    row.update(images_per_second=33.3, train_bound=-540.25, test_bound=-541.75)
    run.append_metrics(row)
    evaluate.evaluate_run(run, dataset, particles=2, ais=0)
    return run.path


@pytest.fixture
def run(tmp_path, evaluated):
    """A copy of that run."""
    path = tmp_path / "runs" / "small"
    shutil.copytree(str(evaluated), str(path))
    return Run(path)


def test_a_run_becomes_a_report_with_its_figures_and_numbers(run, dataset, tmp_path):
    output = tmp_path / "out"
    paths = document.build(run, output, dataset)
    names = {str(path.relative_to(output)) for path in paths}
    expected = {"figures/" + n + s for n in figures.NAMES for s in (".png", ".svg")}
    assert names == expected | {"report.pdf", "results.json"}
    assert all(path.stat().st_size > 1000 for path in paths)

    results = json.loads((output / "results.json").read_text())
    assert results["config"] == CONFIG.to_dict()
    assert results["last"]["train_bound"] == -540.25
    assert results["evaluation"] == run.evaluation()
    assert results["published"] == files.read_json(document.PUBLISHED)
    assert set(results["pictures"]) == set(figures.NAMES)
    assert (results["n_train"], results["n_test"]) == (50, 30)
    # Each layer: one weight for each pair of units, and one bias for each output.
    assert results["parameters"]["generator"] == 6 * (10 + 2 + 1) + 784 * (6 + 1)
    assert results["parameters"]["variational"] == 6 * (784 + 10 + 1) + 4 * (6 + 1)

    found = words((output / "report.pdf").read_bytes())
    assert "\u2212540.25" in found  # from the curves' SVG, as text
    assert found.count("Not the full MNIST") == 1 + len(figures.NAMES)
    log_px = "{:.2f}".format(run.evaluation()["marginal"]["mean"])
    assert log_px.replace("-", "\u2212") in found
    again = tmp_path / "again"
    document.build(run, again, dataset)
    for path in paths:
        name = path.relative_to(output)
        assert path.read_bytes() == (again / name).read_bytes(), name


def test_a_report_that_fails_leaves_the_one_before_untouched(
    run, dataset, tmp_path, monkeypatch
):
    output = tmp_path / "out"
    output.mkdir()
    (output / "report.pdf").write_text("the one before")
    (tmp_path / "broken.typ").write_text("#unheard-of()")
    monkeypatch.setattr(document, "SOURCE", tmp_path / "broken.typ")
    with pytest.raises(CvaeError, match="^typst cannot .*$"):
        document.build(run, output, dataset)
    assert os.listdir(str(output)) == ["report.pdf"]
    assert (output / "report.pdf").read_text() == "the one before"


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_run_trained_on_after_its_evaluation_is_evaluated_again(run, dataset):
    run.append_metrics({"step": 9, "epoch": 1.8, "seconds": 2.0, "train_bound": -530.0})
    with pytest.raises(CvaeError) as caught:
        document.build(run, run.path / "out", dataset)
    assert "scripts/evaluate.py --run" in one_line(caught)
    assert not (run.path / "out").exists()


def test_a_run_without_the_figures_of_each_image_is_evaluated_again(run, dataset):
    (run.path / "evaluation.npz").unlink()
    with pytest.raises(CvaeError) as caught:
        document.build(run, run.path / "out", dataset)
    assert "scripts/evaluate.py --run" in one_line(caught)
    assert not (run.path / "out").exists()


def test_a_run_evaluated_on_other_data_is_one_line(run, dataset):
    with pytest.raises(CvaeError) as caught:
        document.build(run, run.path / "out", dataset._replace(name="mnist-5k"))
    assert "is evaluated on mnist, not on mnist-5k" in one_line(caught)


def test_a_run_without_metrics_is_one_line(run, dataset):
    run.trim_metrics(0)
    with pytest.raises(CvaeError) as caught:
        document.build(run, run.path / "out", dataset)
    assert "has no metrics" in one_line(caught)
