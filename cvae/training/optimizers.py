"""One update of the weights: Adam or Muon, weight decay, and their moving average."""

from typing import Sequence

import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.networks.layers import is_kernel
from cvae.runs.checkpoints import AVERAGE
from cvae.training.muon import Muon

AVERAGE_EVERY = 16  # steps between updates of the average, after its first `YOUNG`
YOUNG = 1024  # steps


def update(
    gradients: Sequence,
    before: tf.Tensor,
    step: tf.Tensor,
    rate: tf.Tensor,
    config: Config,
) -> tf.Operation:
    """Return the operation that takes one step, and averages the weights.

    Args:
        gradients: pairs of a gradient of the cost and its variable.
        before: a tensor that is there once the step before is done.
        step: number of the step, an int64 scalar.
        rate: learning rate of the step, a float32 scalar.
    """
    decay = rate * config.weight_decay if config.weight_decay else None
    done = _minimize(gradients, before, rate, decay, config)
    with tf.control_dependencies([done]):
        return _move_average(step, config)


class _Decaying(tf.train.Optimizer):
    """Decays each kernel once its own step is taken (Loshchilov & Hutter 2019, AdamW).

    No kernel waits for the steps of others.
    """

    def __init__(self, rate, decay):
        super().__init__(rate)
        self._decay = decay

    def _resource_apply_dense(self, grad, var):
        done = super()._resource_apply_dense(grad, var)
        if self._decay is None or not is_kernel(var):
            return done
        with tf.control_dependencies([done]):
            return var.assign_sub(self._decay * var)


class _Adam(_Decaying, tf.train.AdamOptimizer):
    """Adam, with decay."""


class _Muon(_Decaying, Muon):
    """Muon, with decay."""


def _minimize(gradients, before, rate, decay, config):
    """Take one step of Adam, or of Muon for the kernels that it suits."""
    suited, rest = [], []
    for gradient, variable in gradients:
        by_muon = config.optimizer == "muon" and Muon.suits(variable)
        (suited if by_muon else rest).append((gradient, variable))
    with tf.control_dependencies([before]):  # it reads its powers of β1 and β2 then
        done = _Adam(rate, decay).apply_gradients(rest)
    if suited:
        done = tf.group(done, _Muon(rate, decay).apply_gradients(suited))
    return done


def _move_average(step, config):
    """Update the average with the weights after `step`, if an update is due.

    That depends only on the step's number, so that a call may end at any step.
    """
    every = AVERAGE_EVERY if config.average else 1  # 0: the weights as they are
    young = step < YOUNG
    due = tf.logical_or(young, tf.equal((step + 1) % every, 0))
    n_steps = tf.where(young, 1.0, float(every))
    # A young average forgets faster, so that the initial weights do not last in it.
    age = tf.cast(step, tf.float32)
    decay = tf.minimum(config.average, (1.0 + age) / (10.0 + age)) ** n_steps
    pairs = [(_average_of(v), v) for v in tf.trainable_variables()]
    share = 1.0 - decay

    def move():
        return tf.group(*(a.assign_sub((a - v) * share) for a, v in pairs))

    return tf.cond(due, move, tf.no_op)


def _average_of(variable):
    """Make the variable of the average of `variable`; both start at one value."""
    with tf.init_scope():
        return tf.get_variable(
            variable.op.name + AVERAGE,
            # A tensor of its own, because `compat.load` feeds the two different values.
            initializer=tf.identity(variable.initial_value),
            trainable=False,
            use_resource=True,
        )
