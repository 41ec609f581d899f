"""One update of the weights: Adam or Muon, weight decay, and their moving average."""

from typing import Dict, Sequence

import tensorflow.compat.v1 as tf

from cvae.backend.resource import Variable
from cvae.config import Config
from cvae.networks.layers import is_kernel
from cvae.runs.checkpoints import AVERAGE
from cvae.training import muon

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's, as Kingma & Ba (2015) suggest
AVERAGE_EVERY = 16  # steps between updates of the average, after its first `YOUNG`
YOUNG = 1024  # steps
_SLOTS = {"Adam": ("Adam", "Adam_1"), "Muon": ("Muon",)}  # what each keeps of a weight


class Optimizer:
    """The steps of the weights, and what they keep of the steps before.

    Attributes:
        averages: the averaged weights, by the names of the weights.
        variables: all that changes, by its name in a checkpoint.
    """

    def __init__(self, weights: Dict[str, Variable], config: Config):
        self._weights, self._config = weights, config
        self.averages = {
            name: Variable(name + AVERAGE, weight.initial)
            for name, weight in weights.items()
        }
        self._powers = [  # the loop's name is in every checkpoint
            Variable(f"while/beta{i}_power", tf.constant(beta))
            for i, beta in enumerate(BETAS, 1)
        ]
        # A default, of which TensorFlow makes no constants of the weights' sizes.
        zero = tf.placeholder_with_default(0.0, [])
        self._moments = {
            weight.name: (
                kind,
                [
                    Variable(f"{weight.name}/{slot}", tf.fill(weight.shape, zero))
                    for slot in slots
                ],
            )
            for kind, slots in _SLOTS.items()
            for weight in weights.values()
            if kind == self._kind(weight)
        }
        kept = [*weights.values(), *self.averages.values(), *self._powers]
        for _, moments in self._moments.values():
            kept += moments
        self.variables = {variable.name: variable for variable in kept}

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        before: tf.Tensor,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> tf.Operation:
        """Return the operation that takes one step, and averages the weights.

        Args:
            gradients: of the cost, in the order of the weights.
            before: a tensor that is there once the step before is done.
            step: number of the step, an int64 scalar.
            rate: learning rate of the step, a float32 scalar.
        """
        with tf.control_dependencies([before]):
            powers = [power.read() for power in self._powers]
        adam = _adam(powers, rate)
        decay = rate * self._config.weight_decay
        found, done = dict(zip(self._weights, gradients)), []
        for name, (kind, moments) in self._moments.items():
            weight = self._weights[name]
            # Today's TensorFlow adds three terms or more in the order of their names.
            with tf.name_scope(f"{kind}/update_{name}"):
                if kind == "Muon":
                    (momentum,) = moments
                    moved = muon.step(weight, found[name], momentum, rate)
                else:
                    moved = adam(weight, found[name], *moments)
                if self._config.weight_decay and is_kernel(name):
                    # Decoupled from the gradient (Loshchilov & Hutter 2019, AdamW). No
                    # kernel waits for the steps of others.
                    with tf.control_dependencies([moved]):
                        moved = weight.assign_sub(decay * weight.read())
            done.append(moved)
        with tf.control_dependencies(done):
            done += [
                variable.assign(power * beta)
                for variable, power, beta in zip(self._powers, powers, BETAS)
            ]
        with tf.control_dependencies(done):
            return self._move_averages(step)

    def _kind(self, weight):
        """Return the optimizer of `weight`."""
        suited = muon.suits(weight.name, weight.shape)
        return "Muon" if self._config.optimizer == "muon" and suited else "Adam"

    def _move_averages(self, step):
        """Update the average with the weights after `step`, if an update is due.

        That depends only on the step's number, so that a call may end at any step.
        """
        config = self._config
        every = AVERAGE_EVERY if config.average else 1  # 0: the weights as they are
        young = step < YOUNG
        due = tf.logical_or(young, tf.equal((step + 1) % every, 0))
        n_steps = tf.where(young, 1.0, float(every))
        # A young average forgets faster, so that the initial weights do not last in it.
        age = tf.cast(step, tf.float32)
        decay = tf.minimum(config.average, (1.0 + age) / (10.0 + age)) ** n_steps
        share = 1.0 - decay

        def move():
            return tf.group(
                *(
                    average.assign_sub((average.read() - weight.read()) * share)
                    for average, weight in zip(
                        self.averages.values(), self._weights.values()
                    )
                )
            )

        return tf.cond(due, move, tf.no_op)


def _adam(powers, rate):
    """Return a function that takes a weight's step (Kingma & Ba 2015, algorithm 1)."""
    betas, epsilon = [tf.constant(beta) for beta in BETAS], tf.constant(EPSILON)

    def take(weight, gradient, first, second):
        return tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=rate,
            beta1=betas[0],
            beta2=betas[1],
            epsilon=epsilon,
            grad=gradient,
        )

    return take
