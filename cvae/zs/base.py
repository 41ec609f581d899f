"""`Distribution`, which every distribution extends: shapes, dtypes and event axes."""

import functools
from typing import Sequence, Union

import numpy as np
import tensorflow.compat.v1 as tf

FLOATS = (tf.float16, tf.float32, tf.float64)
NUMBERS = (tf.int16, tf.int32, tf.int64) + FLOATS


class Distribution:
    """Batches of independent random variables, one per entry of the parameters.

    Samples have shape `([n_samples] +) batch_shape + value_shape`. The last
    `group_ndims` batch axes form one event: their log-probabilities (nats) are summed.

    A subclass fills in `_sample(n_samples)`, where `n_samples` is always a scalar (int
    or int32 tensor) and the result always has the sample axis 0; `_log_prob(given)` and
    `_prob(given)`, per batch entry; and the shapes: `_batch_shape()`, `_value_shape()`
    as int32 vectors, `_get_batch_shape()`, `_get_value_shape()` as `TensorShape`s.

    Args:
        dtype: of samples.
        param_dtype: of parameters and log-probabilities.
        is_continuous: densities rather than probabilities.
        is_reparameterized: gradients flow through samples into the parameters.
        use_path_derivative: `log_prob` is a constant function of the parameters to the
            gradient (Roeder et al. 2017, "Sticking the Landing").
        group_ndims: non-negative int, or a scalar int32 tensor.
        group_event_ndims: what `group_ndims` was called before ZhuSuan 0.3.

    Raises:
        ValueError: `group_ndims` is a negative int or statically not a scalar, or
            `group_event_ndims` is passed. Other negative or non-scalar tensors are an
            `InvalidArgumentError`, at once where they are constant, else at run time.
    """

    def __init__(
        self,
        dtype,
        param_dtype,
        is_continuous: bool,
        is_reparameterized: bool,
        use_path_derivative: bool = False,
        group_ndims=0,
        group_event_ndims=None,
    ):
        if group_event_ndims is not None:
            raise ValueError(
                "The argument `group_event_ndims` has been deprecated; use "
                "`group_ndims` instead"
            )
        self._dtype = tf.as_dtype(dtype)
        self._param_dtype = tf.as_dtype(param_dtype)
        self._is_continuous = is_continuous
        self._is_reparameterized = is_reparameterized
        self._use_path_derivative = use_path_derivative
        self._group_ndims = _checked_group_ndims(group_ndims)

    @property
    def dtype(self) -> tf.DType:
        """Data type of samples."""
        return self._dtype

    @property
    def param_dtype(self) -> tf.DType:
        """Data type of parameters and log-probabilities."""
        return self._param_dtype

    @property
    def is_continuous(self) -> bool:
        """Whether the variable has a density."""
        return self._is_continuous

    @property
    def is_reparameterized(self) -> bool:
        """Whether gradients flow through samples into the parameters."""
        return self._is_reparameterized

    @property
    def use_path_derivative(self) -> bool:
        """Whether `log_prob` hides its parameters from the gradient."""
        return self._use_path_derivative

    @property
    def group_ndims(self) -> Union[int, tf.Tensor]:
        """Number of last batch axes that form one event: an int or an int32 tensor."""
        return self._group_ndims

    @property
    def batch_shape(self) -> tf.Tensor:
        """Batch shape as an int32 vector."""
        return self._batch_shape()

    @property
    def value_shape(self) -> tf.Tensor:
        """Shape of one value as an int32 vector."""
        return self._value_shape()

    def get_batch_shape(self) -> tf.TensorShape:
        """Batch shape as far as it is known statically."""
        return self._get_batch_shape()

    def get_value_shape(self) -> tf.TensorShape:
        """Shape of one value as far as it is known statically."""
        return self._get_value_shape()

    def path_param(self, param: tf.Tensor) -> tf.Tensor:
        """Return `param`, without its gradient if `use_path_derivative`."""
        return tf.stop_gradient(param) if self._use_path_derivative else param

    def sample(self, n_samples=None) -> tf.Tensor:
        """Draw samples of shape `([n_samples] +) batch_shape + value_shape`.

        Args:
            n_samples: None for one sample without a sample axis; else an int or a 0-D
                int32 tensor.

        Raises:
            ValueError: `n_samples` is not a scalar, statically; at run time,
                `InvalidArgumentError`.
        """
        if n_samples is None:
            samples = tf.squeeze(self._sample(1), axis=0)
            leading = []
        else:
            n_samples = _checked_n_samples(n_samples)
            samples = tf.convert_to_tensor(self._sample(n_samples))
            leading = [_static_value(n_samples)]
        if not self._is_reparameterized:
            samples = tf.stop_gradient(samples)
        samples.set_shape(tf.TensorShape(leading).concatenate(self._event_shape()))
        return samples

    def log_prob(self, given) -> tf.Tensor:
        """Return log p(given) in nats, of shape `(… +) batch_shape[:-group_ndims]`.

        Args:
            given: broadcastable to `(… +) batch_shape + value_shape`.

        Raises:
            ValueError: it is not, statically; at run time, `InvalidArgumentError`.
        """
        log_p = self._log_prob(self._checked_given(given))
        axes = self._event_axes()
        return log_p if axes is None else tf.reduce_sum(log_p, axes)

    def prob(self, given) -> tf.Tensor:
        """Return p(given); shapes and errors are those of `log_prob`."""
        p = self._prob(self._checked_given(given))
        axes = self._event_axes()
        return p if axes is None else tf.reduce_prod(p, axes)

    def _sample(self, n_samples):
        raise NotImplementedError()

    def _log_prob(self, given):
        raise NotImplementedError()

    def _prob(self, given):
        raise NotImplementedError()

    def _batch_shape(self):
        raise NotImplementedError()

    def _get_batch_shape(self):
        raise NotImplementedError()

    def _value_shape(self):
        raise NotImplementedError()

    def _get_value_shape(self):
        raise NotImplementedError()

    def _event_shape(self):
        return self.get_batch_shape().concatenate(self.get_value_shape())

    def _event_axes(self):
        if not isinstance(self._group_ndims, int):
            return tf.range(-self._group_ndims, 0)
        return list(range(-self._group_ndims, 0)) or None

    def _checked_given(self, given):
        given = tf.convert_to_tensor(given, dtype=self._dtype)
        try:
            tf.broadcast_static_shape(given.shape, self._event_shape())
        except ValueError:
            raise ValueError(
                "The given argument should be able to broadcast to match batch_shape + "
                f"value_shape of the distribution: {given.shape} vs. "
                f"{self.get_batch_shape()} + {self.get_value_shape()}"
            ) from None
        return given


class Univariate(Distribution):
    """A distribution of single numbers: its value shape is empty.

    A subclass sets `_parameters`: tensors that together broadcast to the batch shape.
    """

    _parameters: Sequence[tf.Tensor] = ()
    _check_numerics = False

    def _batch_shape(self):
        shapes = [tf.shape(parameter) for parameter in self._parameters]
        return functools.reduce(tf.broadcast_dynamic_shape, shapes)

    def _get_batch_shape(self):
        shapes = [parameter.shape for parameter in self._parameters]
        return functools.reduce(tf.broadcast_static_shape, shapes)

    def _value_shape(self):
        return tf.constant([], tf.int32)

    def _get_value_shape(self):
        return tf.TensorShape([])

    def _guarded(self, tensor, name):
        return tf.check_numerics(tensor, name) if self._check_numerics else tensor


def batch_sample_shape(dist: Distribution, n_samples) -> Union[list, tf.Tensor]:
    """Return `[n_samples] + batch_shape`: a list if the batch shape is static."""
    batch_shape = dist.get_batch_shape()
    if batch_shape.is_fully_defined():
        return [n_samples] + batch_shape.as_list()
    return tf.concat([[n_samples], dist.batch_shape], 0)


def checked_sample_dtype(dtype, allowed=NUMBERS) -> tf.DType:
    """Return `dtype` of discrete samples; a `TypeError` if it is not `allowed`."""
    dtype = tf.as_dtype(dtype)
    if dtype not in allowed:
        raise TypeError(
            f"`dtype`({dtype.name}) not in {_names(allowed)}: samples must have a "
            "dtype in that"
        )
    return dtype


def checked_param_dtype(parameters: dict, allowed=FLOATS) -> tf.DType:
    """Return the one dtype of `parameters`, tensors by name.

    Raises:
        TypeError: they differ, or are not `allowed`.
    """
    (first, tensor), *_ = parameters.items()
    dtype = tensor.dtype
    wrong = []
    for name, parameter in parameters.items():
        label = f"{name}({parameter.dtype.name})"
        if parameter.dtype not in allowed:
            wrong.append(f"{label} must have a dtype in {_names(allowed)}")
        if parameter.dtype != dtype:
            wrong.append(f"{label} must have the same dtype as {first}({dtype.name})")
    if wrong:
        raise TypeError("; ".join(wrong))
    return dtype


def check_broadcastable(parameters: dict) -> None:
    """Raise a `ValueError` unless the shapes of the two `parameters` may broadcast."""
    (a, b) = parameters
    shapes = [parameters[a].shape, parameters[b].shape]
    try:
        tf.broadcast_static_shape(*shapes)
    except ValueError:
        raise ValueError(
            f"{a} and {b} should be broadcastable to match each other ({shapes[0]} vs. "
            f"{shapes[1]})"
        ) from None


def _static_value(n_samples):
    value = tf.get_static_value(n_samples)
    return None if value is None else int(value)


def _checked_n_samples(n_samples):
    if isinstance(n_samples, (int, np.integer)):
        return int(n_samples)
    return _checked_scalar(n_samples, "n_samples")


def _checked_group_ndims(group_ndims):
    message = "group_ndims must be non-negative"
    if isinstance(group_ndims, (int, np.integer)):
        if group_ndims < 0:
            raise ValueError(f"{message}, got {group_ndims}")
        return int(group_ndims)
    group_ndims = _checked_scalar(group_ndims, "group_ndims")
    check = tf.debugging.assert_non_negative(group_ndims, message=message)
    with tf.control_dependencies([check]):
        return tf.identity(group_ndims)


def _checked_scalar(value, name):
    value = tf.convert_to_tensor(value, dtype=tf.int32)
    if value.shape.ndims == 0:
        return value
    check = tf.debugging.assert_rank(value, 0, message=f"{name} should be a scalar")
    with tf.control_dependencies([check]):
        return tf.reduce_max(value)  # of a scalar, itself; statically a scalar, too


def _names(dtypes):
    return [dtype.name for dtype in dtypes]
