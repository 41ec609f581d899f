"""Helpers of `cvae.zs`: tensor-like objects, log-mean-exp, broadcasting."""

import functools

import tensorflow.compat.v1 as tf
from tensorflow.python.client.session import register_session_run_conversion_functions

# Equality stays that of objects, so that they can be keys of a feed_dict.
_OPERATORS = sorted(tf.Tensor.OVERLOADABLE_OPERATORS - {"__eq__", "__ne__"})


class TensorLike:
    """An object with a `tensor` that may stand wherever TensorFlow takes a tensor.

    It converts to that tensor, has its arithmetic, ordering and indexing operators, and
    can be fetched from and fed to `tf.Session.run`. It equals nothing but itself.
    """

    __array_priority__ = 100  # numpy_array * x calls x.__rmul__

    @property
    def tensor(self) -> tf.Tensor:
        """The tensor this object stands for."""
        raise NotImplementedError()

    def __iter__(self):
        raise TypeError(f"{type(self).__name__} object is not iterable")

    def __bool__(self):
        raise TypeError(
            f"Using a `{type(self).__name__}` object as a Python `bool` is not "
            "allowed; compare it with None, or use `tf.cond`"
        )

    @staticmethod
    def _to_tensor(value, dtype=None, name=None, as_ref=False):
        kind, tensor = type(value).__name__, value.tensor
        if dtype is not None and not dtype.is_compatible_with(tensor.dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type '{dtype.name}' for "
                f"{kind} of type '{tensor.dtype.name}'"
            )
        if as_ref:
            raise ValueError(f"{kind}: Ref type not supported")
        return tensor


def _plain(value):
    return value.tensor if isinstance(value, TensorLike) else value


def _operator(name):
    method = getattr(tf.Tensor, name)

    @functools.wraps(method)
    def apply(self, *operands):
        return method(self.tensor, *map(_plain, operands))

    return apply


for _name in _OPERATORS:
    setattr(TensorLike, _name, _operator(_name))

tf.register_tensor_conversion_function(TensorLike, TensorLike._to_tensor)
register_session_run_conversion_functions(
    TensorLike,
    fetch_function=lambda like: ([like.tensor], lambda values: values[0]),
    feed_function=lambda like, value: [(like.tensor, value)],
    feed_function_for_partial_run=lambda like: [like.tensor],
)


def log_mean_exp(x, axis=None, keepdims: bool = False) -> tf.Tensor:
    """Return log(mean(exp(x))) over `axis` (all axes by default), without overflow.

    Entries of -inf count as zeros; a slice of nothing else gives -inf.

    Args:
        x: float tensor of any shape.
        axis: int, list of ints or int tensor.
        keepdims: keep the reduced axes with length 1.
    """
    x = tf.convert_to_tensor(x)
    largest = tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True))
    shift = tf.where(tf.is_finite(largest), largest, tf.zeros_like(largest))
    mean = tf.reduce_mean(tf.exp(x - shift), axis, keepdims=keepdims)
    return tf.log(mean) + tf.reduce_max(shift, axis, keepdims=keepdims)


def merge_dicts(*dicts: dict) -> dict:
    """Return a new dict with the items of all `dicts`; the later one wins."""
    merged = {}
    for one in dicts:
        merged.update(one)
    return merged


def broadcast_together(a: tf.Tensor, b: tf.Tensor) -> tuple:
    """Return `a` and `b` in their common shape, without a copy where sizes are equal.

    Raises:
        ValueError: the static shapes do not broadcast; shapes known only at run time
            give an `InvalidArgumentError` ("Incompatible shapes") there.
    """
    static = tf.broadcast_static_shape(a.shape, b.shape)
    if static.is_fully_defined():
        shape = static.as_list()
    else:
        shape = tf.broadcast_dynamic_shape(tf.shape(a), tf.shape(b))

    def grow(tensor):
        if static.is_fully_defined() and (
            tensor.shape.num_elements() == static.num_elements()
        ):
            return tf.reshape(tensor, shape)
        tensor = tf.broadcast_to(tensor, shape)
        tensor.set_shape(static)
        return tensor

    return grow(a), grow(b)
