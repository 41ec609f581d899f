"""A run's data: bits drawn at each visit, once or by a threshold."""

import dataclasses

import numpy as np
import pytest
import tiny
from idx_files import TEST_BITS_SHA256, refusal

from cvae.config import Config
from cvae.data.binarize import binarize
from cvae.data.prepare import fitted, prepared


def config(**changes):
    return dataclasses.replace(Config(), **changes)


def test_dynamic_binarization_leaves_the_intensities(mnist):
    assert prepared(mnist, config()) is mnist


def test_a_threshold_makes_ones_of_the_upper_half_of_the_intensities(mnist):
    small = tiny.dataset(mnist, 50, 20)
    found = prepared(small, config(binarize="threshold"))
    for split, before in ((found.train, small.train), (found.test, small.test)):
        assert split.images.dtype == np.uint8 and split.labels is before.labels
        assert (split.images == np.where(before.images / 255 > 0.5, 255, 0)).all()


def test_static_bits_are_drawn_once_and_the_test_bits_are_those_of_every_run(mnist):
    import hashlib

    small = mnist._replace(train=tiny.dataset(mnist, 400).train)
    found, again = (prepared(small, config(binarize="static")) for _ in "ab")
    assert (found.train.images == again.train.images).all()
    assert set(np.unique(found.train.images)) == {0, 255}
    # Close to the intensities on average: 400 draws of each pixel.
    drawn, wanted = (x.mean(0) / 255 for x in (found.train.images, small.train.images))
    assert abs(drawn - wanted).max() < 0.12
    bits = binarize(found.test.images)
    assert hashlib.sha256(bits.tobytes()).hexdigest() == TEST_BITS_SHA256


@pytest.mark.parametrize("how", ["static", "threshold"])
def test_binarized_images_stay_as_they_are_however_often(mnist, how):
    once = prepared(tiny.dataset(mnist, 50, 20), config(binarize=how))
    twice = prepared(once, config(binarize=how))
    assert (twice.train.images == once.train.images).all()
    for seed in range(3):
        assert (255 * binarize(once.train.images, seed) == once.train.images).all()


def test_settings_take_size_classes_and_place_from_the_data(mnist):
    small = mnist._replace(classes=tuple("abcdefghijk"), path="/some/where")
    found = fitted(config(network="conv"), small)
    assert (found.n_classes, found.x_dim, found.dataset) == (11, 784, "/some/where")
    assert fitted(config(), mnist) == config()


def test_data_of_another_size_or_with_more_classes_are_refused(mnist):
    assert "images of 784 pixels" in refusal(prepared, mnist, config(x_dim=64))
    assert "10 classes" in refusal(prepared, mnist, config(n_classes=9))
