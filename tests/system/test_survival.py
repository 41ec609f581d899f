"""What a run survives: kills, signals, damaged files, full disks, a second process.

All of it as a user meets it: scripts in processes of their own, most of them on some
thousands of images.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import forks
import numpy as np
import pytest
import tiny
import traps
from paths import HELPERS, ROOT, TESTS

SMALL = tiny.OPTIONS
IMAGES = 2000  # ten steps an epoch of `SMALL`, and eight of the default
GRAPHS = tiny.SCRIPTS, IMAGES  # of `SMALL`
DEFAULT_GRAPHS = {}, IMAGES
NUMBERS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def start(script, *args, **kwargs):
    return subprocess.Popen(
        [sys.executable, str(script)] + [str(arg) for arg in args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **kwargs,
    )


def train(path, mnist_dir, *args, graphs=GRAPHS, **kwargs):
    """Start train.py on the first images."""
    what = {"images": IMAGES, "test_images": 1000, "mnist_dir": str(mnist_dir)}
    command = [json.dumps(what), "train.py", "--run", path, "--mnist-dir", mnist_dir]
    kwargs.update(mnist_dir=mnist_dir, graphs=graphs)
    return forks.start(HELPERS / "strike.py", *command, *args, **kwargs)


def struck(tmp_path, site, number, command, mnist_dir, graphs=GRAPHS, **more):
    """Run `command` until a signal strikes it at `site`: result, seconds to the end.

    The seconds are those that all cores would need for what it still did: by the clock
    they would be others' work on the machine as well.
    """
    stamp = tmp_path / "stamp"
    what = dict(more, site=site, signal=int(number), stamp=str(stamp))
    what["mnist_dir"] = str(mnist_dir)
    strike = HELPERS / "strike.py", json.dumps(what), *command
    if site in traps.SITES:
        process = forks.start(*strike, mnist_dir=mnist_dir, graphs=graphs)
        out, err = process.communicate()
        in_all = process.cpu_seconds
    else:
        before = cpu_seconds_of_children()
        process = start(*strike)
        out, err = process.communicate(timeout=120)
        in_all = cpu_seconds_of_children() - before
    worked = in_all - float(stamp.read_text())
    return process.returncode, out, err, worked / os.cpu_count()


def cpu_seconds_of_children():
    """User and system time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_for(path, process):
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def checkpoint(path):
    """Return the arrays of the latest checkpoint by the index, read independently."""
    index = json.loads((path / "checkpoints" / "index.json").read_text())
    with np.load(str(path / "checkpoints" / index["recent"][0]["file"])) as archive:
        return {name: archive[name] for name in archive.files}


def state(path):
    return json.loads(str(checkpoint(path)["__state__"]))


def end(process, timeout=120):
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err and "Exception ignored" not in err, err
    return process.returncode, out, err


def assert_one_line(result, *words):
    status, _, err = result
    assert status == 2, err
    lines = [line for line in err.splitlines() if not line.startswith("epoch ")]
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    for word in words:
        assert word in lines[0]


# Kills


def test_kills_and_other_mishaps_end_as_the_run_that_was_never_disturbed(mnist_dir):
    """SIGKILL at a random moment and inside every kind of write; damage; a full disk.

    tests/soak/kill.py compares weights, optimizer, metrics and samples bit for bit,
    and another seed's; `make soak-kill` is the same with hundreds of kills.
    """
    command = [TESTS / "soak" / "kill.py", "--kills", 5, "--mnist-dir", mnist_dir]
    process = forks.start(*command, mnist_dir=mnist_dir, graphs=GRAPHS)
    status, out, err = end(process, 400)
    assert status == 0, out + err
    assert int(re.search(r"survived (\d+) kills", out).group(1)) >= 5
    for mishap in (
        *(
            "at a random moment",
            "middle of a checkpoint",
            "middle of a line of metrics",
        ),
        *("middle of a TensorBoard file", "latest checkpoint", "disk full", "stopped"),
    ):
        assert mishap in out


# Signals, at the default size


@pytest.mark.parametrize(
    "site, count, number",
    [
        ("a block of steps", 1, signal.SIGTERM),
        ("an evaluation", 1, signal.SIGTERM),
        ("a checkpoint", 1, signal.SIGINT),
    ],
)
def test_a_signal_ends_a_default_run_within_two_seconds_with_a_checkpoint(
    mnist_dir, tmp_path, site, count, number
):
    path = tmp_path / "run"
    command = ["train.py", "--run", path, "--mnist-dir", mnist_dir]
    command += ["--evaluate-every", "1", "--epochs", "100"]
    more = {"count": count, "images": IMAGES, "test_images": 10000}
    status, out, err, seconds = struck(
        tmp_path, site, number, command, mnist_dir, DEFAULT_GRAPHS, **more
    )
    assert (status, err.count("Traceback")) == (NUMBERS[number], 0), err
    assert f"--resume --run {path}" in out
    assert state(path)["step"] > 0
    assert seconds < 2.0, seconds


def test_an_impatient_second_and_third_ctrl_c_spoil_nothing(mnist_dir, tmp_path):
    path = tmp_path / "run"
    process = train(path, mnist_dir, "--epochs", "100000", graphs=DEFAULT_GRAPHS)
    wait_for(path / "metrics.jsonl", process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    status, _, err = end(process)
    assert status in (130, -signal.SIGINT), err
    assert all(np.isfinite(a).all() for a in checkpoint(path).values() if a.ndim)
    left = {p.name for p in (path / "checkpoints").iterdir()}
    assert left == {"index.json", f"step-{state(path)['step']:09d}.npz"}


@pytest.mark.parametrize(
    "site, number",
    [
        ("numpy", signal.SIGINT),
        ("cvae.runs.run", signal.SIGTERM),
        ("tensorflow", signal.SIGINT),
        ("tensorflow.python.keras", signal.SIGINT),
        ("cvae.training.loop", signal.SIGTERM),
    ],
)
def test_a_signal_at_start_up_ends_it_without_a_traceback(
    mnist_dir, tmp_path, site, number
):
    command = ["train.py", "--run", tmp_path / "run", "--mnist-dir", mnist_dir]
    status, _, err, seconds = struck(tmp_path, site, number, command, mnist_dir)
    assert (status, err) == (NUMBERS[number], "interrupted\n")
    assert seconds < 2.0, seconds
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_signal_that_an_import_swallows_still_ends_the_script(tmp_path):
    """Modules of TensorFlow hold bare `except:` clauses."""
    (tmp_path / "swallow.py").write_text(
        "import os, time\n"
        "try:\n    os.kill(os.getpid(), 15)\n    time.sleep(1)\nexcept:\n    pass\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom cvae.cli import "
        "run_main\n"
        "run_main(lambda: __import__('swallow'))\n"
    )
    status, _, err = end(start(script))
    assert (status, err) == (143, "interrupted\n")


@pytest.fixture(scope="module")
def trained(mnist_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "small"
    status, _, err = end(train(path, mnist_dir, *SMALL, "--epochs", "1"))
    assert status == 0, err
    return path


@pytest.mark.parametrize("number", sorted(NUMBERS))
def test_a_signal_ends_an_evaluation_and_leaves_nothing_half_written(
    trained, mnist_dir, tmp_path, number
):
    def files():  # whether a partial evaluation is there depends on the machine
        paths = sorted(trained.rglob("*"))
        return [path for path in paths if "evaluation-partial" not in path.name]

    before = files()
    command = ["evaluate.py", "--run", trained, "--mnist-dir", mnist_dir]
    command += ["--particles", 1, "--checks", 0]
    more = {"images": IMAGES, "test_images": 50}
    status, _, err, _ = struck(tmp_path, "an fsync", number, command, mnist_dir, **more)
    assert status == NUMBERS[number]
    assert err.splitlines()[-1] == "interrupted" and "Traceback" not in err
    assert files() == before


# Full disks


def test_a_full_disk_stops_the_run_with_one_line_and_keeps_the_checkpoint_before(
    mnist_dir, tmp_path
):
    """The kernel refuses the write (EFBIG), as it does on a full disk (ENOSPC)."""
    path = tmp_path / "run"
    command = ["train.py", "--run", path, *SMALL, "--epochs", "4"]
    more = {"count": 2, "images": IMAGES, "test_images": 1000}
    struck(tmp_path, "a block of steps", signal.SIGTERM, command, mnist_dir, **more)
    before = (path / "checkpoints" / "index.json").read_bytes()
    saved = state(path)
    process = train(path, mnist_dir, "--resume", file_size=200000)
    assert_one_line(end(process), "cannot write", str(path / "checkpoints"))
    assert (path / "checkpoints" / "index.json").read_bytes() == before
    assert state(path) == saved
    assert end(train(path, mnist_dir, "--resume"))[0] == 0
    assert state(path)["step"] == 40


def test_a_full_disk_under_the_metrics_is_one_line(mnist_dir, tmp_path):
    """/dev/full is the real ENOSPC."""
    path = tmp_path / "run"
    process = train(path, mnist_dir, *SMALL, "--epochs", "100000")
    wait_for(path / "metrics.jsonl", process)
    (tmp_path / "full").symlink_to("/dev/full")
    os.replace(str(tmp_path / "full"), str(path / "metrics.jsonl"))
    assert_one_line(end(process), "metrics.jsonl", "No space left", "--resume")


# A second process


def test_a_run_in_use_is_locked_and_the_lock_of_a_killed_process_is_no_obstacle(
    mnist_dir, tmp_path
):
    path = tmp_path / "run"
    first = train(path, mnist_dir, *SMALL, "--epochs", "100000")
    wait_for(path / "metrics.jsonl", first)
    second = train(path, mnist_dir, "--resume")
    assert_one_line(end(second), "another process is training", str(path))
    first.send_signal(signal.SIGKILL)
    assert end(first)[0] == -signal.SIGKILL
    (path / "metrics.jsonl").unlink()
    third = train(path, mnist_dir, "--resume")
    wait_for(path / "metrics.jsonl", third)
    third.send_signal(signal.SIGTERM)
    assert end(third)[0] == 143


def test_of_two_processes_that_make_the_same_run_one_does(mnist_dir, tmp_path):
    path = tmp_path / "run"
    twins = [
        train(path, mnist_dir, *SMALL, "--epochs", "4", "--seed", seed)
        for seed in (0, 1)
    ]
    results = sorted((end(twin) + (twin.args,) for twin in twins), key=lambda r: r[0])
    assert results[0][0] == 0
    assert_one_line(results[1][:3], str(path), "--run")
    config = json.loads((path / "config.json").read_text())
    assert str(config["seed"]) == results[0][3][-1]


# Numbers


@pytest.mark.parametrize("rate, epochs", [("1e6", "0.2"), ("1e6", "12"), ("1e9", "24")])
def test_a_huge_learning_rate_is_a_clear_stop_or_a_right_result_and_never_nan(
    mnist_dir, tmp_path, rate, epochs
):
    path = tmp_path / "run"
    options = [*SMALL, "--learning-rate", rate, "--epochs", epochs]
    result = end(train(path, mnist_dir, *options))
    if result[0]:
        assert_one_line(result, "not finite at step", "--learning-rate")
    for line in (path / "metrics.jsonl").read_text().splitlines():
        assert np.isfinite(list(json.loads(line).values())).all()
    if (path / "checkpoints" / "index.json").exists():
        arrays = checkpoint(path)
        del arrays["__state__"]
        assert all(np.isfinite(array).all() for array in arrays.values())
