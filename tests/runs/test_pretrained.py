"""The pretrained run: used where nothing was trained, and worth what it says."""

import shutil

import numpy as np
import pytest
import tiny

from cvae.data.binarize import binarize
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.report import samples
from cvae.runs import pretrained
from cvae.runs.checkpoints import AVERAGE, SHARED, Checkpoint, State, write_shared
from cvae.runs.run import RUNS, Run, find
from cvae.training import loop


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run that is made to be shared, of random weights."""
    run = Run.create(tmp_path_factory.mktemp("data") / "pretrained", tiny.CONFIG)
    weights = tiny.random_weights(tiny.shapes(tiny.CONFIG))
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    checkpoint = Checkpoint(arrays, State(9, [0, 0.0, 9]))
    write_shared(run.path / SHARED, checkpoint)
    run.append_metrics({"step": 9, "epoch": 1.0, "seconds": 1.0, "train_bound": -1.0})
    return run


@pytest.fixture
def bare(small, tmp_path, monkeypatch):
    """A fresh checkout: no runs, but the pretrained one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "HERE", small.path)
    return tmp_path


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
    write_shared(path / SHARED, Checkpoint(doubled, state))
    monkeypatch.setattr(pretrained, "HERE", path)


def test_a_run_that_is_named_and_not_there_is_one_line(bare):
    with pytest.raises(CvaeError, match="there is no run"):
        pretrained.find_or_unpack(bare / "runs" / "other")


def test_a_copy_of_a_time_with_checkpoints_still_has_its_weights(bare, small):
    arrays, state = small.load_checkpoint()
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    old = Run.create(bare / "old", tiny.CONFIG)
    old.save_checkpoint(Checkpoint(halves, state), keep=1)
    np.testing.assert_equal(old.weights(), small.weights())


def test_to_train_it_further_is_one_line_with_a_remedy(bare, mnist):
    dataset = tiny.dataset(mnist, n_train=200, n_test=10)
    run = pretrained.find_or_unpack()
    before = sorted((bare / "runs" / "pretrained").rglob("*"))
    with pytest.raises(CvaeError, match="train a run of your own") as error:
        loop.train(run, dataset)
    assert "\n" not in str(error.value)
    assert [p for p in before if not p.exists()] == []


def test_a_resumed_training_is_never_the_pretrained_one(bare):
    with pytest.raises(CvaeError, match="there is no run yet"):
        find()


def test_the_weights_in_the_repository_are_worth_what_they_say(mnist):
    shipped = Run(pretrained.HERE)
    bits, labels = binarize(mnist.test.images[:500]), mnist.test.labels[:500]
    with Model(shipped.config, shipped.weights()) as model:
        bound = model.bound(bits, labels).total
    expected = shipped.evaluation_arrays()["bound"][:500]
    assert np.abs(bound - expected).max() < 0.5
    assert abs(bound.mean() - expected.mean()) < 0.01
