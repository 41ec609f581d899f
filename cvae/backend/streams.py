"""Draws of NumPy that depend only on (seed, purpose, image, class)."""

from typing import Tuple

import numpy as np

from cvae.errors import CvaeError

# What a stream of draws is for; each image, or image and class, has its own.
STREAMS = (
    *("pilot", "likelihood", "near-tie", "encoder"),  # of log p(x | y)
    *("simulation", "from below", "from above"),  # of simulated images
)


def stream(
    seed: int, purpose: str, index: int, place: Tuple[int, int] = (0, 1)
) -> np.random.RandomState:
    """Return a source of draws that depends only on the arguments.

    Philox is a generator with a key (Salmon et al. 2011). `RandomState` makes the same
    draws of its bits in every version of NumPy.

    Args:
        seed: the run's seed.
        purpose: one of `STREAMS`.
        index: number of the image.
        place: (place, size) within the image, 0 <= place < size; each purpose has one
            size, for instance the number of classes.

    Raises:
        CvaeError: a negative index, or a place that is outside of its size.
    """
    where, size = place
    if index < 0 or not 0 <= where < size:
        raise CvaeError(
            f"there are no random numbers for image {index}, place {where} of {size}: "
            "number images and places from 0"
        )
    number = (index * size + where) * len(STREAMS) + STREAMS.index(purpose)
    return np.random.RandomState(np.random.Philox(key=[seed, number]))
