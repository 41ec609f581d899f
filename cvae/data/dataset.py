"""A data set: two splits of images and labels."""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """`images`: uint8 [n, x_dim], intensities 0 to 255; `labels`: integers [n]."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """Two splits; `note` is "", or the reason not to compare results with MNIST's."""

    name: str
    train: Split
    test: Split
    note: str
