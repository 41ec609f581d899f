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
from cvae.evaluation import evaluate, partial, sandwich, tables
from cvae.inference import estimates, laplace
from cvae.inference.trained import Model
from cvae.report import pipeline
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CONFIG = Config(hidden=(20,), z_dim=6)
PARTICLES = 130
CHECKS = 5  # a block and a part of one
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


def instead_of_a_model(one_model):
    @contextlib.contextmanager
    def loaded(config, weights):
        assert config == CONFIG
        one_model.load(weights)
        yield one_model

    return loaded


@pytest.fixture(autouse=True)
def no_graph_twice(one_model, monkeypatch):
    monkeypatch.setattr(evaluate, "Model", instead_of_a_model(one_model))


@pytest.fixture(scope="module", autouse=True)
def short():
    with pytest.MonkeyPatch().context() as patch:
        for module, name, value in evaluate_tiny.SHORT:
            patch.setattr(module, name, value)
        yield


@pytest.fixture(scope="module")
def evaluated(data, tmp_path_factory, short, one_model):
    """A run that was evaluated without interruption, and what came of it."""
    run = new_run(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(evaluate, "Model", instead_of_a_model(one_model))
        return run, evaluate.evaluate_run(run, data, PARTICLES, CHECKS)


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
    np.testing.assert_allclose(arrays["log_likelihood"], own, rtol=0, atol=1e-3)
    for name in ("bound", "log_likelihood", "marginal"):
        assert results[name]["mean"] == arrays[name].mean()
    expected = float(train.total.astype(np.float64).mean())
    assert results["train_bound"]["mean"] == pytest.approx(expected)
    assert results["bits_seed"] == TEST_BITS_SEED


def test_the_encoders_proposal_stands_beside_laplaces_on_the_same_images(
    data, evaluated, one_model
):
    run, results = evaluated
    one_model.load(run.weights())
    found, arrays = results["encoder"], run.evaluation_arrays()
    bits, labels = binarize(data.test.images)[:CHECKS], data.test.labels[:CHECKS]
    encoder = estimates.of_own_class(one_model, bits, labels, 40, by_encoder=True)
    assert found["images"] == CHECKS
    assert [row["particles"] for row in found["growth"]] == [10, 40]
    for row, expected in zip(found["growth"], encoder.log_likelihoods):
        assert row["log_likelihood"]["mean"] == pytest.approx(expected.mean(), abs=1e-3)
    np.testing.assert_allclose(arrays["encoder_ess"], encoder.ess, rtol=1e-3)
    own = arrays["log_likelihood"][:CHECKS]
    assert found["laplace"]["mean"] == pytest.approx(own.mean())
    gap = (own - encoder.log_likelihoods[-1]).mean()
    assert found["difference"]["mean"] == pytest.approx(gap, abs=1e-3)


def test_the_sandwich_is_of_as_many_simulated_images(evaluated, one_model):
    run, results = evaluated
    one_model.load(run.weights())
    found = results["sandwich"]
    expected = sandwich.of_block(one_model, 0, CHECKS, lambda: None)
    assert (found["images"], found["particles"], found["steps"]) == (CHECKS, 40, 20)
    for name in ("below", "above"):
        mean = getattr(expected, name).mean()
        assert found[name]["mean"] == pytest.approx(mean, abs=1e-3)
    gap = found["above"]["mean"] - found["below"]["mean"]
    assert found["gap"]["mean"] == pytest.approx(gap)
    assert 0 < found["acceptance"] <= 1


def test_images_whose_mode_is_not_found_are_counted_and_named(
    data, tmp_path, monkeypatch
):
    monkeypatch.setattr(laplace, "MAX_STEPS", laplace.MIN_STEPS - 1)
    run = new_run(tmp_path)
    found = evaluate.evaluate_run(run, data, 3, 0)["fallback"]
    assert found["images"] == list(range(N_IMAGES)) and found["pairs"] >= N_IMAGES
    assert run.evaluation()["fallback"] == found


def test_a_latent_vector_that_is_too_long_is_a_note_and_the_encoder_proposes(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(laplace, "MAX_DIM", 5)
    found = evaluate.evaluate_run(new_run(tmp_path), data, 3, 0)
    assert found["fallback"]["images"] == list(range(N_IMAGES))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "note: the Laplace proposal is for a z_dim up to 5, not for 6"
    )


def test_the_first_images_have_the_figures_they_have_among_all(
    data, evaluated, one_model
):
    run, _ = evaluated
    bits, labels = binarize(data.test.images), data.test.labels
    one_model.load(run.weights())
    found = estimates.of_all_classes(
        one_model, bits[:7], labels[:7].astype(int), PARTICLES
    )
    whole = run.evaluation_arrays()["log_likelihoods"]
    np.testing.assert_allclose(found.decisive, whole[:7], rtol=0, atol=1e-3)


def strike(run, mnist_dir, checks, number, count):
    """Evaluate in a process that a signal strikes: its status and what it printed."""
    arguments = [run.path, mnist_dir, PARTICLES, checks, int(number), count]
    program = Path(evaluate_tiny.__file__)
    status, _, err = forks.run(program, *arguments, mnist_dir=mnist_dir)
    return status, err


@pytest.mark.parametrize(
    "number, status, checks, count",
    [
        (signal.SIGKILL, -9, 0, 2),
        (signal.SIGINT, 130, 0, 3),
        (signal.SIGTERM, 143, CHECKS, N_IMAGES // 3 + 3),
    ],
)
def test_killed_and_called_again_it_ends_with_the_bits_of_the_undisturbed_one(
    data, mnist_dir, tmp_path, evaluated, monkeypatch, number, status, checks, count
):
    """Struck twice within importance sampling, and after half of the sandwich."""
    run = new_run(tmp_path)
    found, err = strike(run, mnist_dir, checks, number, count)
    assert found == status and "Traceback" not in err
    assert len(partials(run)) == 1 and not (run.path / FILES[0]).exists()
    asked = images_asked_for(monkeypatch)
    results = evaluate.evaluate_run(run, data, PARTICLES, checks)
    assert sorted(asked) == list(range(3 * min(count, 4), N_IMAGES))
    assert not partials(run)
    whole, undisturbed = evaluated
    arrays, expected = run.evaluation_arrays(), whole.evaluation_arrays()
    if not checks:
        undisturbed = without_checks(undisturbed)
        del expected["encoder_ess"]
    assert results == run.evaluation() == undisturbed
    assert sorted(arrays) == sorted(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
    if checks:
        files = [r.path / "evaluation.npz" for r in (run, whole)]
        assert files[0].read_bytes() == files[1].read_bytes()


def without_checks(results):
    return {k: v for k, v in results.items() if k not in ("encoder", "sandwich")}


def interrupted(run, data, monkeypatch, particles=3, after=3):
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
    """The numbers of the images that are estimated from now on."""
    asked, estimate = [], estimates.of_all_classes

    def spy(model, bits, labels, particles, first, go_on):
        asked.extend(range(first, first + len(bits)))
        return estimate(model, bits, labels, particles, first, go_on)

    monkeypatch.setattr(estimates, "of_all_classes", spy)
    return asked


def test_evaluations_of_other_settings_keep_each_others_rows(
    data, tmp_path, monkeypatch, capsys
):
    run, undisturbed = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    interrupted(run, data, monkeypatch, particles=3, after=6)
    (three,) = partials(run)
    assert three.startswith("evaluation-partial-step-1-particles-3-checks-0-")
    capsys.readouterr()
    interrupted(run, data, monkeypatch, particles=4, after=9)
    out, err = capsys.readouterr()
    assert not out and err.splitlines() == [
        f"note: {run.path} keeps what interrupted evaluations with other settings "
        f"have computed: {three}"
    ]
    asked = images_asked_for(monkeypatch)
    for particles, done in ((3, 6), (4, 9)):
        found = evaluate.evaluate_run(run, data, particles, 0)
        assert sorted(asked) == list(range(done, N_IMAGES))
        assert found == evaluate.evaluate_run(undisturbed, data, particles, 0)
        asked.clear()
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
    assert not asked and not partials(run)


def test_a_run_that_is_trained_on_meanwhile_is_evaluated_as_it_was_with_a_warning(
    data, tmp_path, monkeypatch, capsys
):
    run, as_it_was = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    later = new_run(tmp_path / "c", step=7).load_checkpoint()
    estimate = estimates.of_all_classes

    def train_on(model, bits, labels, particles, first, go_on):
        if first == 0:
            run.save_checkpoint(later)
        return estimate(model, bits, labels, particles, first, go_on)

    with monkeypatch.context() as patch:
        patch.setattr(estimates, "of_all_classes", train_on)
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
@pytest.mark.parametrize(
    "more", [{}, {"checks": -1}, {"checks": 10**9}, {"checks": True}]
)
def test_arguments_out_of_range_are_one_line(data, tmp_path, name, value, more):
    run = new_run(tmp_path)
    arguments = dict({"particles": 3, "checks": 0}, **more or {name: value})
    wrong = "checks" if more else name
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


def test_the_report_keeps_an_evaluation_that_is_good_enough(
    data, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "PARTICLES", 5)
    monkeypatch.setattr(pipeline, "CHECKS", 2)
    run = new_run(tmp_path)
    assert not pipeline._is_evaluated(run, data)
    for particles, checks in ((4, 2), (5, 0), (5, 1)):
        evaluate.evaluate_run(run, data, particles, checks)
        assert not pipeline._is_evaluated(run, data)
    evaluate.evaluate_run(run, data, 5, 2)
    assert pipeline._is_evaluated(run, data)
    assert not pipeline._is_evaluated(run, data._replace(name="mnist-5k"))
    arrays = (run.path / "evaluation.npz").read_bytes()
    (run.path / "evaluation.npz").write_bytes(b"damaged")
    assert not pipeline._is_evaluated(run, data)
    (run.path / "evaluation.npz").write_bytes(arrays)
    assert pipeline._is_evaluated(run, data)
    run.save_checkpoint(new_run(tmp_path / "later", step=2).load_checkpoint())
    assert not pipeline._is_evaluated(run, data)


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
        results["encoder"]["difference"]["mean"],
        results["sandwich"]["above"]["mean"],
        *(row["marginal"] for row in results["per_class"]),
    ]
    for value in shown:
        assert f"{value:.3f}" in text
    assert f"{results['classifier']['errors']} errors" in text
    decided = f"decided by {estimates.decisive_particles(PARTICLES):,} particles"
    assert decided in text
    assert "from above" in text
    assert "from above" not in tables.evaluation_table(without_checks(results))


def test_the_json_of_an_evaluation_has_no_number_that_json_lacks(evaluated):
    text = (evaluated[0].path / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
