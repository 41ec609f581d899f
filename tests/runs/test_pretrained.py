"""The pretrained run: half the size, as good, and used where nothing was trained."""

import shutil

import numpy as np
import pytest
import tiny

from cvae.data.binarize import binarize
from cvae.errors import CvaeError
from cvae.evaluation import evaluate
from cvae.inference.trained import Model
from cvae.report import samples
from cvae.runs import pretrained
from cvae.runs.checkpoints import AVERAGE, Checkpoint
from cvae.runs.run import RUNS, Run, find
from cvae.training import loop


@pytest.fixture(scope="module")
def dataset(mnist):
    return tiny.dataset(mnist, n_train=200, n_test=10)


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "trained", tiny.CONFIG)
    loop.train(run, dataset)
    evaluate.evaluate_run(run, dataset, particles=20, checks=0)
    return run


@pytest.fixture(scope="module")
def small(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pretrained"
    pretrained.export(trained, path)
    return Run(path)


@pytest.fixture
def bare(small, tmp_path, monkeypatch):
    """A fresh checkout: no runs, but the pretrained one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "HERE", small.path)
    return tmp_path


def test_its_weights_are_the_averages_rounded_to_half_precision(trained, small):
    full, half = trained.weights(), small.weights()
    assert sorted(full) == sorted(half)
    for name, array in full.items():
        assert half[name].dtype == np.float16
        np.testing.assert_allclose(half[name], array, rtol=2**-11, atol=2**-25)


def test_it_has_nothing_but_the_weights_and_what_the_run_was_worth(trained, small):
    arrays = small.load_checkpoint().arrays
    assert arrays and all(name.endswith(AVERAGE) for name in arrays)
    assert small.config == trained.config
    assert small.metrics() == trained.metrics()
    assert small.evaluation() == trained.evaluation()
    size = sum(p.stat().st_size for p in (small.path / "checkpoints").iterdir())
    assert size < 2.5 * sum(array.size for array in arrays.values()) + 20000


def test_it_takes_the_place_of_one_before(trained, small, tmp_path):
    path = tmp_path / "pretrained"
    shutil.copytree(str(small.path), str(path))
    state = small.load_checkpoint().state._replace(step=3, plan=[0, 0.0, 3])
    Run(path).save_checkpoint(Checkpoint({}, state), keep=1)
    pretrained.export(trained, path)
    found, expected = (
        sorted(p.name for p in (folder / "checkpoints").iterdir())
        for folder in (path, small.path)
    )
    assert found == expected and len(found) == 2  # the checkpoint and its index


def test_it_bounds_the_likelihood_as_the_run_does(trained, small, dataset):
    bits, labels = np.uint8(dataset.test.images > 127), dataset.test.labels
    bounds = []
    for run in (trained, small):
        with Model(run.config, run.weights()) as model:
            bounds.append(model.bound(bits, labels).total)
    np.testing.assert_allclose(*bounds, rtol=0, atol=0.05)


def test_without_a_run_it_is_used_with_a_note_on_stderr(bare, small, capsys):
    run = pretrained.find_or_unpack()
    assert run.path == RUNS / "pretrained"
    assert capsys.readouterr() == (
        "",
        "note: there is no run yet: using the pretrained weights, runs/pretrained\n",
    )
    for path in samples.write_samples(run, None, None, 2, samples.SampleOptions()):
        assert bare / path  # among the runs, not beside the pretrained one
        assert (bare / path).exists()
    assert not (small.path / "samples.npz").exists()


def test_a_copy_that_was_cut_short_is_made_again(bare):
    (bare / "runs" / "pretrained").mkdir(parents=True)
    (bare / "runs" / "pretrained" / "metrics.jsonl").write_text("cut")
    run = pretrained.find_or_unpack()
    assert run.metrics() and run.weights()


def test_a_run_of_ones_own_comes_first(bare, capsys):
    own = Run.create(bare / "runs" / "own", tiny.CONFIG)
    assert pretrained.find_or_unpack().path == own.path.resolve()
    assert capsys.readouterr() == ("", "")


def test_new_weights_in_the_repository_replace_the_copy_and_nothing_is_lost(
    bare, small, capsys, monkeypatch
):
    copy = pretrained.find_or_unpack()
    old = copy.weights()
    (copy.path / "notes.txt").write_text("mine")
    (copy.path / "evaluation.json").write_text("mine, too")
    _publish_others(small, bare / "new", monkeypatch)
    capsys.readouterr()
    for path in (None, RUNS / "pretrained"):
        found = pretrained.find_or_unpack(path)
        assert found.path == RUNS / "pretrained"
        for name, array in found.weights().items():
            np.testing.assert_array_equal(array, 2 * old[name])
    err = capsys.readouterr().err
    assert err.count("new weights") == 1 and "runs/pretrained-before-1" in err
    kept = RUNS / "pretrained-before-1"
    assert (kept / "notes.txt").read_text() == "mine"
    assert (kept / "evaluation.json").read_text() == "mine, too"
    np.testing.assert_equal(Run(kept).weights(), old)


def test_a_run_of_ones_own_with_its_name_is_kept(bare, small, monkeypatch):
    own = Run.create(RUNS / "pretrained", tiny.CONFIG)
    own.events_dir.mkdir()
    assert pretrained.find_or_unpack().path.resolve() == own.path.resolve()
    assert own.path.exists() and not own.has_checkpoint()


def _publish_others(small, path, monkeypatch):
    """Put the weights of `small`, doubled, where the repository has its own."""
    shutil.copytree(str(small.path), str(path))
    arrays, state = small.load_checkpoint()
    doubled = {name: 2 * array for name, array in arrays.items()}
    Run(path).save_checkpoint(Checkpoint(doubled, state), keep=1)
    monkeypatch.setattr(pretrained, "HERE", path)


def test_a_run_that_is_named_and_not_there_is_one_line(bare):
    with pytest.raises(CvaeError, match="there is no run"):
        pretrained.find_or_unpack(bare / "runs" / "other")


def test_to_train_it_further_is_one_line_with_a_remedy(bare, dataset):
    run = pretrained.find_or_unpack()
    before = sorted((bare / "runs" / "pretrained").rglob("*"))
    with pytest.raises(CvaeError, match="train a run of your own") as error:
        loop.train(run, dataset)
    assert "\n" not in str(error.value)
    assert [p for p in before if not p.exists()] == []


def test_a_resumed_training_is_never_the_pretrained_one(bare):
    with pytest.raises(CvaeError, match="there is no run yet"):
        find()


def test_a_run_without_an_evaluation_is_not_exported(trained, tmp_path):
    run = Run.create(tmp_path / "runs" / "new", tiny.CONFIG)
    run.save_checkpoint(trained.load_checkpoint())
    with pytest.raises(CvaeError, match="not evaluated yet"):
        pretrained.export(run, tmp_path / "pretrained")
    assert not (tmp_path / "pretrained").exists()


def test_the_weights_in_the_repository_are_worth_what_they_say(mnist):
    shipped = Run(pretrained.HERE)
    bits, labels = binarize(mnist.test.images[:500]), mnist.test.labels[:500]
    with Model(shipped.config, shipped.weights()) as model:
        bound = model.bound(bits, labels).total
    expected = shipped.evaluation_arrays()["bound"][:500]
    assert np.abs(bound - expected).max() < 0.5
    assert abs(bound.mean() - expected.mean()) < 0.01
