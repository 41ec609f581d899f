"""A run's evaluation: the right images, resumed to the same bits, or one clear line."""

import json
import signal
from pathlib import Path

import evaluate_tiny
import forks
import numpy as np
import pytest
import tiny

from cvae.config import Config
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.errors import CvaeError
from cvae.evaluation import ais, evaluate, partial, tables
from cvae.inference.importance import decisive_particles
from cvae.inference.trained import Model
from cvae.report import pipeline
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CONFIG = Config(hidden=(20,), z_dim=6)
PARTICLES = 130
N_AIS = 4
FILES = ("evaluation.json", "evaluation.npz")


@pytest.fixture(scope="module")
def data(mnist_dir):
    return evaluate_tiny.dataset(mnist_dir)


def new_run(folder, config=CONFIG, scale=1.0, step=1):
    """A run with one checkpoint of random weights."""
    run = Run.create(folder / "run", config)
    weights = tiny.random_weights(tiny.shapes(config))
    arrays = {name + AVERAGE: np.float32(scale) * w for name, w in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(step, [0, 0.0, step])))
    return run


@pytest.fixture(scope="module")
def short_ais():
    """Annealing of a second."""
    with pytest.MonkeyPatch().context() as patch:
        for name, value in evaluate_tiny.SHORT_AIS.items():
            patch.setattr(ais, name, value)
        yield


@pytest.fixture(scope="module")
def evaluated(data, tmp_path_factory, short_ais):
    """A run that was evaluated without interruption, and what came of it."""
    run = new_run(tmp_path_factory.mktemp("whole"))
    return run, evaluate.evaluate_run(run, data, PARTICLES, N_AIS)


def test_what_is_returned_is_what_is_written(evaluated):
    run, results = evaluated
    assert run.evaluation() == results
    assert results["step"] == 1 and results["n_images"] == evaluate_tiny.N_IMAGES
    assert not run.partial_path.exists()


def test_the_figures_are_those_of_the_test_images_fixed_bits(data, evaluated):
    run, results = evaluated
    bits, labels = binarize(data.test.images), data.test.labels
    with Model(run.config, run.weights()) as model:
        bound = model.bound(bits, labels)
        own = model.log_likelihood(bits, labels, PARTICLES)
        train = model.bound(binarize(data.train.images[:35]), *_train(data))
    arrays = run.evaluation_arrays()
    for name in ("reconstruction", "kl_sampled", "kl"):
        np.testing.assert_array_equal(arrays[name], getattr(bound, name))
    np.testing.assert_array_equal(arrays["bound"], bound.total)
    np.testing.assert_allclose(arrays["log_likelihood"], own, rtol=0, atol=1e-4)
    for name in ("bound", "log_likelihood", "marginal"):
        assert results[name]["mean"] == arrays[name].mean()
    expected = float(train.total.astype(np.float64).mean())
    assert results["train_bound"]["mean"] == pytest.approx(expected)
    assert results["bits_seed"] == TEST_BITS_SEED


def _train(data):
    return [data.train.labels[:35]]


def test_annealing_stands_beside_importance_sampling_of_the_same_images(evaluated):
    run, results = evaluated
    found, arrays = results["ais"], run.evaluation_arrays()
    assert found["images"] == found["simulated"]["images"] == N_AIS
    own = arrays["log_likelihood"][:N_AIS]
    assert found["importance"]["mean"] == pytest.approx(own.mean())
    gap = found["log_likelihood"]["mean"] - own.mean()
    assert found["difference"]["mean"] == pytest.approx(gap)
    simulated = found["simulated"]
    ends = simulated["backward"]["mean"] - simulated["forward"]["mean"]
    assert simulated["gap"]["mean"] == pytest.approx(ends)


def test_the_first_images_have_the_figures_they_have_among_all(data, evaluated):
    run, _ = evaluated
    bits, labels = binarize(data.test.images), data.test.labels
    first = [(i, bits[i], int(labels[i]), range(10)) for i in range(7)]
    with Model(run.config, run.weights()) as model:
        found = [e.decisive for e in model.estimates(first, PARTICLES)]
    whole = run.evaluation_arrays()["log_likelihoods"]
    np.testing.assert_array_equal(np.stack(found), whole[:7])


def strike(run, mnist_dir, number, count):
    """Evaluate in a process that a signal strikes: its status and what it said."""
    arguments = [run.path, mnist_dir, PARTICLES, N_AIS, int(number), count]
    program = Path(evaluate_tiny.__file__)
    status, _, err = forks.run(program, *arguments, mnist_dir=mnist_dir)
    return status, err


@pytest.mark.parametrize(
    "number, status, count",
    [
        (signal.SIGKILL, -9, 2),
        (signal.SIGINT, 130, 3),
        (signal.SIGTERM, 143, 5),
    ],
)
def test_killed_and_called_again_it_ends_with_the_bits_of_the_undisturbed_one(
    data, mnist_dir, tmp_path, evaluated, monkeypatch, number, status, count
):
    """Struck within importance sampling, and after half of the annealing."""
    run = new_run(tmp_path)
    found, err = strike(run, mnist_dir, number, count)
    assert found == status and "Traceback" not in err
    assert run.partial_path.exists() and not (run.path / FILES[0]).exists()
    asked, estimates = [], Model.estimates

    def spy(self, images, particles):
        asked.append([image[0] for image in images])
        return estimates(self, images, particles)

    monkeypatch.setattr(Model, "estimates", spy)
    evaluate.evaluate_run(run, data, PARTICLES, N_AIS)
    first = min(10 * count, evaluate_tiny.N_IMAGES)
    assert asked[0] == list(range(first, evaluate_tiny.N_IMAGES))
    assert not run.partial_path.exists()
    for name in FILES:
        assert (run.path / name).read_bytes() == (evaluated[0].path / name).read_bytes()


def interrupted(run, data, monkeypatch, particles=20):
    """Leave the partial state of an evaluation that was interrupted."""
    add = partial.Partial.add

    def stop(self, stage, rows):
        add(self, stage, rows)
        raise KeyboardInterrupt()

    with monkeypatch.context() as patch:
        patch.setattr(partial.Partial, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate.evaluate_run(run, data, particles, 0)
    assert run.partial_path.exists()


def test_a_partial_state_of_other_settings_is_replaced(data, tmp_path, monkeypatch):
    runs = [new_run(tmp_path / name) for name in ("a", "b")]
    interrupted(runs[0], data, monkeypatch, particles=20)
    found = [evaluate.evaluate_run(run, data, 30, 0) for run in runs]
    assert found[0] == found[1]
    assert not runs[0].partial_path.exists()


def test_a_partial_state_of_another_checkpoint_is_replaced(data, tmp_path, monkeypatch):
    run, other = new_run(tmp_path / "a"), new_run(tmp_path / "b", scale=0.5, step=2)
    interrupted(run, data, monkeypatch)
    run.save_checkpoint(other.load_checkpoint())
    assert evaluate.evaluate_run(run, data, 20, 0) == evaluate.evaluate_run(
        other, data, 20, 0
    )


def test_a_damaged_partial_state_is_one_line_and_nothing_is_lost(
    data, tmp_path, monkeypatch
):
    run = new_run(tmp_path)
    evaluate.evaluate_run(run, data, 5, 0)
    interrupted(run, data, monkeypatch)
    damaged = run.partial_path.read_bytes()[:-9]
    run.partial_path.write_bytes(damaged)
    before = {path: path.read_bytes() for path in run.path.glob("evaluation*")}
    with pytest.raises(CvaeError, match="damaged.*delete it") as caught:
        evaluate.evaluate_run(run, data, 20, 0)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in run.path.glob("evaluation*")}


def test_the_report_keeps_an_evaluation_that_is_good_enough(data, tmp_path):
    run = new_run(tmp_path)
    assert not pipeline._is_evaluated(run, data, 5)
    evaluate.evaluate_run(run, data, 5, 0)
    assert pipeline._is_evaluated(run, data, 5)
    assert not pipeline._is_evaluated(run, data, 6)
    assert not pipeline._is_evaluated(run, data._replace(name="mnist-5k"), 5)
    (run.path / "evaluation.npz").write_bytes(b"damaged")
    assert not pipeline._is_evaluated(run, data, 5)
    evaluate.evaluate_run(run, data, 5, 0)
    run.save_checkpoint(new_run(tmp_path / "later", step=2).load_checkpoint())
    assert not pipeline._is_evaluated(run, data, 5)


def test_a_diverged_run_is_one_line_and_leaves_no_evaluation(data, tmp_path):
    run = new_run(tmp_path, scale=1e30)
    with pytest.raises(CvaeError, match="training diverged.*--learning-rate"):
        evaluate.evaluate_run(run, data, 3, 0)
    assert not list(run.path.glob("evaluation*"))


def test_data_of_other_classes_is_refused_and_the_old_evaluation_kept(data, tmp_path):
    run = Run.create(tmp_path / "run", Config(n_classes=4))
    run.write_evaluation({"bound": 1.0})
    before = (run.path / "evaluation.json").read_bytes()
    with pytest.raises(CvaeError, match="classes"):
        evaluate.evaluate_run(run, data, 3, 0)
    assert (run.path / "evaluation.json").read_bytes() == before


def test_a_run_without_checkpoint_is_one_line(data, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(CvaeError, match="no checkpoint yet"):
        evaluate.evaluate_run(run, data, 3, 0)


def test_the_table_shows_what_was_found_within_eighty_columns(evaluated):
    _, results = evaluated
    text = tables.evaluation_table(dict(results, note="a small subset"))
    assert max(map(len, text.splitlines())) <= 80 and text.encode("ascii")
    assert text.startswith("a small subset")
    shown = [
        *(results[k]["mean"] for k in ("bound", "kl", "marginal", "train_bound")),
        *(row["log_likelihood"]["mean"] for row in results["growth"]),
        results["classifier"]["log_loss"]["mean"],
        results["ais"]["log_likelihood"]["mean"],
        results["ais"]["simulated"]["backward"]["mean"],
        *(row["marginal"] for row in results["per_class"]),
    ]
    for value in shown:
        assert f"{value:.3f}" in text
    assert "{} errors".format(results["classifier"]["errors"]) in text
    decided = f"decided by {decisive_particles(PARTICLES):,} particles"
    assert decided in text
    without = {k: v for k, v in results.items() if k != "ais"}
    assert "AIS" in text and "AIS" not in tables.evaluation_table(without)


def test_the_json_of_an_evaluation_has_no_number_that_json_lacks(evaluated):
    text = (evaluated[0].path / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
