"""Run the trainer of this package as `cvae.training.loop` does.

The images are in the graph, a call takes 16 steps, and random numbers are keyed by
(seed, step, purpose). Unlike other peers, it keeps a moving average of the weights, and
`weights()` returns the averages.
"""

import numpy as np
import tensorflow as tf

from cvae import zs
from cvae.training import optimizers, schedule
from cvae.training.loop import BLOCK
from cvae.training.step import Trainer


class Peer:
    """`Trainer`, with the order and the rates of `cvae.training.schedule`.

    With `late`, its steps are those after the first `YOUNG`, which are a small part of
    a training and move the average every time.
    """

    flop = None

    def __init__(self, config, train, late=False):
        self.versions = ["TensorFlow " + tf.__version__, zs.IMPLEMENTATION]
        self._config, self._n_images = config, len(train.images)
        self._plan = schedule.full_plan(config, self._n_images)
        self.trainer = Trainer(config, train)
        self._step = optimizers.YOUNG if late else 0

    def run(self, n_steps):
        """Take `n_steps` steps; return their bounds."""
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
