"""Layers with keyed initial weights: tensor in, tensor out."""

import zlib
from typing import Callable, Sequence

import tensorflow.compat.v1 as tf

from cvae.backend import stateless
from cvae.config import Config

ACTIVATIONS = {"relu": tf.nn.relu, "swish": tf.nn.swish, "tanh": tf.nn.tanh}


def dense(h: tf.Tensor, units: int, name: str, seed: int) -> tf.Tensor:
    """Apply an affine layer: `[n, n_in]` to `[n, units]`.

    Weights start as Glorot & Bengio (2010) uniform draws keyed by `seed` and the
    variable's name, biases at zero.
    """
    shape = [h.shape.as_list()[-1], units]
    kernel, bias = _weights(name, shape, glorot(seed))
    return tf.nn.bias_add(tf.matmul(h, kernel), bias)


def dense_layers(
    h: tf.Tensor, y: tf.Tensor, sizes: Sequence[int], config: Config
) -> tf.Tensor:
    """Apply layers of `sizes` units with the activation of `config`: `[n, sizes[-1]]`.

    With `config.film`, y `[n, K]` scales and shifts the units of each.
    """
    for i, units in enumerate(sizes, 1):
        h = dense(h, units, f"hidden_{i}", config.seed)
        if config.film:
            h = film(h, y, f"class_{i}", config.seed)
        h = ACTIVATIONS[config.activation](h)
    return h


def film(h: tf.Tensor, y: tf.Tensor, name: str, seed: int) -> tf.Tensor:
    """Scale and shift each feature of h `[n, …, c]` by y `[n, K]`.

    Feature-wise linear modulation (Perez et al. 2018).
    """
    features = h.shape.as_list()[-1]
    kernel, bias = _weights(name, [y.shape.as_list()[-1], 2 * features], glorot(seed))
    # Two narrow products: one for both would have to be copied into its halves.
    halves = zip(tf.split(kernel, 2, 1), tf.split(bias, 2))
    window = [1] * (h.shape.ndims - 2)
    scale, shift = (
        tf.reshape(tf.nn.bias_add(tf.matmul(y, k), b), [-1, *window, features])
        for k, b in halves
    )
    return h * (1.0 + scale) + shift


def conv(
    h: tf.Tensor,
    channels: int,
    size: int,
    name: str,
    initializer: Callable,
    stride: int = 1,
) -> tf.Tensor:
    """Convolve h with squares of `size`: `[n, s, s, c]` to `[n, s', s', channels]`.

    s' is s / `stride`; the image is padded with zeros.
    """
    shape = [size, size, h.shape.as_list()[-1], channels]
    kernel, bias = _weights(name, shape, initializer)
    strides = [1, stride, stride, 1]
    return tf.nn.bias_add(tf.nn.conv2d(h, kernel, strides, "SAME"), bias)


def is_kernel(name: str) -> bool:
    """Return whether the variable of that name is a layer's kernel, not its bias."""
    return name.endswith("kernel")


def glorot(seed: int) -> Callable:
    """Return an initializer of kernels `[..., n_in, n_out]`, keyed by `seed`."""

    def initializer(shape, dtype=tf.float32, partition_info=None):
        del partition_info
        name = tf.get_variable_scope().name
        *window, n_in, n_out = (int(size) for size in shape)
        area = 1
        for size in window:
            area *= size
        limit = (6.0 / (area * (n_in + n_out))) ** 0.5
        draw_key = stateless.key(seed, zlib.crc32(name.encode()), "weights")
        return tf.random.stateless_uniform(
            shape, draw_key, minval=-limit, maxval=limit, dtype=dtype
        )

    return initializer


def _weights(name, shape, initializer):
    with tf.variable_scope(name):
        return (
            tf.get_variable(
                "kernel", shape, initializer=initializer, use_resource=True
            ),
            tf.get_variable(
                "bias",
                shape[-1:],
                initializer=tf.zeros_initializer(),
                use_resource=True,
            ),
        )
