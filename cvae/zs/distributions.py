"""Normal, Bernoulli, Categorical, OnehotCategorical and Uniform.

Arguments that all of them share (`group_ndims`, and what `settings` takes) are
described at `Distribution`.
"""

import math
from typing import Tuple

import tensorflow.compat.v1 as tf

from cvae.zs.base import (
    FLOATS,
    NUMBERS,
    Distribution,
    Univariate,
    batch_sample_shape,
    check_broadcastable,
    checked_param_dtype,
    checked_sample_dtype,
)
from cvae.zs.utils import broadcast_together

__all__ = [
    "Bernoulli",
    "Categorical",
    "Discrete",
    "Distribution",
    "Normal",
    "OnehotCategorical",
    "OnehotDiscrete",
    "Uniform",
]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Normal(Univariate):
    """Univariate normal distribution, given by its mean and one of `std` and `logstd`.

    Args:
        mean: float tensor, broadcastable with `std` or `logstd`.
        std: standard deviation, to be passed by name.
        logstd: its natural logarithm, to be passed by name.
        is_reparameterized: False stops gradients from samples into the parameters.
        use_path_derivative: True stops gradients from `log_prob` into the parameters.
        check_numerics: fail at run time where log(std), exp(logstd) or the precision is
            infinite or not a number.

    Raises:
        ValueError: both or neither of `std` and `logstd`; shapes do not broadcast.
        TypeError: parameters of different dtypes, or of one that is not a float.
    """

    def __init__(
        self,
        mean=0.0,
        _sentinel=None,
        std=None,
        logstd=None,
        group_ndims=0,
        is_reparameterized: bool = True,
        use_path_derivative: bool = False,
        check_numerics: bool = False,
        **settings,
    ):
        if _sentinel is not None:
            raise ValueError("Please use named arguments: std=… or logstd=…")
        if (std is None) == (logstd is None):
            raise ValueError("Either `std` or `logstd` should be passed, but not both")
        self._check_numerics = check_numerics
        self._mean = tf.convert_to_tensor(mean)
        if logstd is None:
            self._std = scale = tf.convert_to_tensor(std)
            parameters = {"mean": self._mean, "std": scale}
        else:
            self._logstd = scale = tf.convert_to_tensor(logstd)
            parameters = {"mean": self._mean, "logstd": scale}
        self._parameters = list(parameters.values())
        dtype = checked_param_dtype(parameters)
        check_broadcastable(parameters)
        if logstd is None:
            self._logstd = self._guarded(tf.log(scale), "log(std)")
        else:
            self._std = self._guarded(tf.exp(scale), "exp(logstd)")
        super().__init__(
            dtype,
            dtype,
            is_continuous=True,
            is_reparameterized=is_reparameterized,
            use_path_derivative=use_path_derivative,
            group_ndims=group_ndims,
            **settings,
        )

    @property
    def mean(self) -> tf.Tensor:
        """The mean."""
        return self._mean

    @property
    def std(self) -> tf.Tensor:
        """The standard deviation."""
        return self._std

    @property
    def logstd(self) -> tf.Tensor:
        """Natural logarithm of the standard deviation."""
        return self._logstd

    def _sample(self, n_samples):
        shape = batch_sample_shape(self, n_samples)
        noise = tf.random_normal(shape, dtype=self.param_dtype)
        return self.mean + self.std * noise

    def _log_prob(self, given):
        mean, logstd = self.path_param(self.mean), self.path_param(self.logstd)
        inverse_std = tf.exp(-logstd)
        if self._check_numerics:
            precision = tf.check_numerics(tf.square(inverse_std), "precision")
            with tf.control_dependencies([precision]):
                inverse_std = tf.identity(inverse_std)
        standardized = (given - mean) * inverse_std
        return -0.5 * tf.square(standardized) - (logstd + _HALF_LOG_2PI)

    def _prob(self, given):
        return tf.exp(self._log_prob(given))


class Bernoulli(Univariate):
    """Univariate Bernoulli distribution: 1 with probability sigmoid(logits), else 0.

    Args:
        logits: float tensor of log-odds.
        dtype: of samples, int16/32/64 or float16/32/64.

    Raises:
        TypeError: logits are not floats, or samples cannot have `dtype`.
    """

    def __init__(self, logits, dtype=tf.int32, group_ndims=0, **settings):
        self._logits = tf.convert_to_tensor(logits)
        self._parameters = [self._logits]
        super().__init__(
            checked_sample_dtype(dtype),
            checked_param_dtype({"logits": self._logits}),
            is_continuous=False,
            is_reparameterized=False,
            group_ndims=group_ndims,
            **settings,
        )

    @property
    def logits(self) -> tf.Tensor:
        """Log-odds of 1."""
        return self._logits

    def _sample(self, n_samples):
        shape = batch_sample_shape(self, n_samples)
        uniform = tf.random_uniform(shape, dtype=self.param_dtype)
        return tf.cast(uniform < tf.sigmoid(self.logits), self.dtype)

    def _log_prob(self, given):
        given = tf.cast(given, self.param_dtype)
        given, logits = broadcast_together(given, self.logits)
        return -tf.nn.sigmoid_cross_entropy_with_logits(labels=given, logits=logits)

    def _prob(self, given):
        return tf.exp(self._log_prob(given))


class _OneOfMany(Distribution):
    """What Categorical and OnehotCategorical share: everything but the value."""

    _sample_dtypes: Tuple[tf.DType, ...] = NUMBERS
    _param_dtypes: Tuple[tf.DType, ...] = FLOATS

    def __init__(self, logits, dtype=tf.int32, group_ndims=0, **settings):
        self._logits = _at_least_a_vector(tf.convert_to_tensor(logits))
        static = _last_dimension(self._logits)
        self._n_categories = tf.shape(self._logits)[-1] if static is None else static
        super().__init__(
            checked_sample_dtype(dtype, self._sample_dtypes),
            checked_param_dtype({"logits": self._logits}, self._param_dtypes),
            is_continuous=False,
            is_reparameterized=False,
            group_ndims=group_ndims,
            **settings,
        )

    @property
    def logits(self) -> tf.Tensor:
        """Unnormalized log-probabilities of the categories, on the last axis."""
        return self._logits

    @property
    def n_categories(self):
        """Number of categories: an int, or an int32 tensor where it is not static."""
        return self._n_categories

    def _indices(self, n_samples):
        rows = tf.reshape(self.logits, [-1, self.n_categories])
        drawn = tf.random.categorical(rows, n_samples, dtype=tf.int32)
        return tf.reshape(tf.transpose(drawn), batch_sample_shape(self, n_samples))

    def _prob(self, given):
        return tf.exp(self._log_prob(given))

    def _batch_shape(self):
        return tf.shape(self.logits)[:-1]

    def _get_batch_shape(self):
        return self.logits.shape[:-1]


class Categorical(_OneOfMany):
    """Univariate categorical distribution over 0 … n_categories - 1.

    The probability of any other number is an `InvalidArgumentError` at run time.

    Args:
        logits: float32/64 tensor `batch_shape + [n_categories]` of log-probabilities,
            which need not be normalized.
        dtype: of samples, int32/64 or float32/64.

    Raises:
        TypeError: logits are not floats, or samples cannot have `dtype`.
        ValueError: logits are a scalar.
    """

    _sample_dtypes = (tf.int32, tf.int64, tf.float32, tf.float64)
    _param_dtypes = (tf.float32, tf.float64)

    def _sample(self, n_samples):
        return tf.cast(self._indices(n_samples), self.dtype)

    def _log_prob(self, given):
        indices = tf.cast(given, tf.int32)[..., tf.newaxis]
        indices, logits = broadcast_together(indices, self.logits)
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=indices[..., 0], logits=logits
        )

    def _value_shape(self):
        return tf.constant([], tf.int32)

    def _get_value_shape(self):
        return tf.TensorShape([])


class OnehotCategorical(_OneOfMany):
    """Categorical distribution whose values are one-hot vectors `[n_categories]`.

    Args:
        logits: float tensor `batch_shape + [n_categories]` of log-probabilities, which
            need not be normalized.
        dtype: of samples, int16/32/64 or float16/32/64.

    Raises:
        TypeError: logits are not floats, or samples cannot have `dtype`.
        ValueError: logits are a scalar.
    """

    def _sample(self, n_samples):
        return tf.one_hot(self._indices(n_samples), self.n_categories, dtype=self.dtype)

    def _log_prob(self, given):
        onehot = tf.cast(given, self.param_dtype)
        # A category of probability 0 that does not occur contributes 0, not 0 * -inf.
        log_p = tf.nn.log_softmax(self.logits)
        return tf.reduce_sum(tf.math.multiply_no_nan(log_p, onehot), -1)

    def _value_shape(self):
        return tf.stack([self.n_categories])

    def _get_value_shape(self):
        return tf.TensorShape([_last_dimension(self.logits)])


class Uniform(Univariate):
    """Univariate uniform distribution on [minval, maxval).

    Args:
        minval: float tensor, broadcastable with `maxval`.
        maxval: float tensor of the same dtype.
        is_reparameterized: False stops gradients from samples into the parameters.
        check_numerics: fail at run time where the density, or a log-probability (as it
            is outside the interval), is infinite or not a number.

    Raises:
        TypeError: parameters of different dtypes, or of one that is not a float.
        ValueError: shapes do not broadcast.
    """

    def __init__(
        self,
        minval=0.0,
        maxval=1.0,
        group_ndims=0,
        is_reparameterized: bool = True,
        check_numerics: bool = False,
        **settings,
    ):
        self._check_numerics = check_numerics
        self._minval = tf.convert_to_tensor(minval)
        self._maxval = tf.convert_to_tensor(maxval)
        parameters = {"minval": self._minval, "maxval": self._maxval}
        self._parameters = list(parameters.values())
        dtype = checked_param_dtype(parameters)
        check_broadcastable(parameters)
        super().__init__(
            dtype,
            dtype,
            is_continuous=True,
            is_reparameterized=is_reparameterized,
            group_ndims=group_ndims,
            **settings,
        )

    @property
    def minval(self) -> tf.Tensor:
        """Lower end of the interval, included."""
        return self._minval

    @property
    def maxval(self) -> tf.Tensor:
        """Upper end of the interval, excluded."""
        return self._maxval

    def _sample(self, n_samples):
        shape = batch_sample_shape(self, n_samples)
        uniform = tf.random_uniform(shape, dtype=self.param_dtype)
        return self.minval + (self.maxval - self.minval) * uniform

    def _log_prob(self, given):
        log_p = tf.log(self._inside(given)) + tf.log(self._density())
        return self._guarded(log_p, "log_p")

    def _prob(self, given):
        return self._inside(given) * self._density()

    def _inside(self, given):
        inside = tf.logical_and(self.minval <= given, given < self.maxval)
        return tf.cast(inside, self.param_dtype)

    def _density(self):
        return self._guarded(1.0 / (self.maxval - self.minval), "p")


def _last_dimension(logits):
    return tf.dimension_value(logits.shape.with_rank_at_least(1)[-1])


def _at_least_a_vector(logits):
    message = "logits should have rank >= 1"
    check = tf.debugging.assert_rank_at_least(logits, 1, message=message)
    if logits.shape.ndims is not None:
        return logits
    with tf.control_dependencies([check]):
        return tf.identity(logits)


Discrete = Categorical
OnehotDiscrete = OnehotCategorical
