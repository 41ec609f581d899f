"""Checks of the arrays that callers pass in, before TensorFlow reads them.

Each check raises `CvaeError` with the array's name, what is wrong and what to do.
Those of single arrays return the array in the type that the model takes.
"""

from typing import Any, Iterable, List, Optional

import numpy as np

from cvae.data.dataset import Dataset
from cvae.errors import CvaeError, shown

ROWS = 200  # compared at a time: what stays in the cache takes a third of the time


def check_bits(bits: Any, x_dim: int) -> np.ndarray:
    """Return `bits`, 0 and 1 of any numeric type, as uint8 `[n, x_dim]`."""
    bits = _rows("bits", bits, x_dim)
    _check_kind("bits", bits, "biuf", "binarize the images first")
    if not _are_bits(bits):
        raise CvaeError(
            f"bits have values from {bits.min():g} to {bits.max():g} that are neither "
            "0 nor 1: binarize the images first"
        )
    return bits.astype(np.uint8, copy=False)


def check_labels(
    labels: Any, n: Optional[int], n_classes: int, name: str = "labels"
) -> np.ndarray:
    """Return `labels`, integers from 0 to `n_classes` - 1, as int32 `[n]`.

    Any n will do where it is None.
    """
    labels = _array(name, labels)
    if labels.ndim != 1 or n not in (None, len(labels)):
        raise CvaeError(
            f"{name} have shape {labels.shape}, not ({n or 'n'},): give one class "
            "number for each image"
        )
    if not labels.size:
        raise CvaeError(f"there are no {name}: give at least one")
    _check_kind(name, labels, "iu", "give class numbers as integers")
    low, high = labels.min(), labels.max()
    if low < 0 or high >= n_classes:
        raise CvaeError(
            f"{name} go from {low} to {high}: give class numbers from 0 to "
            f"{n_classes - 1}"
        )
    return labels.astype(np.int32, copy=False)


def check_z(z: Any, n: int, z_dim: Optional[int]) -> np.ndarray:
    """Return `z`, finite real numbers, as float32 `[n, z_dim]`.

    Any z_dim will do where it is None.
    """
    z = _rows("z", z, z_dim)
    if len(z) != n:
        raise CvaeError(f"there are {n} labels and {len(z)} rows of z: give as many")
    _check_kind("z", z, "iuf", "give real numbers")
    with np.errstate(over="ignore"):
        z = z.astype(np.float32, copy=False)
    if not np.isfinite(z).all():
        raise CvaeError("z has values that are not finite in float32: remove them")
    return z


def check_intensities(
    images: Any, x_dim: Optional[int] = None, name: str = "images"
) -> np.ndarray:
    """Return `images`, uint8 intensities 0 to 255, `[n, x_dim]`."""
    images = _rows(name, images, x_dim)
    if images.dtype != np.uint8:
        raise CvaeError(
            f"{name} are of type {images.dtype}, not uint8: give intensities from 0 to "
            "255; `cvae.data.from_arrays` converts other scales"
        )
    if images[:100].max() <= 1 and images.max() == 1:  # most stop at the first images
        raise CvaeError(
            f"{name} go from 0 to 1, not to 255: they are bits, or of a scale of 0 to "
            "1; multiply them by 255, as `cvae.data.from_arrays` does"
        )
    return images


def check_means(means: Any) -> np.ndarray:
    """Return `means`, probabilities from 0 to 1, as an array of any shape."""
    means = _array("means", means)
    _check_kind("means", means, "biuf", "give probabilities")
    if not means.size:
        raise CvaeError("there are no means: give at least one")
    if not (means.min() >= 0 and means.max() <= 1):  # NaN is neither
        raise CvaeError(
            f"means go from {means.min():g} to {means.max():g}: give probabilities "
            "from 0 to 1"
        )
    return means


def check_classes(classes: Iterable[int], n_classes: int) -> List[int]:
    """Return `classes`, at least one number of a class, as a list."""
    classes = list(classes)
    if not classes:
        raise CvaeError("there are no classes: name at least one")
    for c in classes:
        if not _is_whole(c) or not 0 <= c < n_classes:
            raise CvaeError(
                f"there is no class {shown(c)}: choose from 0 to {n_classes - 1}"
            )
    return [int(c) for c in classes]


def check_whole(name: str, value: Any, low: int, high: int) -> int:
    """Return `value`, a whole number from `low` to `high`, as an int."""
    if not _is_whole(value) or not low <= value <= high:
        raise CvaeError(
            f"{name} cannot be {shown(value)}: choose a whole number from {low:,} to "
            f"{high:,}"
        )
    return int(value)


def check_dataset(dataset: Dataset, n_classes: int, x_dim: int) -> None:
    """Raise `CvaeError` unless a model of K classes and `x_dim` pixels can take it."""
    for split, part in (("training", dataset.train), ("test", dataset.test)):
        images = check_intensities(part.images, None, f"{split} images")
        if images.shape[1] != x_dim:
            raise CvaeError(
                f"{dataset.name} has images of {images.shape[1]} pixels, x_dim is "
                f"{x_dim}: make them equal, or train a run of its own"
            )
        labels = check_labels(part.labels, len(images), 2**31, f"{split} labels")
        classes = 1 + int(labels.max())
        if classes > n_classes:
            raise CvaeError(
                f"{dataset.name} has {classes} classes, n_classes is {n_classes}: make "
                f"it {classes} or more, or train a run of its own"
            )


def _array(name, value):
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind == "O":
        raise CvaeError(f"{name} must be an array of numbers: give a NumPy array")
    return array


def _rows(name, value, width):
    """Return `value` as an array `[n, width]`; `width` None stands for any."""
    array = _array(name, value)
    if not array.size:
        raise CvaeError(f"there are no {name}: give at least one row")
    if array.ndim != 2 or width not in (None, array.shape[1]):
        flat = width in (None, array[0].size) if array.ndim > 2 else False
        remedy = "flatten each image to a row" if flat else "give a row for each image"
        raise CvaeError(
            f"{name} have shape {array.shape}, not (n, {width or 'pixels'}): {remedy}"
        )
    return array


def _are_bits(array):
    parts = (array[i : i + ROWS] for i in range(0, len(array), ROWS))
    if array.dtype == np.uint8:  # `max` takes four times as long in NumPy 1.18
        return not any((part > 1).any() for part in parts)
    return all(((part == 0) | (part == 1)).all() for part in parts)


def _check_kind(name, array, kinds, remedy):
    if array.dtype.kind not in kinds:
        raise CvaeError(f"{name} are of type {array.dtype}: {remedy}")


def _is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
