"""Checkpoints: whole files, checksums, the one before, settings that stay."""

import dataclasses
import json

import numpy as np
import pytest

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.runs import checkpoints
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run
from cvae.storage import files


@pytest.fixture
def new_run(tmp_path):
    return Run.create(tmp_path / "runs" / "first", Config(seed=3))


def _checkpoint(step):
    arrays = {"w": np.full(3, step, np.float32), "w" + AVERAGE: np.arange(3.0) + step}
    state = State(step, [0, 0.1, 9], ["1.15.0"], ["ZhuSuan 0.4.0"])
    return Checkpoint(arrays, state)


def _newest_file(new_run):
    index = files.read_json(new_run.path / "checkpoints" / "index.json")
    return new_run.path / "checkpoints" / index["recent"][0]["file"]


def _with_state(new_run, state):
    """Save a checkpoint with `state` and a right checksum; return its path."""
    new_run.save_checkpoint(_checkpoint(5))
    path, arrays = _newest_file(new_run), _checkpoint(5).arrays
    np.savez(str(path), **{"__state__": np.array(json.dumps(state))}, **arrays)
    index = files.read_json(new_run.path / "checkpoints" / "index.json")
    index["recent"][0]["sha256"] = checkpoints._sha256(path)
    files.write_json(new_run.path / "checkpoints" / "index.json", index)
    return path


def _flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def _remove(path):
    path.unlink()


def test_a_checkpoint_comes_back_bit_for_bit(new_run):
    saved = _checkpoint(5)
    new_run.save_checkpoint(saved)
    loaded = new_run.load_checkpoint()
    assert loaded.state == saved.state
    for name, array in saved.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == array.dtype


def test_a_checkpoint_from_before_versions_were_noted_is_of_cvae_zs(new_run):
    path = _with_state(new_run, {"step": 5, "plan": [0, 0.1, 9]})
    state = checkpoints.read_checkpoint(path).state
    assert list(state.tensorflow) == ["of unknown version"]
    assert state.zhusuan == ["cvae.zs"]
    versions = ["1.15.0", "2.20.0"]
    path = _with_state(
        new_run, {"step": 5, "plan": [0, 0.1, 9], "tensorflow": versions}
    )
    assert checkpoints.read_checkpoint(path).state.zhusuan == ["cvae.zs", "cvae.zs"]


@pytest.mark.parametrize("damage", [_flip_a_bit, _truncate, _remove])
def test_a_damaged_latest_checkpoint_is_named_and_the_one_before_used(new_run, damage):
    new_run.save_checkpoint(_checkpoint(5))
    new_run.save_checkpoint(_checkpoint(6))
    damaged = _newest_file(new_run)
    damage(damaged)
    warnings = []
    assert new_run.load_checkpoint(warn=warnings.append).state.step == 5
    assert len(warnings) == 1 and str(damaged) in warnings[0]


def test_a_damaged_checkpoint_does_not_push_out_the_whole_one_before_it(new_run):
    for step in (5, 6):
        new_run.save_checkpoint(_checkpoint(step))
    _truncate(_newest_file(new_run))
    new_run.load_checkpoint(warn=lambda line: None)
    new_run.save_checkpoint(_checkpoint(7))
    _truncate(_newest_file(new_run))
    assert new_run.load_checkpoint(warn=lambda line: None).state.step == 5


def test_a_damaged_best_checkpoint_is_made_good_by_the_latest(new_run):
    new_run.save_checkpoint(_checkpoint(5), best=True)
    for step in (6, 7):
        new_run.save_checkpoint(_checkpoint(step))
    _truncate(new_run.path / "checkpoints" / "step-000000005.npz")
    best = new_run.load_checkpoint(best=True, warn=lambda line: None)
    assert best.state.step == 7


def test_no_whole_checkpoint_left_is_one_line(new_run):
    new_run.save_checkpoint(_checkpoint(5))
    _truncate(_newest_file(new_run))
    with pytest.raises(CvaeError, match="no whole checkpoint left"):
        new_run.load_checkpoint(warn=lambda line: None)


def test_a_run_without_checkpoint_is_one_line(new_run):
    with pytest.raises(CvaeError, match="no checkpoint yet"):
        new_run.weights()


def test_only_the_two_latest_checkpoints_and_the_best_are_kept(new_run):
    (new_run.path / "checkpoints").mkdir()
    (new_run.path / "checkpoints" / ".step-000000000.npz.left").write_text("killed")
    for step in range(1, 6):
        new_run.save_checkpoint(_checkpoint(step), best=step == 2)
    kept = sorted(p.name for p in (new_run.path / "checkpoints").iterdir())
    steps = [f"step-00000000{s}.npz" for s in (2, 4, 5)]
    assert kept == ["index.json"] + steps
    assert new_run.load_checkpoint(best=True).state.step == 2


def test_weights_are_the_averages_under_the_variables_names(new_run):
    new_run.save_checkpoint(_checkpoint(5))
    weights = new_run.weights()
    assert list(weights) == ["w"]
    np.testing.assert_array_equal(weights["w"], np.arange(3.0) + 5)


def test_a_full_disk_leaves_the_checkpoint_before_usable(new_run, monkeypatch):
    new_run.save_checkpoint(_checkpoint(5))

    def no_space(*unused, **unused_too):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", no_space)
    with pytest.raises(CvaeError, match="No space left"):
        new_run.save_checkpoint(_checkpoint(6))
    assert new_run.load_checkpoint().state.step == 5
    left = [p.name for p in (new_run.path / "checkpoints").iterdir()]
    assert sorted(left) == ["index.json", "step-000000005.npz"]


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"recent": 3}',
        '{"recent": [{"file": "../../x.npz", "sha256": "' + "0" * 64 + '"}]}',
        '{"recent": [{"file": "step-000000005.npz", "sha256": "x"}]}',
        "[" * 9999,
        None,
    ],
)
def test_a_damaged_index_gives_way_to_the_newest_whole_checkpoint(new_run, index):
    for step in (5, 6):
        new_run.save_checkpoint(_checkpoint(step))
    path = new_run.path / "checkpoints" / "index.json"
    path.unlink()
    if index is not None:
        path.write_text(index)
    warnings = []
    assert new_run.has_checkpoint()
    assert new_run.load_checkpoint(warn=warnings.append).state.step == 6
    assert len(warnings) == 1 and str(path) in warnings[0]
    _truncate(new_run.path / "checkpoints" / "step-000000006.npz")
    assert new_run.load_checkpoint(warn=warnings.append).state.step == 5
    new_run.save_checkpoint(_checkpoint(7))
    del warnings[:]
    assert new_run.load_checkpoint(warn=warnings.append).state.step == 7
    assert not warnings


@pytest.mark.parametrize(
    "state",
    [
        {"step": 5},
        {"step": 5, "plan": [0, 0.1]},
        {"step": 5, "plan": [6, 0.1, 9]},
        {"step": 5.5, "plan": [0, 0.1, 9]},
        {"step": 5, "plan": [0, 0.1, 9], "else": 1},
        {"step": 5, "plan": [0, 0.1, 9], "config": {"sede": 1}},
    ],
)
def test_a_checkpoint_with_another_state_is_passed_over(new_run, state):
    new_run.save_checkpoint(_checkpoint(4))
    path = _with_state(new_run, state)
    warnings = []
    assert new_run.load_checkpoint(warn=warnings.append).state.step == 4
    assert len(warnings) == 1 and str(path) in warnings[0]


def test_the_form_of_a_state_names_its_parts_and_those_with_a_default():
    optional = {name + "?" for name in State._field_defaults}
    required = set(State._fields) - set(State._field_defaults)
    assert set(checkpoints.STATE) == optional | required


def test_warnings_go_to_stderr(new_run, capsys):
    for step in (5, 6):
        new_run.save_checkpoint(_checkpoint(step))
    _truncate(_newest_file(new_run))
    new_run.load_checkpoint()
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("warning: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.5},
        {"batch_size": 7, "epochs": 200.0},
        {"minutes": None, "activation": "tanh"},
        {"dataset": "mnist-5k"},
    ],
)
def test_settings_edited_after_the_training_began_are_named_and_refused(
    new_run, changes
):
    saved = _checkpoint(5)
    state = saved.state._replace(config=new_run.config.to_dict())
    new_run.save_checkpoint(Checkpoint(saved.arrays, state))
    edited = dataclasses.replace(new_run.config, **changes)
    files.write_json(new_run.path / "config.json", edited.to_dict())
    before = new_run.config.to_dict()
    for read in (Run(new_run.path).load_checkpoint, Run(new_run.path).weights):
        with pytest.raises(CvaeError, match="edited.*set it back") as error:
            read()
        assert "\n" not in str(error.value)
        for name, value in changes.items():
            words = f"{name} was {before[name]!r} and is {value!r}"
            assert words in str(error.value)


def test_settings_that_a_later_version_adds_are_not_edits(new_run):
    """Nor is a checkpoint from before settings were recorded of other settings."""
    saved = _checkpoint(5)
    settings = new_run.config.to_dict()
    del settings["film"]
    for recorded in (settings, None):
        state = saved.state._replace(config=recorded)
        new_run.save_checkpoint(Checkpoint(saved.arrays, state))
        assert new_run.load_checkpoint().state.step == 5


def test_a_state_of_defaults_is_saved_and_loaded(new_run):
    state = State(5, [0, 0.1, 9])
    new_run.save_checkpoint(Checkpoint(_checkpoint(5).arrays, state))
    loaded = new_run.load_checkpoint().state
    assert list(loaded.zhusuan) == list(state.zhusuan)
    assert loaded._replace(zhusuan=(), tensorflow=()) == state._replace(
        zhusuan=(), tensorflow=()
    )
