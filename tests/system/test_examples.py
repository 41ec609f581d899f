"""examples/minimal.py as a student runs it, and beside the package's own model."""

import contextlib
import dataclasses
import io
import re
import subprocess
import sys
from unittest import mock

import matplotlib.image
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny
from paths import ROOT

from cvae.backend import compat
from cvae.data.binarize import binarize
from cvae.inference.trained import Model

SCRIPT = ROOT / "examples" / "minimal.py"
UNITS = 200  # of a hidden layer, not 500, and a higher rate: the runs are short
CONFIG = dataclasses.replace(tiny.CONFIG, hidden=(UNITS, UNITS), z_dim=40)
CONFIG = dataclasses.replace(CONFIG, activation="relu", film=False)

sys.path.insert(0, str(SCRIPT.parent))

import minimal  # noqa: E402

pytestmark = pytest.mark.zhusuan


@pytest.fixture(scope="module", autouse=True)
def smaller():
    with mock.patch.multiple(minimal, HIDDEN=UNITS, RATE=4e-3):
        yield


def bounds(printed):
    """The training bounds of the epochs, and the two test bounds."""
    training = re.findall(r"(?m)^epoch \d+: training bound (-[\d.]+)$", printed)
    test = re.findall(r"(?m)^test bound on log p\(x(?: \||,) y\): (-[\d.]+)", printed)
    return [float(b) for b in training], [float(b) for b in test]


@pytest.fixture(scope="module")
def trained(mnist, smaller, tmp_path_factory):
    """What two epochs of a fifth of the images print, and the grid they end with."""
    grid = tmp_path_factory.mktemp("minimal") / "grid.png"
    arguments = ["minimal.py", "--output", str(grid), "--epochs", "2"]
    printed = io.StringIO()
    data = tiny.dataset(mnist, n_train=12000, n_test=1000)
    with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(printed):
        with mock.patch.object(minimal.mnist, "load", lambda: data):
            minimal.main()
    out = printed.getvalue()
    assert out.splitlines()[-1] == str(grid)
    return out, matplotlib.image.imread(str(grid))


def test_the_bound_rises_above_that_of_independent_pixels(trained, mnist):
    training, (given_y, joint) = bounds(trained[0])
    # log p(x) of pixels that are independent given the class, which needs no z.
    train = mnist.train
    test = tiny.dataset(mnist, n_test=1000).test
    bits, total = binarize(test.images), 0.0
    for digit in range(10):
        means = (train.images[train.labels == digit] / 255.0).mean(0)
        means = np.clip(means, 1e-4, 1 - 1e-4)
        own = bits[test.labels == digit]
        total += (own * np.log(means) + (1 - own) * np.log(1 - means)).sum()
    assert training[0] < training[1] < given_y
    assert total / len(bits) + 15 < given_y < -80
    assert joint == pytest.approx(given_y - np.log(10), abs=0.011)


def test_rows_of_the_grid_show_their_classes(trained, mnist):
    grid = 1 - trained[1][:, :, 0]  # ink
    assert grid.shape == (280, 280)
    images = grid.reshape(10, 28, 10, 28).swapaxes(1, 2).reshape(10, 10, 784)
    means = [mnist.train.images[mnist.train.labels == c].mean(0) for c in range(10)]
    likeness = np.corrcoef(images.mean(1), np.array(means))[:10, 10:]
    right = likeness.argmax(1) == np.arange(10)
    assert right.sum() >= 7  # so early, a 1 may still be near the mean 8
    assert images.std(1).max() > 0.1  # z counts, too


def test_with_the_same_weights_its_bound_is_the_packages(mnist):
    """The same variables in both; the draws of z differ, so that means are compared."""
    weights = tiny.random_weights(tiny.shapes(CONFIG))
    bits = binarize(mnist.test.images[:1000])
    labels = mnist.test.labels[:1000]
    with compat.new_graph(), tf.Session() as session:
        x, y = tf.constant(bits, tf.float32), tf.one_hot(labels, 10)
        generator = minimal.build_generator(tf.shape(y)[0])
        bound = minimal.lower_bound(generator, x, y).tensor
        variables = {v.op.name: v for v in tf.global_variables()}
        assert variables.keys() == weights.keys()
        compat.load(session, variables, weights)
        found = np.mean([session.run(bound) for _ in range(5)], 0) + np.log(10)
    with Model(CONFIG, weights) as model:
        expected = model.bound(bits, labels).total
    difference = found - expected
    error = difference.std() / np.sqrt(len(bits))
    assert abs(difference.mean()) < 4 * error and error < 0.005 * -expected.mean()


def test_the_same_seed_prints_and_draws_the_same(mnist, capsys):
    data = tiny.dataset(mnist)
    (first, printed), (second, again) = (
        (minimal.train(data.train, data.test, 1), capsys.readouterr().out)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert printed == again and first.shape == (100, 784)


@pytest.mark.parametrize("arguments", [("--epochs", "0"), ("--epoch", "2")])
def test_bad_input_is_one_line(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["minimal.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        minimal.main()
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and arguments[0] in err


def test_it_starts_in_any_directory_as_a_student_starts_it(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"],
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert (done.returncode, done.stderr) == (0, "") and "--epochs" in done.stdout
