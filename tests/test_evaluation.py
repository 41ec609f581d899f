"""The evaluation's figures are means over the right images, with their errors."""

import numpy as np
import pytest
import tiny

from cvae import evaluation
from cvae import mnist as mnist_room
from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import Model
from cvae.run import AVERAGE, Checkpoint, Run

CONFIG = Config(hidden=(20,), z_dim=6)
PARTICLES = 15


@pytest.fixture(scope="module")
def data(mnist):
    return tiny.dataset(mnist, n_train=300, n_test=150)


@pytest.fixture(scope="module")
def model():
    with Model(CONFIG, tiny.random_weights(tiny.shapes(CONFIG))) as model:
        yield model


@pytest.fixture(scope="module")
def results(model, data):
    return evaluation.evaluate(model, data, PARTICLES)


def test_every_mean_and_error_is_that_of_the_test_images_fixed_bits(
    model, data, results
):
    bits, labels = mnist_room.binarize(data.test.images), data.test.labels
    bound = model.bound(bits, labels)
    likelihood = model.log_likelihood(bits, labels, PARTICLES)
    for name, values in (
        ("bound", bound.total),
        ("reconstruction", bound.reconstruction),
        ("kl", bound.kl),
        ("kl_sampled", bound.kl_sampled),
        ("log_likelihood", likelihood),
    ):
        values = values.astype(np.float64)
        assert results[name]["mean"] == pytest.approx(values.sum() / 150)
        squares = ((values - values.mean()) ** 2).sum() / 149
        assert results[name]["stderr"] == pytest.approx(np.sqrt(squares / 150))
    assert results["log_likelihood"]["particles"] == PARTICLES
    assert results["n_images"] == 150


def test_the_class_rows_add_up_to_the_whole(data, results):
    rows = results["per_class"]
    assert [row["class"] for row in rows] == list(range(10))
    counts = np.bincount(data.test.labels, minlength=10)
    assert [row["n"] for row in rows] == list(counts)
    for name in ("bound", "reconstruction", "kl", "log_likelihood"):
        whole = sum(row["n"] * row[name] for row in rows) / 150
        assert whole == pytest.approx(results[name]["mean"])


def test_the_training_bound_is_over_as_many_training_images(model, data, results):
    images, labels = data.train.images[:150], data.train.labels[:150]
    expected = model.bound(mnist_room.binarize(images), labels).total.mean()
    assert results["train_bound"]["mean"] == pytest.approx(float(expected))
    assert results["train_bound"]["n_images"] == 150


def test_progress_hears_of_every_image(model, data):
    heard = []
    evaluation.evaluate(model, data, 2, heard.append)
    assert sum(heard) == 150


def test_the_table_shows_every_mean(results):
    text = evaluation.table(results)
    for name in ("bound", "reconstruction", "kl", "log_likelihood", "train_bound"):
        assert "{:.3f}".format(results[name]["mean"]) in text
    for row in results["per_class"]:
        assert "{:.3f}".format(row["bound"]) in text


def test_a_runs_evaluation_is_written_and_named_after_its_data(data, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    weights = tiny.random_weights(tiny.shapes(CONFIG))
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, {"step": 1, "plan": [0, 0.0, 1]}))
    noted = data._replace(name="mnist-5k", note="a small subset")
    results = evaluation.evaluate_run(run, noted, 3)
    assert run.evaluation() == results and results["step"] == 1
    assert results["dataset"] == "mnist-5k" and results["note"] == "a small subset"
    assert "a small subset" in evaluation.table(results)


def test_a_diverged_run_is_one_line_and_leaves_no_evaluation(data, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    weights = tiny.random_weights(tiny.shapes(CONFIG))
    arrays = {n + AVERAGE: w * np.float32(1e30) for n, w in weights.items()}
    state = {"step": 1, "plan": [0, 0.0, 1]}
    run.save_checkpoint(Checkpoint(arrays, state))
    with pytest.raises(CvaeError, match="training diverged.*--learning-rate"):
        evaluation.evaluate_run(run, data, 3)
    assert not (run.path / "evaluation.json").exists()


def test_data_of_other_classes_is_refused_and_the_old_evaluation_kept(data, tmp_path):
    run = Run.create(tmp_path / "run", Config(n_classes=4))
    before = run.write_evaluation({"bound": 1.0}).read_bytes()
    with pytest.raises(CvaeError, match="classes"):
        evaluation.evaluate_run(run, data, 3)
    assert (run.path / "evaluation.json").read_bytes() == before
