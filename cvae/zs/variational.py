"""Variational objectives: the evidence lower bound and the importance-weighted bound.

`tensor` is the bound in nats; `sgvb`, `reinforce` and `vimco` return surrogate costs:
to be minimized, their gradients estimate minus the gradient of the expected bound.
"""

import functools
import operator
from typing import Optional, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.training.moving_averages import assign_moving_average

from cvae.zs.framework import BayesianNet, MetaBayesianNet, StochasticTensor
from cvae.zs.utils import TensorLike, broadcast_together, log_mean_exp, merge_dicts

__all__ = [
    "EvidenceLowerBoundObjective",
    "ImportanceWeightedObjective",
    "VariationalObjective",
    "elbo",
    "importance_weighted_objective",
    "iw_objective",
]

_FEW_PARTICLES = (
    "VIMCO is a multi-sample estimator: the size along `axis` should be larger than 1"
)


def _once(method):
    """Make `method` a property that is computed when it is first asked for."""
    name = f"_kept{method.__name__}"

    @functools.wraps(method)
    def get(self):
        if name not in vars(self):
            setattr(self, name, method(self))
        return getattr(self, name)

    return property(get)


class VariationalObjective(TensorLike):
    """A bound made of log p(observed, latent) and log q(latent); stands for its tensor.

    `meta_bn` is observed, and so makes its variables, when the bound, its net or a cost
    is first asked for; latents are drawn at once.

    Args:
        meta_bn: a `MetaBayesianNet`, or a function of a dict of all node values that
            returns their log joint probability (nats).
        observed: values of observed nodes, by name; they win over latents.
        latent: (sample, log q) of latent nodes, by name.
        axis: particle axis or axes of both log-probabilities.
        variational: a `BayesianNet`; its stochastic nodes that are not observed are the
            latents.

    Raises:
        ValueError: both or neither of `latent` and `variational`.
        TypeError: `variational` is not a `BayesianNet`.
    """

    def __init__(self, meta_bn, observed, latent=None, axis=None, variational=None):
        if (latent is None) == (variational is None):
            raise ValueError(
                "Either `latent` or `variational` should be passed, but not both"
            )
        if variational is not None:
            latent = _latent_nodes(variational)
        self._joint = meta_bn
        self._axis = axis
        self._variational = variational
        samples = {name: sample for name, (sample, _) in latent.items()}
        self._values = merge_dicts(samples, observed)
        self._log_qs = [tf.convert_to_tensor(log_q) for _, log_q in latent.values()]

    @property
    def meta_bn(self) -> Optional[MetaBayesianNet]:
        """The `MetaBayesianNet`; None if a function was passed."""
        return None if callable(self._joint) else self._joint

    @property
    def variational(self) -> Optional[BayesianNet]:
        """The variational net; None if `latent` was passed."""
        return self._variational

    @_once
    def bn(self) -> Optional[BayesianNet]:
        """The generative net at the latent samples; None if a function was passed."""
        return None if self.meta_bn is None else self.meta_bn.observe(**self._values)

    @_once
    def tensor(self) -> tf.Tensor:
        """The bound in nats, without the particle axis."""
        return self._bound()

    @_once
    def _log_p(self):
        if self.meta_bn is None:
            return tf.convert_to_tensor(self._joint(self._values))
        return self.bn.log_joint()

    @_once
    def _log_q(self):
        return functools.reduce(
            operator.add, self._log_qs or [tf.zeros_like(self._log_p)]
        )

    @_once
    def _log_weight(self):
        return self._log_p - self._log_q

    def sgvb(self) -> tf.Tensor:
        """Return minus the bound; latents must be reparameterized.

        Its gradient is the pathwise one, stochastic gradient variational Bayes (Kingma
        & Welling 2014); for the importance-weighted bound, that of Burda et al. 2016.
        """
        return -self.tensor

    def _bound(self):
        raise NotImplementedError()


class EvidenceLowerBoundObjective(VariationalObjective):
    """The evidence lower bound E_q[log p(observed, latent) - log q(latent)]."""

    def _bound(self):
        return self._average(self._log_weight)

    def reinforce(
        self, variance_reduction: bool = True, baseline=None, decay=0.8
    ) -> Union[tf.Tensor, Tuple[tf.Tensor, tf.Tensor]]:
        """Return the score-function surrogate cost (Williams 1992), for any latents.

        Latents that could be reparameterized must have `is_reparameterized=False`. The
        moving mean lives in the non-trainable variable `moving_mean` of the current
        variable scope, which each run updates.

        Args:
            variance_reduction: subtract from the learning signal `baseline` and the
                moving mean of the signals of earlier runs (0 in the first run). Where
                False, `baseline` has no effect.
            baseline: tensor that broadcasts to the learning signal and predicts it,
                such as the output of a net that sees the observations.
            decay: of the moving mean, in [0, 1).

        Returns:
            The cost, without the particle axis; if a baseline is subtracted, a pair of
            it and half the squared error of the baseline, to be minimized by the
            baseline's own parameters.
        """
        signal = tf.stop_gradient(self._log_weight)
        baseline_cost = None
        if variance_reduction and baseline is not None:
            signal -= baseline
            baseline_cost = self._average(0.5 * tf.square(signal))
        if variance_reduction:
            signal -= _moving_mean(signal, decay)
        cost = self._average(-self._log_p - tf.stop_gradient(signal) * self._log_q)
        return cost if baseline_cost is None else (cost, baseline_cost)

    def _average(self, x):
        return x if self._axis is None else tf.reduce_mean(x, self._axis)


class ImportanceWeightedObjective(VariationalObjective):
    """The importance-weighted bound E[log mean exp(log p - log q)] (Burda et al. 2016).

    Raises:
        ValueError: `axis`, over which the mean is taken, is None.
    """

    def __init__(self, meta_bn, observed, latent=None, axis=None, variational=None):
        if axis is None:
            raise ValueError(
                "This is a multi-sample objective, the `axis` argument must be "
                "specified: the mean is over that axis"
            )
        super().__init__(meta_bn, observed, latent, axis, variational)

    def _bound(self):
        return log_mean_exp(self._log_weight, self._axis)

    def vimco(self) -> tf.Tensor:
        """Return the VIMCO surrogate cost (Mnih & Rezende 2016), for any latents.

        Each particle's learning signal is the bound minus the bound with that
        particle's log-weight replaced by the mean of the others'. Latents that could be
        reparameterized must have `is_reparameterized=False`. Memory grows with the
        square of the number of particles.

        Raises:
            ValueError: fewer than two particles, statically, or `axis` is not one int;
                at run time, `InvalidArgumentError`.
        """
        log_q, log_weight = broadcast_together(self._log_q, self._log_weight)
        _check_particles(log_weight, self._axis)
        log_q = _axis_last(log_q, self._axis)
        log_weight = _at_least_two(_axis_last(log_weight, self._axis))
        bound = log_mean_exp(log_weight, -1, keepdims=True)
        signal = bound - log_mean_exp(_each_replaced_by_others(log_weight), -1)
        return -self.tensor - tf.reduce_sum(tf.stop_gradient(signal) * log_q, -1)


elbo = EvidenceLowerBoundObjective
iw_objective = importance_weighted_objective = ImportanceWeightedObjective


def _latent_nodes(variational):
    if not isinstance(variational, BayesianNet):
        raise TypeError(
            f"`variational` should be a BayesianNet, got {type(variational).__name__}"
        )
    return {
        name: (node, node.cond_log_p)
        for name, node in variational.nodes.items()
        if isinstance(node, StochasticTensor) and not node.is_observed()
    }


def _moving_mean(signal, decay):
    """Moving mean of earlier runs' mean signals; 0 if there are none."""
    mean = tf.get_variable(
        "moving_mean",
        shape=[],
        dtype=signal.dtype,
        initializer=tf.zeros_initializer(),
        trainable=False,
        use_resource=True,
    )
    earlier = mean.read_value()
    with tf.control_dependencies([earlier]):
        update = assign_moving_average(
            mean, tf.reduce_mean(signal), decay, zero_debias=True
        )
    with tf.control_dependencies([update]):
        return tf.identity(earlier)


def _check_particles(log_weight, axis):
    if not isinstance(axis, (int, np.integer)):
        raise ValueError(f"vimco takes one particle axis, an int, not {axis!r}")
    if log_weight.shape.ndims is not None:
        particles = tf.dimension_value(log_weight.shape[axis])
        if particles is not None and particles < 2:
            raise ValueError(f"{_FEW_PARTICLES}, got {particles}")


def _at_least_two(log_weight):
    enough = tf.shape(log_weight)[-1] >= 2
    check = tf.debugging.Assert(enough, [_FEW_PARTICLES])
    with tf.control_dependencies([check]):
        return tf.identity(log_weight)


def _axis_last(tensor, axis):
    rank = tf.rank(tensor) if tensor.shape.ndims is None else tensor.shape.ndims
    axis = axis + rank if axis < 0 else axis
    order = tf.range(rank)
    return tf.transpose(
        tensor, tf.concat([order[:axis], order[axis + 1 :], [axis]], axis=0)
    )


def _each_replaced_by_others(x):
    """[…, j, i] is x[…, i]; for i = j, the mean of the x[…, k] with k ≠ j."""
    rows = x[..., tf.newaxis, :] + tf.zeros_like(x)[..., tf.newaxis]
    others = tf.linalg.set_diag(rows, tf.zeros_like(x))
    count = tf.cast(tf.shape(x)[-1] - 1, x.dtype)
    return tf.linalg.set_diag(rows, tf.reduce_sum(others, -1) / count)
