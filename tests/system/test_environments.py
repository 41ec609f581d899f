"""What an environment lacks, or does, and what must not depend on it.

`make soak-environments` runs all scripts in all pairs of such environments.
"""

import dataclasses
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

import environments
import numpy as np
import pytest
import tiny
from environments import refuse
from paths import ROOT
from worlds import Stage

from cvae import errors
from cvae.cli import STOP_SIGNALS, options, parser
from cvae.errors import CvaeError
from cvae.evaluation.partial import Partial
from cvae.runs import run
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run
from cvae.storage import files
from cvae.training import loop
from cvae.training.step import Trainer


@pytest.fixture(autouse=True)
def fresh_warnings():
    errors.warn_once.cache_clear()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


# Time ---------------------------------------------------------------------------------


def test_a_wall_clock_that_jumps_changes_nothing(mnist, runs, monkeypatch, kept_graphs):
    """Back by an hour at its second reading, as after a sleep or by NTP."""
    monkeypatch.setattr(time, "time", environments.jumping_clock(-3600.0))
    began = time.monotonic()
    last = loop.train(Run.create(runs / "a", tiny.CONFIG), tiny.dataset(mnist))
    elapsed = time.monotonic() - began
    rows = Run(runs / "a").metrics()
    assert 0.0 <= rows[0]["seconds"] <= rows[-1]["seconds"] < elapsed + 0.001
    assert last["epoch"] == tiny.CONFIG.epochs and Run(runs / "a").has_checkpoint()


# File systems -------------------------------------------------------------------------


def test_without_locks_a_run_is_trained_with_one_warning(runs, monkeypatch, capsys):
    """The campaign's cases train; here is the warning."""
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    made = Run.create(runs / "a", tiny.CONFIG)
    with made.lock():
        said = capsys.readouterr().err
    assert said.count("warning: ") == 1 and "cannot be locked" in said


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
    monkeypatch.setattr(os, "fsync", environments.fsync_without_directories())
    made = Run.create(runs / "a", tiny.CONFIG)
    files.write_bytes(made.path / "one", b"1")
    files.write_bytes(made.path / "two", b"2")
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


def test_a_file_of_ones_own_among_the_checkpoints_is_left_alone(runs):
    made = Run.create(runs / "a", tiny.CONFIG)
    folder = made.path / "checkpoints"
    folder.mkdir()
    own = {"my-notes.txt", "step-1.npz", ".hidden"}
    left_by_a_kill = {".index.json.x7.json", ".step-000000001.npz.x7.npz"}
    for name in own | left_by_a_kill:
        (folder / name).write_text("mine")
    made.save_checkpoint(Checkpoint({}, State(2, [0, 0.0, 2])))
    found = {path.name for path in folder.iterdir()}
    assert own < found and not found & left_by_a_kill


# Processes ----------------------------------------------------------------------------

SHADOWS = ("calendar", "data", "model", "queue", "random", "report", "tests", "types")


@pytest.fixture(scope="module")
def checkout(mnist_dir, tmp_path_factory):
    """A checkout with a run in runs/, and with files of a person's own."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("cvae", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(str(ROOT / name), str(root / name), ignore=ignored)
    (root / "setup.py").write_text("")
    made = Run.create(root / "runs" / "mine", tiny.CONFIG)
    weights = tiny.random_weights(tiny.shapes(tiny.CONFIG))
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    made.save_checkpoint(Checkpoint(arrays, State(1, [0, 0.0, 1], ["1"], ["1"])))
    for folder in (root, root / "scripts"):
        for name in SHADOWS:
            (folder / f"{name}.py").write_text("raise SystemExit('a stranger')")
    return root


def shell(command, cwd, **env):
    """(status, stdout, stderr) of a command with $python, as a user types it."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=str(cwd),
        env=dict(os.environ, python=sys.executable, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_in_the_folder_of_scripts_the_checkouts_runs_are_used_and_no_file_shadows(
    checkout,
):
    command = '"$python" sample.py --per-class 1'
    status, out, err = shell(command, checkout / "scripts")
    assert (status, err) == (0, "")
    written = [checkout / "runs" / "mine" / name for name in out.split()]
    assert [path.name for path in written] == ["samples.png", "samples.npz"]
    assert all(path.exists() for path in written)
    assert not (checkout / "scripts" / "runs").exists()


def test_without_streams_and_home_from_another_directory_the_files_are_written(
    checkout, tmp_path
):
    # -I leaves the script's folder out of the import path.
    command = f'unset HOME; "$python" -I {checkout}/scripts/sample.py >&- 2>&- <&-'
    before = set(tmp_path.iterdir())
    assert shell(command, tmp_path)[0] == 0
    with np.load(str(checkout / "runs" / "mine" / "samples.npz")) as archive:
        assert archive["x"].shape == (10, 10, 784)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "command, status, words",
    [
        ("--help | true", 0, ""),
        ("--help >/dev/full", 2, "cannot write the output: No space left"),
        ("--no-such >&-", 2, "there is no '--no-such'"),
        ("--no-such 2>&-", 2, ""),
    ],
)
def test_help_and_refusals_reach_whoever_is_left_to_read_them(
    tmp_path, command, status, words
):
    what, _, rest = command.partition(" ")
    script = f'("$python" {ROOT}/scripts/sample.py {what}; echo $? >status) {rest}'
    if ">" in rest:
        script = f'"$python" {ROOT}/scripts/sample.py {command}; echo $? >status'
    _, _, err = shell(script, tmp_path)
    assert int((tmp_path / "status").read_text()) == status
    assert words in err and err.count("\n") == (words != "")


def test_python_without_docstrings_is_one_line(tmp_path):
    command = f'"$python" {ROOT}/scripts/sample.py'
    status, _, err = shell(command, tmp_path, PYTHONOPTIMIZE="2")
    assert status == 2 and err.count("\n") == 1 and "-OO" in err


def test_nohup_keeps_its_signal_ignored(tmp_path):
    code = "from cvae.cli import STOP_SIGNALS; print(1 in STOP_SIGNALS)"
    command = f"trap '' HUP; \"$python\" -c '{code}'"
    assert shell(command, tmp_path, PYTHONPATH=str(ROOT))[1] == "False\n"


def test_a_second_signal_of_another_kind_raises_nothing():
    """It would be raised where nothing catches it."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    try:
        with pytest.raises(KeyboardInterrupt):
            parser._interrupt(signal.SIGTERM, None)
        handlers = {signal.getsignal(number) for number in STOP_SIGNALS}
        assert handlers == {signal.SIG_DFL}
    finally:
        for number, handler in zip(STOP_SIGNALS, before):
            signal.signal(number, handler)


@pytest.fixture(scope="module")
def stage(mnist_dir, tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("stage"), mnist_dir, ("train", "sample"))


@pytest.mark.parametrize(
    "case",
    [
        "train, no locks, coarse clocks, no reader",
        "train, no syncs of directories, SIGHUP before the 2. a block of steps",
        "sample, no streams, closed home, no working directory",
        "sample, output to a full disk, odd terminal",
        "sample, no home, ASCII",
        "sample, no permission",
        "sample, full disk",
    ],
)
def test_an_odd_environment_changes_nothing_or_ends_a_script_in_one_line(stage, case):
    end, fault = stage.play(case.split(", "))
    assert not fault, f"{end}: {fault}"


def test_runs_made_in_one_second_have_names_of_their_own(runs, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "20211224-183000")
    made = [Run.create_by_date(tiny.CONFIG) for _ in range(3)]
    names = [one.path.name for one in made]
    assert names == ["20211224-183000", "20211224-183000-2", "20211224-183000-3"]


def test_a_signal_in_the_last_steps_is_not_lost(mnist, runs, monkeypatch, kept_graphs):
    steps, last = Trainer.steps, int(4 * 600 / 50)

    def struck(self, first, order, *others):
        if first + len(order) == last:
            os.kill(os.getpid(), signal.SIGINT)
        return steps(self, first, order, *others)

    monkeypatch.setattr(Trainer, "steps", struck)
    made = Run.create(runs / "a", tiny.CONFIG)
    with pytest.raises(loop.Interrupted) as stop:
        loop.train(made, tiny.dataset(mnist))
    assert stop.value.status == 130
    assert made.load_checkpoint().state.step == last


def test_a_closed_terminal_stops_a_training_as_sigterm_does(
    mnist, runs, monkeypatch, kept_graphs
):
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
    begun = Partial(tmp_path / "partial.npz", 2, "", {}, {"rows": (2, 1)}, "cvae.zs")
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
