"""This package's trainer, as `cvae.training.loop` drives it.

Images in the graph, 16 steps a call, random numbers keyed by (seed, step, purpose). It
also keeps the weights' moving average at every step, which no other peer does, and
`weights()` are the averaged ones.
"""

import numpy as np
import tensorflow as tf

from cvae import zs
from cvae.training import schedule
from cvae.training.loop import BLOCK
from cvae.training.step import Trainer


class Peer:
    """`Trainer`, with the order and the rates of `cvae.training.schedule`."""

    flop = None

    def __init__(self, config, train):
        self.versions = ["TensorFlow " + tf.__version__, zs.IMPLEMENTATION]
        self._config, self._n_images = config, len(train.images)
        self._plan = schedule.full_plan(config, self._n_images)
        self.trainer = Trainer(config, train)
        self._step = 0

    def run(self, n_steps):
        """Take `n_steps` steps: their bounds."""
        bounds, end = [], self._step + n_steps
        while self._step < end:
            step, n = self._step, min(BLOCK, end - self._step)
            order = schedule.order(step, n, self._n_images, self._config)
            rates = schedule.rates(self._plan, step, n, self._config)
            bounds.append(self.trainer.steps(step, order, rates))
            self._step += n
        return np.concatenate(bounds)

    def weights(self):
        """Return the averaged weights, as the package evaluates them."""
        return self.trainer.averages()
