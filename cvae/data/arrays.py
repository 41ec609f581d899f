"""A data set from arrays of anyone's: grey images of any scale, labels of any type."""

import re
from typing import Callable, List, Sequence

import numpy as np

from cvae.data.dataset import Dataset, Facts, Split, numbered
from cvae.errors import CvaeError, note, shown

MAX_CLASSES = 1000
MAX_NAME = 1000  # letters
_ORDER_SEED = 20210503
_DARKEST = 64  # a data set whose brightest pixel is below it has another scale
_NAMES = ("x", "x_test"), ("y", "y_test")


def from_arrays(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    name: str = "arrays",
    class_names: Sequence[str] = (),
    path: str = "",
    say: Callable[[str], None] = note,
) -> Dataset:
    """Return the data set of training images and test images, both with labels.

    What is converted is said in a line: 0/1 images are scaled to 0 and 255, labels
    that are not 0 to K - 1 are numbered in their order, images in the order of their
    classes are put into a fixed random order.

    Args:
        x, x_test: square grey images, `[n, side, side]`, `[n, side, side, 1]` or
            `[n, side²]`; integers from 0 to 255, floats from 0 to 1, or bits.
        y, y_test: the label of each image: integers, text or floats `[n]`, or one-hot
            rows `[n, K]`.
        name: of the data set, for outputs.
        class_names: of the classes in the order of their labels; without any, the
            labels.
        path: of its files.
        say: takes each line.

    Raises:
        CvaeError: an array has another form or values out of range, a class has no
            training images, or the names are not as many as the classes.
    """
    said: List[str] = []  # and printed when all is right
    images = _grey([_pixels(one, of) for one, of in zip((x, x_test), _NAMES[0])], said)
    labels = [_flat(one, of) for one, of in zip((y, y_test), _NAMES[1])]
    for one, (label, _), names in zip(images, labels, zip(*_NAMES)):
        if len(one) != len(label):
            raise CvaeError(
                f"{names[0]} has {len(one):,} images and {names[1]} {len(label):,} "
                "labels: give one label for each image"
            )
    (train_y, test_y), values = _numbered(labels, said)
    train = _mixed(Split(images[0], train_y), "training", said)
    test = _mixed(Split(images[1], test_y), "test", said)
    for array in train + test:
        array.flags.writeable = False
    classes = () if values == numbered(len(values)) else values
    found = named(Dataset(name, train, test, "", classes, classes, path), class_names)
    for line in said:
        say(line)
    return found


def named(dataset: Dataset, class_names: Sequence[str]) -> Dataset:
    """Return `dataset` with its classes named so, if there are names.

    Raises:
        CvaeError: the names are not as many as the classes, or two are equal.
    """
    if not class_names:
        return dataset
    _check_names(class_names, dataset.n_classes)
    return dataset._replace(classes=tuple(class_names))


def aligned(dataset: Dataset, facts: Facts) -> Dataset:
    """Return `dataset` with its labels numbered as in the data with these `facts`.

    Raises:
        CvaeError: it has a label that these data do not have.
    """
    known = list(facts.values or numbered(len(facts.classes)))
    own = dataset.values or numbered(dataset.n_classes)
    for value in own:
        if value not in known:
            raise CvaeError(
                f"{dataset.name} has the label {shown(value)}, {facts.name} has not: "
                "choose data with the classes of the run"
            )
    numbers = np.array([known.index(value) for value in own], np.int32)
    train, test = (
        Split(split.images, numbers[split.labels])
        for split in (dataset.train, dataset.test)
    )
    return dataset._replace(
        train=train, test=test, classes=facts.classes, values=facts.values
    )


def _pixels(array, name):
    """Return images as an array `[n, side²]` of the type that it has."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise CvaeError(f"{name} is of type {array.dtype}: give grey images as numbers")
    if not array.size:
        raise CvaeError(f"{name} has no images: give at least one")
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    side = int(round(array[0].size ** 0.5))
    if array.ndim not in (2, 3) or array.shape[1:] not in ((side, side), (side**2,)):
        raise CvaeError(
            f"{name} has shape {array.shape}: give square grey images, (n, side, "
            "side), (n, side, side, 1) or (n, side * side)"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CvaeError(f"{name} has values that are not finite: remove these images")
    if array.min() < 0:
        raise CvaeError(
            f"{name} has negative values, down to {array.min():g}: give intensities "
            "from 0 to 255, or floats from 0 to 1"
        )
    return array.reshape(len(array), side**2)


def _grey(images, said):
    """Return both splits as intensities, uint8 from 0 to 255."""
    sides = {array.shape[1] for array in images}
    kinds = {"f" if array.dtype.kind == "f" else "i" for array in images}
    if len(sides) > 1:
        raise CvaeError(
            f"x has images of {images[0].shape[1]:,} pixels, x_test of "
            f"{images[1].shape[1]:,}: give images of one size"
        )
    if len(kinds) > 1:
        raise CvaeError(
            f"x is of type {images[0].dtype}, x_test of {images[1].dtype}: give both "
            "as integers from 0 to 255, or both as floats from 0 to 1"
        )
    high = max(array.max() for array in images)
    if kinds == {"f"} and high > 1:
        raise CvaeError(
            f"the images are floats up to {high:g}: divide them by their scale, so "
            "that they go from 0 to 1, or give integers from 0 to 255"
        )
    if high == 0:
        raise CvaeError("all pixels are 0: give images that show something")
    if high > 255:
        raise CvaeError(
            f"the images have values up to {high}: give intensities from 0 to 255"
        )
    if kinds == {"f"}:
        grey = [np.rint(255.0 * array).astype(np.uint8) for array in images]
    elif high <= 1:
        grey = [255 * array.astype(np.uint8) for array in images]
    elif high < _DARKEST:
        raise CvaeError(
            f"the brightest pixel has the value {high} of 255: if the scale of the "
            f"images is 0 to {high}, divide them by {high}, as floats"
        )
    else:
        grey = [np.array(array, np.uint8) for array in images]  # a copy of its own
    if all(_is_binary(array) for array in grey):
        said.append(
            "the images have only black and white pixels: binarization keeps them"
        )
    return grey


def _is_binary(grey):
    """Return whether all pixels are 0 or 255; grey images need only the first rows."""
    return all(
        ((part == 0) | (part == 255)).all()
        for part in (grey[i : i + 200] for i in range(0, len(grey), 200))
    )


def _flat(array, name):
    """Return labels `[n]`, and their number of classes if they were one-hot."""
    array = np.asarray(array)
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        raise CvaeError(
            f"{name} is of type {array.dtype}: give labels as numbers or as text"
        )
    columns = None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and _is_one_hot(array):
        array, columns = array.argmax(1), array.shape[1]
    if array.ndim != 1 or not array.size:
        raise CvaeError(
            f"{name} has shape {array.shape}: give one label for each image, (n,), or "
            "rows with a single 1, (n, K)"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CvaeError(f"{name} has labels that are not finite: remove these images")
    return array, columns


def _is_one_hot(rows):
    is_number = rows.dtype.kind != "U"
    return is_number and np.isin(rows, (0, 1)).all() and (rows.sum(1) == 1).all()


def _numbered(labels, said):
    """Return the class numbers of both splits' labels, and each class's label as text.

    Classes are in the order of their labels, numbers in text by their size.
    """
    (train, columns), (test, test_columns) = labels
    if (train.dtype.kind == "U") != (test.dtype.kind == "U") or columns != test_columns:
        raise CvaeError("y and y_test have different forms: give both in one form")
    values = np.unique(np.concatenate([np.unique(part) for part in (train, test)]))
    if columns:
        values = np.arange(columns)
    if len(values) > MAX_CLASSES:
        raise CvaeError(
            f"there are {len(values):,} different labels, over {MAX_CLASSES:,}: give "
            "the class of each image"
        )
    if values.dtype.kind == "U":
        values = np.array(sorted(values, key=natural))
    order = np.argsort(values, kind="stable")
    numbers = [order[np.searchsorted(values[order], part)] for part in (train, test)]
    texts = tuple(v if isinstance(v, str) else f"{v:g}" for v in values.tolist())
    _check_texts(texts)
    there = np.bincount(numbers[0], minlength=len(values))
    if not there.all():
        raise CvaeError(
            f"the label {shown(texts[int(there.argmin())])} has no training images: "
            "remove it, or add some"
        )
    if texts != numbered(len(texts)):
        some = ", ".join(f"{texts[c]} is {c}" for c in range(min(len(texts), 10)))
        more = ", ..." if len(texts) > 10 else ""
        said.append(f"labels are numbered as classes: {some}{more}")
    return [part.astype(np.int32) for part in numbers], texts


def natural(text: str) -> List:
    """Return a key that sorts text with numbers in it by their size."""
    parts = re.split(r"([0-9]{1,18})", text)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _mixed(split, name, said):
    """Return `split` in a fixed random order if its images are in that of classes.

    Parts of a data set then have images of all classes: the held-out sixth, the first
    images that an evaluation checks.
    """
    images, labels = split
    n_classes = len(np.unique(labels))
    is_sorted = np.count_nonzero(np.diff(labels)) < 2 * n_classes
    if n_classes == 1 or not is_sorted or len(labels) <= 10 * n_classes:
        return split
    said.append(
        f"the {name} images are sorted by class: they are put into a fixed order"
    )
    order = np.random.RandomState(_ORDER_SEED).permutation(len(labels))
    return Split(images[order], labels[order])


def _check_names(class_names, n_classes):
    if len(class_names) != n_classes:
        raise CvaeError(
            f"there are {len(class_names)} class names for {n_classes} classes: give "
            "one for each, in the order of the labels"
        )
    _check_texts(class_names)
    if len(set(class_names)) < n_classes:
        raise CvaeError("two classes have the same name: give different names")


def _check_texts(names):
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise CvaeError(
                f"{shown(name)} cannot be the name of a class: give 1 to {MAX_NAME} "
                "printable letters"
            )
