"""A run's evaluation: the right images and figures, or one clear line."""

import json

import numpy as np
import pytest
from evaluate_tiny import (
    CHECKS,
    CONFIG,
    N_IMAGES,
    PARTICLES,
    new_run,
    partials,
    without_checks,
)

from cvae.config import Config
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.data.dataset import Split
from cvae.errors import CvaeError
from cvae.evaluation import evaluate, sandwich, tables
from cvae.inference import estimates, laplace
from cvae.report import pipeline
from cvae.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_graph_twice")


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
