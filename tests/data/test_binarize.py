"""Bits are drawn as promised: the same everywhere, from the intensities only."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from idx_files import PIXELS, TEST_BITS_SHA256, refusal

from cvae.data.binarize import binarize


def test_test_bits_are_the_same_everywhere(mnist):
    bits = binarize(mnist.test.images)
    assert hashlib.sha256(bits.tobytes()).hexdigest() == TEST_BITS_SHA256


def test_bits_do_not_depend_on_chunks():
    images = np.random.RandomState(1).randint(0, 256, (2345, 7)).astype(np.uint8)
    random = np.random.RandomState(9)
    one_by_one = [random.random_sample() < value / 255 for value in images.ravel()]
    bits = binarize(images, 9)
    assert bits.dtype == np.uint8 and bits.shape == images.shape
    assert bits.ravel().tolist() == one_by_one
    assert (binarize(images[:1234], 9) == bits[:1234]).all()


def test_bits_have_the_mean_that_the_intensity_says():
    draws = 20000
    images = np.tile(np.arange(256, dtype=np.uint8), (draws, 1))
    mean = binarize(images, 3).mean(axis=0)
    p = np.arange(256) / 255
    sigma = np.sqrt(p * (1 - p) / draws)
    assert (np.abs(mean - p) <= 5 * sigma).all()
    assert mean[0] == 0 and mean[255] == 1


@pytest.mark.parametrize("draw", [0.0, 1 - 2.0**-53])
def test_black_and_white_are_certain_even_at_the_generators_limits(monkeypatch, draw):
    class Extreme(np.random.RandomState):
        def random_sample(self, size=None):
            return np.full(size, draw)

    monkeypatch.setattr(np.random, "RandomState", Extreme)
    images = np.array([[0, 255]], np.uint8)
    assert binarize(images).tolist() == [[0, 1]]


def test_bits_follow_the_seed_and_leave_the_global_generator_alone(mnist):
    images = mnist.test.images[:50]
    before = np.random.get_state()[1].copy()
    bits = binarize(images, 1)
    assert (bits == binarize(images, 1)).all()
    assert (bits != binarize(images, 2)).any()
    assert (before == np.random.get_state()[1]).all()


def test_binarizing_takes_little_memory(mnist):
    tracemalloc.start()
    binarize(mnist.test.images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 7840000 + (20 << 20)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_impossible_seed_is_refused(seed):
    assert str(seed) in refusal(binarize, PIXELS, seed)
