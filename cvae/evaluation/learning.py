"""Use scikit-learn, which only figures need."""

import importlib
from typing import Any, Tuple

import numpy as np

from cvae.data.checks import check_whole
from cvae.errors import CvaeError


def scikit(name: str) -> Any:
    """Return the module `name` of scikit-learn, which is imported only when needed.

    Raises:
        CvaeError: it is not installed.
    """
    try:
        return importlib.import_module("sklearn." + name)
    except ImportError:
        raise CvaeError(
            "there is no scikit-learn, which figures need: run `pip install "
            "scikit-learn`"
        )


def nearest_neighbours(
    queries: np.ndarray, images: np.ndarray, n: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the L2 distances to the `n` nearest images of each query, and their rows.

    Both results are `[queries, n]`, nearest first. `queries` and `images` are matrices
    with the same number of columns and the same unit.

    Raises:
        CvaeError: the shapes do not fit, there are fewer than `n` images, or
            scikit-learn is missing.
    """
    shapes = np.shape(queries), np.shape(images)
    if any(len(shape) != 2 or not all(shape) for shape in shapes):
        raise CvaeError(
            f"queries and images have shapes {shapes[0]} and {shapes[1]}: give "
            "matrices with a row for each image"
        )
    if shapes[0][1] != shapes[1][1]:
        raise CvaeError(
            f"queries have {shapes[0][1]} pixels and images {shapes[1][1]}: give as "
            "many"
        )
    check_whole("the number of neighbours", n, 1, len(images))
    search = scikit("neighbors").NearestNeighbors(algorithm="brute").fit(images)
    return search.kneighbors(queries, n)
