"""examples/minimal.py as a student runs it, and beside the package's own model."""

import dataclasses
import os
import re
import subprocess
import sys

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
CONFIG = dataclasses.replace(tiny.CONFIG, hidden=(500, 500), z_dim=40)
CONFIG = dataclasses.replace(CONFIG, activation="relu", film=False)

sys.path.insert(0, str(SCRIPT.parent))

import minimal  # noqa: E402

pytestmark = pytest.mark.zhusuan


def run(mnist_dir, grid, *arguments):
    command = [sys.executable, str(SCRIPT), "--output", str(grid), *arguments]
    done = subprocess.run(
        command,
        env=dict(os.environ, MNIST_DIR=str(mnist_dir)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    return done.returncode, done.stdout, done.stderr


def bounds(printed):
    """The training bounds of the epochs, and the two test bounds."""
    training = re.findall(r"(?m)^epoch \d+: training bound (-[\d.]+)$", printed)
    test = re.findall(r"(?m)^test bound on log p\(x(?: \||,) y\): (-[\d.]+)", printed)
    return [float(b) for b in training], [float(b) for b in test]


@pytest.fixture(scope="module")
def trained(mnist_dir, tmp_path_factory):
    """What an epoch prints, and the grid that it writes."""
    grid = tmp_path_factory.mktemp("minimal") / "grid.png"
    status, out, err = run(mnist_dir, grid, "--epochs", "1")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == str(grid)
    return out, matplotlib.image.imread(str(grid))


def test_the_bound_rises_above_that_of_independent_pixels(trained, mnist):
    (training,), (given_y, joint) = bounds(trained[0])
    # log p(x) of pixels that are independent given the class, which needs no z.
    train = mnist.train
    bits = binarize(mnist.test.images)
    total = 0.0
    for digit in range(10):
        means = (train.images[train.labels == digit] / 255.0).mean(0)
        means = np.clip(means, 1e-4, 1 - 1e-4)
        own = bits[mnist.test.labels == digit]
        total += (own * np.log(means) + (1 - own) * np.log(1 - means)).sum()
    assert training < given_y and total / len(bits) + 40 < given_y < -80
    assert joint == pytest.approx(given_y - np.log(10), abs=0.011)


def test_rows_of_the_grid_show_their_classes(trained, mnist):
    grid = 1 - trained[1][:, :, 0]  # ink
    assert grid.shape == (280, 280)
    images = grid.reshape(10, 28, 10, 28).swapaxes(1, 2).reshape(10, 10, 784)
    means = [mnist.train.images[mnist.train.labels == c].mean(0) for c in range(10)]
    likeness = np.corrcoef(images.mean(1), np.array(means))[:10, 10:]
    right = likeness.argmax(1) == np.arange(10)
    assert right.sum() >= 7  # after one epoch, a 1 may still be near the mean 8
    assert images.std(1).max() > 0.1  # z counts, too


def test_with_the_same_weights_its_bound_is_the_packages(mnist):
    """The same variables in both; the draws of z differ, so that means are compared."""
    weights = tiny.random_weights(tiny.shapes(CONFIG))
    bits = binarize(mnist.test.images[:2000])
    labels = mnist.test.labels[:2000]
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
