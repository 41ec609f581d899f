"""Arrays at the library's doors: good ones pass unchanged, others are one line."""

import numpy as np
import pytest
from idx_files import refusal

from cvae.data import checks
from cvae.data.dataset import Dataset, Split

BITS = np.random.RandomState(0).randint(0, 2, (5, 12)).astype(np.uint8)
GREY = np.random.RandomState(1).randint(0, 256, (5, 12)).astype(np.uint8)
NAN = np.where(np.eye(5, 12), np.nan, 0.0)


@pytest.mark.parametrize("kind", [np.uint8, bool, np.int64, np.float32, np.float64])
def test_bits_of_any_numeric_type_are_taken_as_they_are(kind):
    found = checks.check_bits(BITS.astype(kind), 12)
    assert found.dtype == np.uint8 and (found == BITS).all()
    assert (checks.check_bits(BITS.astype(kind).tolist(), 12) == BITS).all()


def test_arrays_of_the_models_type_are_not_copied():
    z, labels = np.zeros((5, 3), np.float32), np.arange(5, dtype=np.int32)
    assert checks.check_bits(BITS, 12) is BITS
    assert checks.check_z(z, 5, 3) is z
    assert checks.check_labels(labels, 5, 10) is labels


@pytest.mark.parametrize(
    "bits, words",
    [
        (GREY / 255.0, "binarize"),
        (GREY, "to 255"),
        (GREY.astype(np.float32), "binarize"),
        (BITS.astype(np.int8) - 1, "from -1 to 0"),
        (NAN, "nan"),
        (np.full((5, 12), np.inf), "to inf"),
        (BITS + 0.5j, "complex"),
        (BITS.astype(str), "type <U"),
        (BITS.astype(object), "array of numbers"),
        ([[0, 1], [0]], "array of numbers"),
        (BITS[:, :11], r"(5, 11), not (n, 12)"),
        (BITS[0], r"(12,), not (n, 12)"),
        (BITS.reshape(5, 3, 4), "flatten each image"),
        (BITS[:0], "no bits"),
        ([], "no bits"),
        (None, "array of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # NumPy's own, of a ragged list
def test_what_is_not_bits_is_refused(bits, words):
    message = refusal(checks.check_bits, bits, 12)
    assert words in message and message.startswith(("bits", "there are no bits"))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_integers_in_range_are_labels(kind):
    found = checks.check_labels(np.arange(5, dtype=kind), 5, 5)
    assert found.dtype == np.int32 and found.tolist() == list(range(5))


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.arange(5) + 6, "from 6 to 10: give class numbers from 0 to 9"),
        (np.arange(5) - 1, "from -1 to 3"),
        (np.full(5, 2**63, np.uint64), "give class numbers from 0"),
        (np.arange(5.0), "integers"),
        (np.full(5, np.nan), "integers"),
        (np.arange(5) > 2, "integers"),
        (list("01234"), "integers"),
        (np.eye(5, dtype=int), "(5, 5), not (5,)"),
        (np.arange(4), "(4,), not (5,)"),
        (3, "(), not (5,)"),
        (np.arange(5).astype(object), "array of numbers"),
    ],
)
def test_what_is_not_labels_is_refused(labels, words):
    assert words in refusal(checks.check_labels, labels, 5, 10)


def test_labels_of_nothing_are_refused():
    assert "no labels" in refusal(checks.check_labels, np.zeros(0, int), None, 10)


@pytest.mark.parametrize(
    "z, words",
    [
        (NAN, "not finite"),
        (np.full((5, 12), 1e300), "not finite in float32"),
        (np.zeros((5, 11)), "(5, 11), not (n, 12)"),
        (np.zeros((4, 12)), "5 labels and 4 rows"),
        (np.zeros((0, 12)), "no z"),
        (np.zeros((5, 12), complex), "complex"),
        (np.zeros((5, 12), bool), "bool"),
    ],
)
def test_what_is_not_z_is_refused(z, words):
    assert words in refusal(checks.check_z, z, 5, 12)


def dataset(images=GREY, labels=None, test=None):
    labels = np.arange(5, dtype=np.uint8) if labels is None else labels
    return Dataset("made", Split(images, labels), test or Split(GREY, labels), "")


@pytest.mark.parametrize(
    "images", [GREY, np.zeros_like(GREY), np.full_like(GREY, 255), 255 * BITS]
)
def test_a_data_set_of_intensities_is_taken(images):
    checks.check_dataset(dataset(images), 5, 12)
    checks.check_dataset(dataset(images), 1000, 12)


@pytest.mark.parametrize(
    "images, words",
    [
        (GREY / 255.0, "training images are of type float64, not uint8"),
        (GREY.astype(np.float32), "float32"),
        (GREY.astype(np.int64), "int64"),
        (BITS, "go from 0 to 1, not to 255"),
        (BITS > 0, "type bool"),
        (GREY.reshape(5, 3, 4), "flatten each image"),
        (GREY[:0], "no training images"),
        (GREY[:4], "training labels have shape (5,), not (4,)"),
        (GREY[:, :11], "made has images of 11 pixels, x_dim is 12"),
    ],
)
def test_images_that_a_model_cannot_take_are_refused(images, words):
    assert words in refusal(checks.check_dataset, dataset(images), 5, 12)


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.arange(5) + 1, "made has 6 classes, n_classes is 5: make it 6 or more"),
        (np.arange(5) - 1, "training labels go from -1"),
        (np.arange(5.0), "training labels are of type float64"),
        (np.eye(5, dtype=int), "training labels have shape (5, 5)"),
    ],
)
def test_labels_that_a_model_cannot_take_are_refused(labels, words):
    assert words in refusal(checks.check_dataset, dataset(labels=labels), 5, 12)


def test_the_test_split_is_checked_too():
    of_bits = dataset(test=Split(BITS, np.arange(5)))
    assert "test images go from 0 to 1" in refusal(checks.check_dataset, of_bits, 5, 12)
    empty = dataset(test=Split(GREY[:0], np.arange(0)))
    assert "no test images" in refusal(checks.check_dataset, empty, 5, 12)


@pytest.mark.parametrize("means", [[-0.1], [1.1], [np.nan], [], ["a"], None])
def test_what_is_not_probabilities_is_refused(means):
    assert "means" in refusal(checks.check_means, means)


@pytest.mark.parametrize("classes", [[10], [-1], [3, 1.0], [True], ["3"], []])
def test_what_is_not_a_class_is_refused(classes):
    assert "class" in refusal(checks.check_classes, classes, 10)


@pytest.mark.parametrize("value", [0, 11, 1.0, True, None, "3", np.nan])
def test_what_is_not_a_whole_number_in_range_is_refused(value):
    assert "from 1 to 10" in refusal(checks.check_whole, "steps", value, 1, 10)
