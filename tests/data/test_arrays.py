"""Arrays of anyone's become a data set, or one line says what is wrong with them."""

import numpy as np
import pytest
from idx_files import refusal

from cvae.data.arrays import aligned, from_arrays, named
from cvae.data.dataset import facts_of
from cvae.data.load import load

RANDOM = np.random.RandomState(0)
X = RANDOM.randint(0, 256, (12, 4, 4)).astype(np.uint8)
X[0, 0] = 0, 1, 254, 255
Y = np.array([0, 1, 2] * 4)
NAN = np.where(np.arange(12)[:, None, None] == 3, np.nan, X / 255)


def made(x=X, y=Y, x_test=None, y_test=None, **options):
    """(the data set, what was said) of training arrays that are test arrays, too."""
    said = []
    x_test, y_test = (
        (x if x_test is None else x_test),
        (y if y_test is None else y_test),
    )
    return from_arrays(x, y, x_test, y_test, say=said.append, **options), said


@pytest.mark.parametrize(
    "x",
    [
        X,
        X[..., None],
        X.reshape(12, 16),
        X.astype(np.int64),
        X / 255,
        np.float32(X / 255)[..., None],
        X.tolist(),
    ],
    ids=["uint8", "channel", "rows", "int64", "float64", "float32", "list"],
)
def test_every_form_of_the_same_images_gives_the_same_intensities(x):
    dataset, said = made(x)
    for split in (dataset.train, dataset.test):
        assert split.images.dtype == np.uint8 and not split.images.flags.writeable
        assert (split.images == X.reshape(12, 16)).all()
    assert not said


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_bits_of_any_type_become_black_and_white_and_it_is_said(kind):
    bits = X > 127
    dataset, said = made(bits.astype(kind))
    assert (dataset.train.images == 255 * bits.reshape(12, 16)).all()
    assert len(said) == 1 and "only black and white" in said[0]


@pytest.mark.parametrize(
    "x, reason",
    [
        (NAN, "not finite"),
        (X - 1.0, "negative values, down to -1"),
        (-X.astype(int), "negative values, down to -255"),
        (X / 16, "floats up to 15.9375: divide them by their scale"),
        (X.astype(float), "floats up to 255"),
        (X.astype(int) * 2, "values up to 510"),
        (X // 16, "brightest pixel has the value 15 of 255"),
        (X[:, :3], "shape (12, 3, 4): give square grey images"),
        (np.stack([X] * 3, -1), "shape (12, 4, 4, 3): give square grey images"),
        (X.reshape(12, 16)[:, :15], "shape (12, 15)"),
        (X[0, 0], "shape (4,)"),
        (X[:0], "has no images"),
        (X[:11], "11 images and y 12 labels"),
        (X.astype(str), "type <U3"),
        (np.array([None] * 12), "type object"),
        (X * 1j, "type complex128"),
        (X * 0, "all pixels are 0"),
    ],
)
def test_other_images_are_refused_in_a_line(x, reason):
    assert reason in refusal(made, x)


def test_the_two_splits_must_have_one_size_and_one_scale():
    assert "x has images of 16 pixels, x_test of 4" in refusal(
        made, X, Y, X[:, :2, :2], Y
    )
    assert "x is of type uint8, x_test of float64" in refusal(made, X, Y, X / 255, Y)


@pytest.mark.parametrize(
    "y, values",
    [
        (Y, ()),
        (Y.astype(np.uint8), ()),
        (Y.astype(float), ()),
        (np.eye(3)[Y], ()),
        (np.eye(3, dtype=bool)[Y], ()),
        (Y[:, None], ()),
        (Y.astype(str), ()),
        (Y + 1, ("1", "2", "3")),
        (np.array([-5, 0, 70])[Y], ("-5", "0", "70")),
        (Y / 2, ("0", "0.5", "1")),
        (np.array(["cat", "dog", "zebra"])[Y], ("cat", "dog", "zebra")),
        (np.array(["a", "b", "c"], object)[Y], ("a", "b", "c")),
        (np.array(["2", "9", "10"])[Y], ("2", "9", "10")),
        (np.array(["v2", "v9", "v10"])[Y], ("v2", "v9", "v10")),
    ],
    ids=lambda value: str(value)[:12].replace("\n", " "),
)
def test_labels_of_every_form_are_numbered_in_their_order(y, values):
    dataset, said = made(y=y)
    for split in (dataset.train, dataset.test):
        assert split.labels.dtype == np.int32 and (split.labels == Y).all()
    assert dataset.values == values and dataset.classes == values
    assert dataset.n_classes == 3
    assert len(said) == bool(values)
    if values:
        assert f"{values[0]} is 0, {values[1]} is 1, {values[2]} is 2" in said[0]


@pytest.mark.parametrize(
    "y, y_test, reason",
    [
        (np.where(Y == 1, np.nan, Y), None, "not finite"),
        (np.eye(3)[Y] * 2, None, "rows with a single 1"),
        (np.eye(4)[Y], None, "'3' has no training images"),
        (Y, np.where(Y == 1, 7, Y), "'7' has no training images"),
        (Y, Y.astype(str), "different forms"),
        (Y, np.eye(3)[Y], "different forms"),
        (Y[:5], None, "12 images and y 5 labels"),
        (Y[:0], None, "shape (0,)"),
        (np.array([None] * 12), None, "type object"),
        (Y.reshape(3, 4), None, "rows with a single 1"),
        (np.array(["a", "b", "c\n"])[Y], None, "'c\\n' cannot be the name"),
        (np.array(["a", "", "c"])[Y], None, "'' cannot be the name"),
    ],
)
def test_other_labels_are_refused_in_a_line(y, y_test, reason):
    assert reason in refusal(made, X, y, X, y_test)


def test_labels_that_are_measurements_are_refused():
    many, x = np.arange(2000), np.zeros((2000, 1, 1), np.uint8)
    x[0] = 200
    assert "2,000 different labels, over 1,000" in refusal(made, x, many)


def test_class_names_replace_the_labels_and_keep_their_order():
    dataset, _ = made(y=Y + 4, class_names=("x", "y", "z"))
    assert dataset.classes == ("x", "y", "z") and dataset.values == ("4", "5", "6")
    assert facts_of(dataset).classes == ("x", "y", "z")


@pytest.mark.parametrize(
    "names, reason",
    [
        (("a", "b"), "2 class names for 3 classes"),
        (("a", "b", "c", "d"), "4 class names for 3"),
        (("a", "b", "a"), "same name"),
        (("a", "b", "c\n"), "'c\\n' cannot be the name"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(names, reason):
    assert reason in refusal(lambda: made(class_names=names))


def test_images_in_the_order_of_their_classes_are_mixed_the_same_way_every_time():
    order = np.argsort(np.tile(Y, 5), kind="stable")
    x, y = np.tile(X, (5, 1, 1))[order], np.tile(Y, 5)[order]
    dataset, said = made(x, y)
    assert len(said) == 2 and "sorted by class" in said[0]
    assert set(dataset.train.labels[:12]) == {0, 1, 2}
    of = {image.tobytes(): label for image, label in zip(x, y)}
    for image, label in zip(*dataset.train):
        assert of[image.tobytes()] == label
    again, _ = made(x, y)
    assert (again.train.images == dataset.train.images).all()


def test_mixed_images_keep_their_order():
    assert (made()[0].train.labels == Y).all()


def test_the_checksum_depends_on_the_data_and_on_nothing_else():
    sums = [facts_of(made(**kind)[0]).sha256 for kind in ({}, {"x": X / 255})]
    sums += [facts_of(made(y=Y.astype(kind))[0]).sha256 for kind in (np.uint8, str)]
    assert len(set(sums)) == 1
    changed = X.copy()
    changed[5, 2, 2] ^= 1
    others = [made(changed, Y, X)[0], made(X, Y, changed)[0]]
    others += [made(y=2 - Y, y_test=Y)[0], made(X[:11], Y[:11], X, Y)[0]]
    assert len({facts_of(other).sha256 for other in others} | set(sums)) == 5


def test_arrays_of_the_caller_can_be_changed_afterwards():
    x = X.copy()
    dataset, _ = made(x)
    x[:] = 0
    assert (dataset.train.images == X.reshape(12, 16)).all()


def test_other_data_get_the_class_numbers_of_a_run():
    facts = facts_of(made(y=np.array(["cat", "dog", "zebra"])[Y])[0])
    other, _ = made(X[::2], np.array(["zebra", "dog"] * 3))
    found = aligned(other, facts)
    assert found.classes == ("cat", "dog", "zebra")
    assert found.train.labels.tolist() == [2, 1, 2, 1, 2, 1]
    stranger, _ = made(X[::2], np.array(["zebra", "emu"] * 3))
    assert "has the label 'emu'" in refusal(aligned, stranger, facts)


def test_published_classes_can_be_renamed(mnist):
    digits = ("zero", *"123456789")
    assert named(mnist, digits).classes == digits
    assert "9 class names for 10" in refusal(named, mnist, digits[1:])


def test_mnist_is_recognized_by_its_content_and_nothing_else_is_called_so(
    mnist, tmp_path
):
    for name, x in (("a", mnist.train.images), ("mnist", mnist.train.images[::-1])):
        np.savez(
            str(tmp_path / f"{name}.npz"),
            x_train=x,
            y_train=mnist.train.labels,
            x_test=mnist.test.images,
            y_test=mnist.test.labels,
        )
    assert load(str(tmp_path / "a.npz")).name == "mnist"
    assert load(str(tmp_path / "mnist.npz")).name == "own-mnist"
