"""A run's evaluation: the right images, resumed to the same bits, or one clear line."""

import contextlib
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
from cvae.data.dataset import Split
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
N_IMAGES = evaluate_tiny.N_IMAGES


def partials(run):
    return sorted(path.name for path in run.path.glob("*partial*"))


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
def one_model():
    """A `Model` in whose place an evaluation of this process builds none."""
    with Model(CONFIG, tiny.random_weights(tiny.shapes(CONFIG))) as model:
        yield model


@pytest.fixture(autouse=True)
def no_graph_twice(one_model, monkeypatch):
    @contextlib.contextmanager
    def loaded(config, weights):
        assert config == CONFIG
        one_model.load(weights)
        yield one_model

    monkeypatch.setattr(evaluate, "Model", loaded)


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
    assert results["step"] == 1 and results["n_images"] == N_IMAGES
    assert not partials(run)


def test_the_figures_are_those_of_the_test_images_fixed_bits(
    data, evaluated, one_model
):
    run, results = evaluated
    one_model.load(run.weights())
    bits, labels = binarize(data.test.images), data.test.labels
    bound = one_model.bound(bits, labels)
    own = one_model.log_likelihood(bits, labels, PARTICLES)
    first = Split(*(part[:N_IMAGES] for part in data.train))
    train = one_model.bound(binarize(first.images), first.labels)
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


def test_the_first_images_have_the_figures_they_have_among_all(
    data, evaluated, one_model
):
    run, _ = evaluated
    bits, labels = binarize(data.test.images), data.test.labels
    first = [(i, bits[i], int(labels[i]), range(10)) for i in range(7)]
    one_model.load(run.weights())
    found = [e.decisive for e in one_model.estimates(first, PARTICLES)]
    whole = run.evaluation_arrays()["log_likelihoods"]
    np.testing.assert_array_equal(np.stack(found), whole[:7])


def strike(run, mnist_dir, n_ais, number, count):
    """Evaluate in a process that a signal strikes: its status and what it printed."""
    arguments = [run.path, mnist_dir, PARTICLES, n_ais, int(number), count]
    program = Path(evaluate_tiny.__file__)
    status, _, err = forks.run(program, *arguments, mnist_dir=mnist_dir)
    return status, err


@pytest.mark.parametrize(
    "number, status, n_ais, count",
    [
        (signal.SIGKILL, -9, 0, 2),
        (signal.SIGINT, 130, 0, 9),
        (signal.SIGTERM, 143, N_AIS, N_IMAGES + 1),
    ],
)
def test_killed_and_called_again_it_ends_with_the_bits_of_the_undisturbed_one(
    data, mnist_dir, tmp_path, evaluated, monkeypatch, number, status, n_ais, count
):
    """Struck twice within importance sampling, and after half of the annealing."""
    run = new_run(tmp_path)
    found, err = strike(run, mnist_dir, n_ais, number, count)
    assert found == status and "Traceback" not in err
    assert len(partials(run)) == 1 and not (run.path / FILES[0]).exists()
    asked, estimates = [], Model.estimates

    def spy(self, images, particles):
        asked.append([image[0] for image in images])
        return estimates(self, images, particles)

    monkeypatch.setattr(Model, "estimates", spy)
    results = evaluate.evaluate_run(run, data, PARTICLES, n_ais)
    assert asked[0] == list(range(min(count, N_IMAGES), N_IMAGES))
    assert not partials(run)
    whole, undisturbed = evaluated
    if not n_ais:
        undisturbed = {k: v for k, v in undisturbed.items() if k != "ais"}
    assert results == run.evaluation() == undisturbed
    assert (run.path / FILES[1]).read_bytes() == (whole.path / FILES[1]).read_bytes()


def interrupted(run, data, monkeypatch, particles=3, after=1):
    """Leave the rows of an evaluation that was interrupted `after` so many images."""
    add = partial.Partial.add

    def stop(self, stage, rows):
        add(self, stage, rows)
        if len(self.rows(stage)) == after:
            raise KeyboardInterrupt()

    with monkeypatch.context() as patch:
        patch.setattr(partial.Partial, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate.evaluate_run(run, data, particles, 0)


def images_asked_for(monkeypatch):
    """The number of images of each call to `Model.estimates` from now on."""
    asked, estimates = [], Model.estimates

    def spy(self, images, particles):
        asked.append(len(images))
        return estimates(self, images, particles)

    monkeypatch.setattr(Model, "estimates", spy)
    return asked


def test_evaluations_of_other_settings_keep_each_others_rows(
    data, tmp_path, monkeypatch, capsys
):
    run, undisturbed = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    interrupted(run, data, monkeypatch, particles=3, after=5)
    (three,) = partials(run)
    assert three.startswith("evaluation-partial-step-1-particles-3-ais-0-")
    capsys.readouterr()
    interrupted(run, data, monkeypatch, particles=4, after=7)
    out, err = capsys.readouterr()
    assert not out and err.splitlines() == [
        f"note: {run.path} keeps what interrupted evaluations with other settings "
        f"have computed: {three}"
    ]
    asked = images_asked_for(monkeypatch)
    for particles, done in ((3, 5), (4, 7)):
        found = evaluate.evaluate_run(run, data, particles, 0)
        assert asked.pop() == N_IMAGES - done
        assert found == evaluate.evaluate_run(undisturbed, data, particles, 0)
        assert asked.pop() == N_IMAGES
    assert not partials(run)


def test_rows_of_another_checkpoint_are_not_used_and_deleted_in_the_end(
    data, tmp_path, monkeypatch
):
    run, other = new_run(tmp_path / "a"), new_run(tmp_path / "b", scale=0.5, step=2)
    interrupted(run, data, monkeypatch)
    run.save_checkpoint(other.load_checkpoint())
    assert evaluate.evaluate_run(run, data, 3, 0) == evaluate.evaluate_run(
        other, data, 3, 0
    )
    assert not partials(run)


def test_a_damaged_partial_state_is_one_line_and_nothing_is_lost(
    data, tmp_path, monkeypatch
):
    run = new_run(tmp_path)
    evaluate.evaluate_run(run, data, 2, 0)
    interrupted(run, data, monkeypatch)
    (name,) = partials(run)
    (run.path / name).write_bytes((run.path / name).read_bytes()[:-9])
    before = {path: path.read_bytes() for path in run.path.glob("evaluation*")}
    with pytest.raises(CvaeError, match="damaged.*delete it") as caught:
        evaluate.evaluate_run(run, data, 3, 0)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in run.path.glob("evaluation*")}


def test_results_that_cannot_be_written_lose_no_row(data, tmp_path, monkeypatch):
    run = new_run(tmp_path)

    def full(*unused):
        raise CvaeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_evaluation", full)
        with pytest.raises(CvaeError, match="the disk is full"):
            evaluate.evaluate_run(run, data, 3, 0)
    asked = images_asked_for(monkeypatch)
    evaluate.evaluate_run(run, data, 3, 0)
    assert asked == [0] and not partials(run)


def test_a_run_that_is_trained_on_meanwhile_is_evaluated_as_it_was_with_a_warning(
    data, tmp_path, monkeypatch, capsys
):
    run, as_it_was = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    later, estimates = (
        new_run(tmp_path / "c", step=7).load_checkpoint(),
        Model.estimates,
    )

    def train_on(self, images, particles):
        run.save_checkpoint(later)
        return estimates(self, images, particles)

    with monkeypatch.context() as patch:
        patch.setattr(Model, "estimates", train_on)
        found = evaluate.evaluate_run(run, data, 3, 0)
    out, err = capsys.readouterr()
    assert not out and err.splitlines() == [
        f"warning: {run.path} was trained on from step 1 to 7 during its evaluation, "
        "which is of step 1; evaluate again: `python scripts/evaluate.py --run "
        f"{run.path}`"
    ]
    assert found == evaluate.evaluate_run(as_it_was, data, 3, 0)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name, value", [("particles", 0), ("particles", 1.5)])
@pytest.mark.parametrize("more", [{}, {"ais": -1}, {"ais": 10**9}, {"ais": True}])
def test_arguments_out_of_range_are_one_line(data, tmp_path, name, value, more):
    run = new_run(tmp_path)
    arguments = dict({"particles": 3, "ais": 0}, **more or {name: value})
    wrong = "ais" if more else name
    with pytest.raises(CvaeError, match=f"^{wrong} cannot be .*whole number from"):
        evaluate.evaluate_run(run, data, **arguments)
    assert not list(run.path.glob("evaluation*"))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x, y: (x[:0], y[:0]), "there are no test images"),
        (lambda x, y: (x / np.float32(255), y), "test images are of type float32"),
        (lambda x, y: (x // 255, y), "test images go from 0 to 1"),
        (lambda x, y: (x[:, :64], y), "images of 64 pixels, x_dim is 784"),
        (lambda x, y: (x, y[:-1]), "test labels have shape"),
        (lambda x, y: (x, y.astype(int) - 1), "test labels go from -1"),
        (lambda x, y: (x, y + 10), "has 20 classes, n_classes is 10"),
    ],
)
def test_data_that_cannot_be_is_one_line(data, tmp_path, change, message):
    run = new_run(tmp_path)
    test = Split(*change(*data.test))
    with pytest.raises(CvaeError, match=message):
        evaluate.evaluate_run(run, data._replace(test=test), 3, 0)
    assert not list(run.path.glob("evaluation*"))


def test_the_report_keeps_an_evaluation_that_is_good_enough(data, tmp_path):
    run = new_run(tmp_path)
    assert not pipeline._is_evaluated(run, data, 5)
    evaluate.evaluate_run(run, data, 5, 0)
    assert pipeline._is_evaluated(run, data, 5)
    assert not pipeline._is_evaluated(run, data, 6)
    assert not pipeline._is_evaluated(run, data._replace(name="mnist-5k"), 5)
    arrays = (run.path / "evaluation.npz").read_bytes()
    (run.path / "evaluation.npz").write_bytes(b"damaged")
    assert not pipeline._is_evaluated(run, data, 5)
    (run.path / "evaluation.npz").write_bytes(arrays)
    assert pipeline._is_evaluated(run, data, 5)
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
    assert f"{results['classifier']['errors']} errors" in text
    decided = f"decided by {decisive_particles(PARTICLES):,} particles"
    assert decided in text
    without = {k: v for k, v in results.items() if k != "ais"}
    assert "AIS" in text and "AIS" not in tables.evaluation_table(without)


def test_the_json_of_an_evaluation_has_no_number_that_json_lacks(evaluated):
    text = (evaluated[0].path / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
