"""What an environment lacks, or does, that a training must not depend on."""

import dataclasses
import errno
import fcntl
import os
import signal
import time

import numpy as np
import pytest
import tiny

from cvae.cli import STOP_SIGNALS, options
from cvae.errors import CvaeError
from cvae.evaluation.partial import Partial
from cvae.runs import run
from cvae.runs.run import Run
from cvae.storage import files
from cvae.training import loop
from cvae.training.step import Trainer


@pytest.fixture(autouse=True)
def fresh_warnings():
    files.warn_once.cache_clear()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def refuse(number):
    def call(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return call


# Time ---------------------------------------------------------------------------------


def test_a_wall_clock_that_jumps_changes_nothing(mnist, runs, monkeypatch):
    """Back by an hour at its second reading, as after a sleep or by NTP."""
    real, readings = time.time, []

    def jumping():
        readings.append(1)
        return real() - 3600.0 * (len(readings) > 1)

    monkeypatch.setattr(time, "time", jumping)
    last = loop.train(Run.create(runs / "a", tiny.CONFIG), tiny.dataset(mnist))
    rows = Run(runs / "a").metrics()
    assert 0.0 <= rows[0]["seconds"] <= rows[-1]["seconds"] < 60.0
    assert last["epoch"] == tiny.CONFIG.epochs and Run(runs / "a").has_checkpoint()


def test_a_clock_too_coarse_for_a_block_of_steps_keeps_the_plan(
    mnist, runs, monkeypatch
):
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    budget = dataclasses.replace(tiny.CONFIG, minutes=1.0)
    last = loop.train(Run.create(runs / "a", budget), tiny.dataset(mnist))
    assert last["epoch"] == budget.epochs


# File systems -------------------------------------------------------------------------


def test_without_locks_a_run_is_trained_with_one_warning(
    mnist, runs, monkeypatch, capsys
):
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    made = Run.create(runs / "a", tiny.CONFIG)
    loop.train(made, tiny.dataset(mnist))
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1 and "cannot be locked" in said
    assert made.has_checkpoint()


def test_a_lock_that_another_holds_is_still_respected(runs):
    made = Run.create(runs / "a", tiny.CONFIG)
    with made.lock():
        assert files.lock_file(made.path / ".lock") is None


def test_without_symbolic_links_the_newest_run_is_found_by_its_age(runs, monkeypatch):
    monkeypatch.setattr(os, "symlink", refuse(errno.EPERM))
    for age, name in enumerate(["b", "a"]):
        made = Run.create(runs / name, tiny.CONFIG)
        os.utime(str(made.path / "config.json"), ns=(0, age * 10**9))
    Run.create(runs / run.PRETRAINED, tiny.CONFIG)  # a copy, never the newest
    assert not (runs / run.LATEST).exists()
    assert run.find().path.name == "a"


def test_without_syncs_of_directories_files_are_written_with_one_warning(
    runs, monkeypatch, capsys
):
    sync, directories = os.fsync, []

    def only_files(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            directories.append(handle)
            refuse(errno.EINVAL)()
        sync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    made = Run.create(runs / "a", tiny.CONFIG)
    files.write_bytes(made.path / "one", b"1")
    files.write_bytes(made.path / "two", b"2")
    assert len(directories) >= 3
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1 and "cannot be synchronized" in said


def test_a_disk_that_fails_to_sync_a_directory_is_still_an_error(runs, monkeypatch):
    runs.mkdir()
    monkeypatch.setattr(files, "_fsync", lambda path: refuse(errno.EIO)())
    with pytest.raises(CvaeError, match="cannot write"):
        files.write_bytes(runs / "one", b"1")


# Files that a person touched ----------------------------------------------------------


def test_the_newest_run_deleted_leaves_the_one_before_and_a_line(runs, capsys):
    old = Run.create(runs / "old", tiny.CONFIG)
    Run.create(runs / "new", tiny.CONFIG)
    (runs / "new" / "config.json").unlink()
    (runs / "new" / ".lock").unlink()
    (runs / "new").rmdir()
    assert run.find().path == runs.relative_to(runs.parent) / "old"
    assert old.path.name in capsys.readouterr().err


def test_a_file_of_ones_own_among_the_checkpoints_is_left_alone(mnist, runs):
    made = Run.create(runs / "a", tiny.CONFIG)
    folder = made.path / "checkpoints"
    folder.mkdir()
    own = {"my-notes.txt", "step-1.npz", ".hidden"}
    left_by_a_kill = {".index.json.x7.json", ".step-000000001.npz.x7.npz"}
    for name in own | left_by_a_kill:
        (folder / name).write_text("mine")
    loop.train(made, tiny.dataset(mnist))
    found = {path.name for path in folder.iterdir()}
    assert own < found and not found & left_by_a_kill


# Processes ----------------------------------------------------------------------------


def test_runs_made_in_one_second_have_names_of_their_own(runs, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "20211224-183000")
    made = [Run.create_by_date(tiny.CONFIG) for _ in range(3)]
    names = [one.path.name for one in made]
    assert names == ["20211224-183000", "20211224-183000-2", "20211224-183000-3"]


def test_a_signal_in_the_last_steps_is_not_lost(mnist, runs, monkeypatch):
    steps, last = Trainer.steps, int(4 * 600 / 50)

    def struck(self, first, order, rates):
        if first + len(order) == last:
            os.kill(os.getpid(), signal.SIGINT)
        return steps(self, first, order, rates)

    monkeypatch.setattr(Trainer, "steps", struck)
    made = Run.create(runs / "a", tiny.CONFIG)
    with pytest.raises(loop.Interrupted) as stop:
        loop.train(made, tiny.dataset(mnist))
    assert stop.value.status == 130
    assert made.load_checkpoint().state.step == last


def test_a_closed_terminal_stops_a_training_as_sigterm_does(mnist, runs, monkeypatch):
    assert signal.SIGHUP in STOP_SIGNALS
    steps = Trainer.steps

    def struck(self, *args):
        os.kill(os.getpid(), signal.SIGHUP)
        return steps(self, *args)

    monkeypatch.setattr(Trainer, "steps", struck)
    made = Run.create(runs / "a", tiny.CONFIG)
    with pytest.raises(loop.Interrupted) as stop:
        loop.train(made, tiny.dataset(mnist))
    assert stop.value.status == 129 and made.has_checkpoint()


def test_a_save_that_fails_does_not_replace_the_interrupt(
    tmp_path, monkeypatch, capsys
):
    def full(path, arrays):
        raise CvaeError("cannot write it: no space left on device")

    monkeypatch.setattr("cvae.evaluation.partial.write_arrays", full)
    begun = Partial(tmp_path / "partial.npz", {}, {"rows": (2, 1)}, "cvae.zs")
    with pytest.raises(KeyboardInterrupt):
        with begun.kept():
            begun.add("rows", np.ones((1, 1)))
            raise KeyboardInterrupt()
    assert "no space left" in capsys.readouterr().err


# Options ------------------------------------------------------------------------------


def test_a_tilde_is_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(options.path("~/runs/a")) == "/home/ada/runs/a"


def test_without_an_average_the_weights_themselves_are_evaluated(mnist):
    config = dataclasses.replace(tiny.CONFIG, average=0.0)
    order = np.zeros((7, 50), np.int32)
    with Trainer(config, tiny.dataset(mnist).train) as trainer:
        trainer.steps(1030, order, np.full(7, 1e-3, np.float32))
        state, averages = trainer.state(), trainer.averages()
    for name, average in averages.items():
        np.testing.assert_array_equal(average, state[name], err_msg=name)
