"""What is borrowed from scikit-learn, which is needed for pictures only."""

import importlib
from typing import Any, Tuple

import numpy as np

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
            "there is no scikit-learn to analyse with: run `make env`, or `pip install "
            "scikit-learn`"
        )


def nearest_neighbours(
    queries: np.ndarray, images: np.ndarray, n: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the L2 distances to the `n` nearest images of each query, and which.

    Both are `[queries, n]`, nearest first, for arrays `[…, x_dim]` of the same unit.

    Raises:
        CvaeError: there is no scikit-learn.
    """
    search = scikit("neighbors").NearestNeighbors(algorithm="brute").fit(images)
    return search.kneighbors(queries, n)
