"""`StochasticTensor`: a named random variable that TensorFlow takes as a tensor."""

from typing import Any

import tensorflow.compat.v1 as tf

from cvae.zs.base import Distribution
from cvae.zs.utils import TensorLike

__all__ = ["StochasticTensor"]


class StochasticTensor(TensorLike):
    """A node of a `BayesianNet` that follows a distribution.

    It stands for its observation if it has one, else for one sample, drawn when it is
    first needed.

    Args:
        bn: the net it belongs to.
        name: its name there.
        dist: its distribution.
        observation: its value; of the distribution's dtype, and broadcastable with
            `batch_shape + value_shape`.
        n_samples: number of samples to draw on a new axis 0; None for one without it.

    Raises:
        ValueError: the observation has another dtype or shape.
    """

    def __init__(self, bn, name: str, dist, observation=None, n_samples=None):
        self._bn = bn
        self._name = name
        self._dist = dist
        self._n_samples = n_samples
        self._observed = observation is not None
        self._tensor = self._checked(observation) if self._observed else None
        self._cond_log_p = None

    @property
    def bn(self) -> Any:
        """The `BayesianNet` this node belongs to."""
        return self._bn

    @property
    def name(self) -> str:
        """Name of the node."""
        return self._name

    @property
    def dist(self) -> Distribution:
        """Distribution of the node given its parents."""
        return self._dist

    @property
    def dtype(self) -> tf.DType:
        """Data type of the value."""
        return self._dist.dtype

    @property
    def shape(self) -> tf.TensorShape:
        """Static shape of the value."""
        return self.tensor.shape

    def get_shape(self) -> tf.TensorShape:
        """Return the static shape of the value."""
        return self.tensor.shape

    @property
    def tensor(self) -> tf.Tensor:
        """The observation, or the one sample."""
        if self._tensor is None:
            self._tensor = self._dist.sample(self._n_samples)
        return self._tensor

    @property
    def cond_log_p(self) -> tf.Tensor:
        """Log-probability (nats) of the value given the node's parents."""
        if self._cond_log_p is None:
            self._cond_log_p = self._dist.log_prob(self.tensor)
        return self._cond_log_p

    def is_observed(self) -> bool:
        """Return whether the value was given, not sampled."""
        return self._observed

    def sample(self, n_samples=None) -> tf.Tensor:
        """Draw new samples of the node's distribution."""
        return self._dist.sample(n_samples)

    def log_prob(self, given) -> tf.Tensor:
        """Return log p(given) in nats under the node's distribution."""
        return self._dist.log_prob(given)

    def prob(self, given) -> tf.Tensor:
        """Return p(given) under the node's distribution."""
        return self._dist.prob(given)

    net = bn
    distribution = dist

    def _checked(self, observation):
        label = f"StochasticTensor('{self._name}') and its observation"
        try:
            tensor = tf.convert_to_tensor(observation, dtype=self._dist.dtype)
        except ValueError as error:
            message = f"Incompatible types of {label}: {error}"
            raise ValueError(message) from error
        expected = self._dist.get_batch_shape().concatenate(
            self._dist.get_value_shape()
        )
        try:
            tf.broadcast_static_shape(expected, tensor.shape)
        except ValueError:
            message = f"Incompatible shapes of {label}: {expected} vs. {tensor.shape}"
            raise ValueError(message) from None
        return tensor
