"""The model during training: its bound on the held-out images, and its samples."""

import contextlib
import time
from typing import Dict, Optional

import numpy as np

from cvae.backend import threads
from cvae.config import Config
from cvae.data.binarize import binarize
from cvae.data.dataset import Split
from cvae.inference import generate
from cvae.inference.trained import BLOCK, Model

ROWS, COLUMNS = 10, 10  # of samples, at most


class HeldOut(contextlib.ExitStack):
    """The held-out images, and a model that is built when they are first evaluated."""

    def __init__(self, config: Config, split: Split):
        super().__init__()
        self._config, self._split = config, split
        self._model: Optional[Model] = None

    def bound(self, weights: Dict[str, np.ndarray], n: Optional[int] = None) -> float:
        """Return the mean bound of `weights` on the first `n` images, or on all."""
        if self._model is None:  # training need not wait for its graph and its bits
            self._bits = binarize(self._split.images)
            self._model = self.enter_context(Model(self._config, weights))
        else:
            self._model.load(weights)
        found = self._model.bound(self._bits[:n], self._split.labels[:n])
        return float(found.total.mean())

    def samples(self) -> np.ndarray:
        """Return samples of the weights of the last `bound`.

        Pixel means, `[classes, columns, x_dim]`, of the first classes. They have the
        same z at every step, those of the report's figure.
        """
        assert self._model is not None  # `bound` has built it
        classes = range(min(ROWS, self._config.n_classes))
        return generate.samples(self._model, classes, COLUMNS, self._config.seed)

    def estimate_seconds(self, weights: Dict[str, np.ndarray]) -> float:
        """Return about how long `bound` takes, from a block of images for each core."""
        n = min(len(self._split.images), threads.cores() * BLOCK)
        self.bound(weights, n)  # the first call builds the model
        began = time.monotonic()
        self.bound(weights, n)
        return (time.monotonic() - began) * len(self._split.images) / n
