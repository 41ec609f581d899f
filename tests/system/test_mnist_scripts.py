"""The data scripts, run as a user runs them."""

import hashlib
import os
import shutil
import subprocess
import sys

import hostile_server
import numpy as np
import pytest
from idx_files import TEST_BITS_SHA256
from paths import ROOT

SCRIPTS = ["download_mnist.py", "binarize_mnist.py"]


def run(script, *args, root=ROOT, python=(sys.executable,), **env):
    """(exit status, stdout, stderr) of `script` without this process's settings."""
    kept = {k: v for k, v in os.environ.items() if k not in ("MNIST_DIR", "PYTHONPATH")}
    done = subprocess.run(
        [*python, str(root / "scripts" / script), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(kept, **env),
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def assert_refused(result, *words):
    status, out, err = result
    assert status == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    for word in words:
        assert word in err


def test_download_ends_with_the_counts_one_should_see(mnist_dir):
    status, out, err = run("download_mnist.py", MNIST_DIR=str(mnist_dir))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"MNIST is in {mnist_dir}"
    assert sum(line.endswith("bytes  verified") for line in lines) == 4
    assert lines[-2].split()[:3] == ["train", "60,000", "images;"]
    assert lines[-1].split()[:3] == ["test", "10,000", "images;"]
    assert lines[-1].endswith(" 980 1135 1032 1010 982 892 958 1028 974 1009")


def test_download_says_which_file_is_missing(tmp_path):
    result = run("download_mnist.py", "--mnist-dir", str(tmp_path))
    assert_refused(result, str(tmp_path / "train-images-idx3-ubyte.gz"), "not found")


def test_download_without_network_is_one_error_line_and_leaves_nothing(tmp_path):
    root = tmp_path / "project"
    for part in ("cvae", "scripts"):
        shutil.copytree(str(ROOT / part), str(root / part))
    (root / "setup.py").write_text("")
    nobody = hostile_server.refused_mirror()
    proxy = dict(http_proxy=nobody, https_proxy=nobody, no_proxy="")
    status, out, err = run("download_mnist.py", root=root, **proxy)
    assert status == 2 and out == ""
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("error: ") and "--dataset mnist-5k" in last
    assert last.count("Connection refused") == 3
    assert not (root / "data").exists()


def test_binarized_test_set_is_the_same_file_every_time(mnist_dir, mnist, tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "new" / "b.npz"]
    for path in paths:
        status, out, err = run(
            "binarize_mnist.py", "--output", str(path), MNIST_DIR=str(mnist_dir)
        )
        assert (status, err) == (0, "")
        assert str(path) in out and TEST_BITS_SHA256 in out
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(str(paths[0]), allow_pickle=False) as saved:
        assert sorted(saved.files) == ["images", "labels", "seed"]
        assert saved["images"].shape == (10000, 784)
        digest = hashlib.sha256(saved["images"].tobytes()).hexdigest()
        assert digest == TEST_BITS_SHA256
        assert (saved["labels"] == mnist.test.labels).all()
        assert saved["seed"] == 20210501


@pytest.mark.parametrize("seed", ["-1", "4294967296", "", "nan", "٣x"])
def test_bad_seed_is_refused_and_the_old_file_stays(mnist_dir, tmp_path, seed):
    output = tmp_path / "bits.npz"
    output.write_bytes(b"old")
    args = ["--output", str(output), "--mnist-dir", str(mnist_dir), "--seed", seed]
    assert_refused(run("binarize_mnist.py", *args), "seed")
    assert output.read_bytes() == b"old"


def test_impossible_output_is_refused(mnist_dir, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    for output in (tmp_path / "file" / "bits.npz", tmp_path):
        args = ["--output", str(output), "--mnist-dir", str(mnist_dir)]
        assert_refused(run("binarize_mnist.py", *args), str(output), "cannot write")
    assert os.listdir(str(tmp_path)) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("script", SCRIPTS)
def test_python_without_the_packages_says_how_to_get_them(script):
    result = run(script, python=(sys.executable, "-S"))
    assert_refused(result, "make env", ".venv/bin/python scripts/" + script)
