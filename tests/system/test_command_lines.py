"""Every option of every command, with every kind of bad value: one line, or it works.

The options come from the commands' own parsers, so that a new one is tried, too.
"""

import argparse
import functools
import io
import os
import runpy
import sys
import webbrowser
from pathlib import Path

import forks
import pytest
import readers
from paths import ROOT

from cvae import cli, commands
from cvae.config import Config
from cvae.data import mnist
from cvae.data.dataset import Dataset, Split
from cvae.data.mnist import Verified
from cvae.evaluation import evaluate, tables
from cvae.report import (
    document,
    explorer,
    figures,
    pipeline,
    samples,
    sharing,
    typst,
)
from cvae.runs.run import Run
from cvae.storage import checkout
from cvae.training import console, sweep

SET_UP = "setup_env"  # a script that is not a command of the package
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("[a-z]*.py"))
HUGE = ["9" * 20, "9" * 400, "1e400", "9" * 5000, "1," * 5000 + "1"]
BAD = ["", " ", "-1", "0", "-0.5", "nan", "inf", "-inf", "none", "x", "é٣", "1,,2", ","]
NAMES = [
    "../../..",
    ".",
    "..",
    "/",
    "a b",
    "a\nb",
    "\udcff",
    "ü/ö",
    "x" * 300,
    "x" * 9999,
]
PLACES = [
    "/dev/null",
    "/dev/full",
    "/dev/full/x",
    "/proc/x",
    "/proc/self/mem",
    "/sys/x",
]
SPECIAL = ["file", "file/x.png", "directory", "missing/deep/x.png", "fifo", "--", "-h="]
WORK = {
    *("train_with_console", "write_samples", "evaluate_run", "draw", "build"),
    *("make_report", "export", "write", "_make", "_install", "train_with_progress"),
}
NAME_OF = {checkout.script(name): name for name in (*commands.NAMES, SET_UP)}
VALUES = HUGE + BAD + NAMES + PLACES + SPECIAL


class Told(Exception):
    """The parser that the set-up has built, before it parses."""


def parser_of(name, monkeypatch):
    """The parser of a command, or of the set-up."""
    if name != SET_UP:
        return commands.parser_of(name, checkout.command(name))

    def tell(parser, *unused):
        raise Told(parser)

    with monkeypatch.context() as patch:
        patch.setattr("cvae.cli.Parser.parse_args", tell)
        patch.setattr(sys, "argv", [f"{SET_UP}.py"])
        patch.setattr(sys, "path", [str(ROOT / "scripts")] + sys.path)
        with pytest.raises(Told) as told:
            path = ROOT / "scripts" / f"{SET_UP}.py"
            runpy.run_path(str(path), run_name="__main__")
    return told.value.args[0]


def options_of(name, monkeypatch):
    """([name], whether it takes a value) of every option; [] where there is no name."""
    for action in parser_of(name, monkeypatch)._actions:
        if not isinstance(action, argparse._HelpAction):
            yield action.option_strings[-1:], action.nargs != 0


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty current directory but for a file, a directory, a pipe and a run."""
    folder = tmp_path / "place"
    (folder / "directory").mkdir(parents=True)
    (folder / "file").write_text("mine")
    os.mkfifo(str(folder / "fifo"))
    run = Run.create(folder / "runs" / "first", Config())
    run.append_metrics(readers._row(9))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def calls(monkeypatch):
    """What the commands ask of the package; the work itself is not done."""
    said = []

    def stub(room, name, result):
        def note(*args, **kwargs):
            said.append(name)
            return result

        monkeypatch.setattr(room, name, note)

    split = Split(*[array[:1] for array in _images_and_labels()])
    stub(mnist, "load", Dataset("mnist", split, split, ""))
    stub(mnist, "fetch", [Verified(ROOT / "setup.py", b"")])
    stub(mnist, "parse", Dataset("mnist", split, split, ""))
    stub(console, "train_with_console", 0)
    stub(samples, "write_samples", [])
    stub(evaluate, "evaluate_run", {})
    stub(tables, "evaluation_table", "")
    stub(figures, "draw", {})
    stub(sharing, "export", [])
    stub(document, "build", [Path("file")])
    stub(typst, "page_count", 4)
    stub(explorer, "write", None)
    stub(webbrowser, "open", True)
    stub(pipeline, "make_report", 0)
    stub(sweep, "train_with_progress", [])
    stub(sweep, "table", "")
    return said


def _images_and_labels():
    images = mnist.parse_idx_images(readers._IMAGES, "f")
    return images, mnist.parse_idx_labels(readers._LABELS, "f")


def run_here(name, arguments, monkeypatch):
    """(status, stderr) of the command, run in this process."""
    main = functools.partial(commands.run_one, f"cvae {name}", name, arguments)
    return run_main(main, name, arguments, monkeypatch)


def run_main(main, name, arguments, monkeypatch):
    err = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [name] + arguments)
        patch.setattr(sys, "stderr", err)
        patch.setattr(sys, "stdout", io.StringIO())
        patch.setattr("signal.signal", lambda *unused: None)
        patch.setattr(os, "_exit", sys.exit)
        try:
            cli.run_main(main)
        except SystemExit as stop:
            status = stop.code
    return status or 0, err.getvalue()


def assert_one_line_or_done(status, err, what):
    assert status in (0, 2), what
    assert "Traceback" not in err, what
    if status == 2:
        lines = err.strip("\n").split("\n")
        if lines[0].startswith("note: there is no run yet"):  # in a new checkout
            del lines[0]
        assert len(lines) == 1 and lines[0].startswith("error: "), (what, err)


def listing(folder):
    found = []
    for place, folders, names in os.walk(str(folder)):
        found += [os.path.join(place, name) for name in folders + names]
    return sorted(found)


def delete(paths):
    """Delete what a value that works has made, or the next look at it all is slow."""
    for path in map(Path, sorted(paths, reverse=True)):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def assert_all_values_are_one_line_or_work(name, place, calls, monkeypatch, run):
    devices = [os.stat(path).st_mode for path in ("/dev/null", "/dev/full")]
    worked, settings = 0, []
    if name == "sweep":  # `train` has them of the same function, with all values
        settings = [option for option, _ in options_of("train", monkeypatch)]
    for option, takes_value in options_of(name, monkeypatch):
        values = BAD if option in settings else VALUES
        given = [option + [value] for value in values] + [option]
        for arguments in given if takes_value else [option, [option[0] + "=x"]]:
            del calls[:]
            before = listing(place.parent)
            status, err = run(name, arguments, monkeypatch)
            assert_one_line_or_done(status, err, arguments)
            worked += status == 0
            if status == 2:
                assert not set(calls) & WORK, arguments
                assert listing(place.parent) == before, arguments
            else:
                delete(set(listing(place.parent)) - set(before))
    assert worked  # not everything is refused because of the place
    assert devices == [os.stat(path).st_mode for path in ("/dev/null", "/dev/full")]


@pytest.mark.parametrize("name", commands.NAMES)
def test_every_option_with_every_value_is_one_line_or_works(
    name, place, calls, monkeypatch
):
    assert_all_values_are_one_line_or_work(name, place, calls, monkeypatch, run_here)


def test_every_option_of_the_set_up_with_every_value_is_one_line_or_works(
    place, monkeypatch
):
    (place / "requirements.txt").write_text("numpy==1.18.5")
    calls = []

    path = ROOT / "scripts" / f"{SET_UP}.py"

    def set_up(name, arguments, monkeypatch):
        room = runpy.run_path(str(path), run_name=name)
        inside = room["main"].__globals__
        inside["ROOT"] = place
        for name in ("_make", "_install"):
            inside[name] = lambda *unused, name=name: calls.append(name)
        find, later = inside["find_python"], inside["STACKS"][1]
        inside["find_python"] = lambda stacks, command=None: (
            find(stacks, command) if command else (later, "python3.12")
        )
        return run_main(room["main"], name, arguments, monkeypatch)

    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts")] + sys.path)
    monkeypatch.delenv("PYTHON", raising=False)
    assert_all_values_are_one_line_or_work(SET_UP, place, calls, monkeypatch, set_up)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_mistyped_option_is_one_line_that_suggests_the_nearest(script, monkeypatch):
    (option,) = list(options_of(NAME_OF[script], monkeypatch))[-1][0]
    for wrong in (option + "x", option[:-1]):
        status, err = run_script(script, wrong + "=3")
        assert status == 2 and err.count("\n") == 1, err
        assert f"there is no {wrong!r}; did you mean {option!r}" in err


@pytest.mark.parametrize("name", [*commands.NAMES, SET_UP])
def test_help_describes_every_option_with_its_default(name, monkeypatch):
    parser = parser_of(name, monkeypatch)
    for action in parser._actions:
        assert action.help, action.option_strings
        says_default = "left out" in action.help or "default" in action.help
        if action.nargs != 0 and action.default is None:
            assert says_default, action.option_strings
    text = parser.format_help()
    how = "cvae completion" if name == "completion" else checkout.script(name)
    assert how in text.replace(parser.format_usage(), "")


def run_script(script, *arguments, **kwargs):
    """(status, stderr) of the script in a process of its own."""
    status, _, err = forks.run(script, *arguments, **kwargs)
    return status, err


@pytest.mark.parametrize(
    "line",
    [
        "train.py --run /proc/x",
        "train.py --run file",
        "train.py --run ..",
        "train.py --run /dev/null",
        "train.py --hidden 999999,999999",
        "train.py --batch-size 1000000",
        "train.py --z-dim 99999999999999999999",
        "train.py --mnist-dir fifo",
        "sample.py --run fifo",
        "sample.py --output /dev/full",
        "explore.py --output /dev/full/x.html",
        "sample.py --per-class 1000 --classes " + "1," * 20 + "1",
        "evaluate.py --run directory",
        "build_report.py --output file",
        "make_report.py --output /proc/x",
        "make_report.py --output /dev/null",
        "binarize_mnist.py --output /sys/x",
        "binarize_mnist.py --output /dev/null",
        "download_mnist.py --mnist-dir /dev/full",
        "setup_env.py --venv /proc/x",
        "setup_env.py --venv setup.py",
    ],
)
def test_the_real_thing_refuses_in_one_line_and_leaves_nothing(place, line):
    before = listing(place.parent)
    status, err = run_script(*line.split())
    assert status == 2, err
    assert_one_line_or_done(status, err, line)
    assert listing(place.parent) == before


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train.py", "--run", ""], "--run: the path is empty"),
        (["sample.py", "--mnist-dir"], "there is no '--mnist-dir'"),
        (["evaluate.py", "--run", "\udcff"], "is not UTF-8"),
        (["sample.py", "--output", "x.npz"], "does not end in .png or .svg"),
        (["sample.py", "--output", ".."], "does not end in .png or .svg"),
        (["explore.py", "--output", "x.htm"], "does not end in .html"),
        (["build_report.py", "--output", ""], "--output: the path is empty"),
        (["setup_env.py", "--venv", ""], "--venv: the path is empty"),
    ],
)
def test_what_names_no_file_is_refused_by_the_option_itself(place, arguments, words):
    status, err = run_script(*arguments)
    assert_one_line_or_done(status, err, arguments)
    assert status == 2 and words in err


def test_a_full_disk_behind_the_output_is_one_line(place, mnist_dir):
    status, err = run_script(
        "download_mnist.py", "--mnist-dir", str(mnist_dir), stdout="/dev/full"
    )
    assert status == 2
    assert_one_line_or_done(status, err, "/dev/full")
    assert "No space left" in err
