"""What a trained model refuses, in one line, before TensorFlow reads it."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference.trained import Model


def test_weights_of_another_architecture_are_refused(weights):
    with pytest.raises(CvaeError, match="another architecture"):
        Model(Config(hidden=(20, 16), z_dim=6), weights)


def test_weights_of_another_type_are_refused(weights):
    words = {name: np.full(array.shape, "x") for name, array in weights.items()}
    for others in (words, {name: a.astype(int) for name, a in weights.items()}):
        with pytest.raises(CvaeError, match="is of type"):
            Model(tiny.UNTRAINED, others)


def test_a_model_that_cannot_be_made_leaves_no_session_open(weights, monkeypatch):
    closed, close = [], tf.Session.close
    monkeypatch.setattr(
        tf.Session, "close", lambda self: closed.append(self) or close(self)
    )
    opened, make = [], tf.Session.__init__

    def note(self, *arguments, **keywords):
        opened.append(self)
        make(self, *arguments, **keywords)

    monkeypatch.setattr(tf.Session, "__init__", note)
    with pytest.raises(CvaeError):
        Model(Config(hidden=(20, 16), z_dim=6), weights)
    assert opened and set(opened) <= set(closed)


GREY = np.full((2, 784), 0.5)
ZEROS = np.zeros((2, 784), np.uint8)
DOORS = {
    "encode": lambda model, x, y: model.encode(x, y),
    "bound": lambda model, x, y: model.bound(x, y),
    "log_likelihood": lambda model, x, y: model.log_likelihood(x, y, 1),
    "posterior": lambda model, x, y: model.posterior(x, y),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "bits, labels, words",
    [
        (GREY, [1, 2], "binarize"),
        (ZEROS + 255, [1, 2], "binarize"),
        (GREY * np.nan, [1, 2], "binarize"),
        (ZEROS[:, :64], [1, 2], r"not \(n, 784\)"),
        (ZEROS.reshape(2, 28, 28), [1, 2], "flatten"),
        (ZEROS, [1, 10], "from 1 to 10"),
        (ZEROS, [-1, 2], "from -1"),
        (ZEROS, [1.0, 2.0], "integers"),
    ],
)
def test_no_door_takes_what_the_model_cannot(model, door, bits, labels, words):
    with pytest.raises(CvaeError, match=words) as error:
        DOORS[door](model, bits, labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "bits, labels, words",
    [(ZEROS[:0], [], "no bits"), (ZEROS, [1], "shape"), (ZEROS, np.eye(2), "shape")],
)
def test_no_door_takes_nothing_or_too_few_labels(model, door, bits, labels, words):
    with pytest.raises(CvaeError, match=words):
        DOORS[door](model, bits, labels)


@pytest.mark.parametrize("particles", [0, -1, 1.5, 10**6 + 1, None])
def test_no_door_takes_an_impossible_number_of_particles(model, particles):
    with pytest.raises(CvaeError, match="particles cannot be"):
        model.log_likelihood(ZEROS, [1, 2], particles)


@pytest.mark.parametrize(
    "labels, z, words",
    [
        ([1, 10], np.zeros((2, 6)), "labels go from 1 to 10"),
        ([1, 2, 3], np.zeros((2, 6)), "3 labels and 2 rows"),
        ([1, 2], np.zeros((2, 5)), "shape"),
        ([1, 2], np.full((2, 6), np.nan), "not finite"),
        ([], np.zeros((0, 6)), "no labels"),
    ],
)
def test_decode_takes_only_classes_and_finite_z(model, labels, z, words):
    with pytest.raises(CvaeError, match=words):
        model.decode(labels, z)


def test_images_are_numbered_from_0(model):
    with pytest.raises(CvaeError, match="number images"):
        model.log_likelihood(ZEROS, [1, 2], 1, first=-1)


def test_bits_of_any_type_and_lists_have_the_same_bound(model, images):
    bits, labels = images[0][:3], images[1][:3]
    expected = model.bound(bits, labels).total
    for kind in (bool, np.int64, np.float64):
        found = model.bound(bits.astype(kind), labels.astype(np.int64)).total
        np.testing.assert_array_equal(found, expected)
    found = model.bound(bits.tolist(), labels.tolist()).total
    np.testing.assert_array_equal(found, expected)
