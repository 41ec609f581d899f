"""Blocks of rows of one fixed size, on which neither draws nor rounding depend."""

from typing import List

import numpy as np


def filled_up(block: np.ndarray, size: int) -> np.ndarray:
    """Return `block` with rows of zeros after it, `[size, ...]`."""
    filled = np.zeros((size,) + block.shape[1:], block.dtype)
    filled[: len(block)] = block
    return filled


def slices(n: int, size: int) -> List[slice]:
    """Return the slices that cut `n` rows into blocks of `size`, the last shorter."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
