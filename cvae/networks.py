"""NN_θ and the encoder: tensor in, tensor out."""

import zlib
from typing import Tuple

import tensorflow.compat.v1 as tf

from cvae import draws
from cvae.config import Config

ACTIVATIONS = {"relu": tf.nn.relu, "swish": tf.nn.swish, "tanh": tf.nn.tanh}


def decoder(y: tf.Tensor, z: tf.Tensor, config: Config) -> tf.Tensor:
    """NN_θ(y, z): the logits of x, `[..., batch, x_dim]`.

    Args:
        y: one-hot, float32 `[batch, K]`.
        z: float32 `[..., batch, d]`, particles first.
    """
    leading = tf.concat([tf.shape(z)[:-1], [config.n_classes]], 0)
    y = tf.broadcast_to(y, leading)  # every particle of z sees its image's class
    h = _mlp(tf.concat([y, z], -1), config.hidden[::-1], config)
    return dense(h, config.x_dim, "x_logits", config.seed)


def encoder(x: tf.Tensor, y: tf.Tensor, config: Config) -> Tuple[tf.Tensor, tf.Tensor]:
    """NN_φ(x, y): mean and log standard deviation of z, each `[batch, d]`.

    Args:
        x: bits, float32 `[batch, x_dim]`.
        y: one-hot, float32 `[batch, K]`.
    """
    h = _mlp(tf.concat([x, y], -1), config.hidden, config)
    heads = dense(h, 2 * config.z_dim, "z_heads", config.seed)
    mean, logstd = tf.split(heads, 2, axis=-1)
    return mean, logstd


def dense(h: tf.Tensor, units: int, name: str, seed: int) -> tf.Tensor:
    """Affine layer on the last axis: `[..., n]` to `[..., units]`.

    Weights start as Glorot & Bengio (2010) uniform draws keyed by `seed` and the
    variable's name, biases at zero.
    """
    n_in = h.shape.as_list()[-1]
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "kernel", [n_in, units], initializer=_glorot(seed), use_resource=True
        )
        bias = tf.get_variable(
            "bias", [units], initializer=tf.zeros_initializer(), use_resource=True
        )
    flat = tf.nn.bias_add(tf.matmul(tf.reshape(h, [-1, n_in]), kernel), bias)
    out = tf.reshape(flat, tf.concat([tf.shape(h)[:-1], [units]], 0))
    out.set_shape(h.shape[:-1].concatenate(units))
    return out


def _mlp(h, sizes, config):
    for i, units in enumerate(sizes):
        h = dense(h, units, "hidden_{}".format(i + 1), config.seed)
        h = ACTIVATIONS[config.activation](h)
    return h


def _glorot(seed):
    def initializer(shape, dtype=tf.float32, partition_info=None):
        del partition_info
        name = tf.get_variable_scope().name
        limit = (6.0 / (int(shape[0]) + int(shape[1]))) ** 0.5
        draw_key = draws.key(seed, zlib.crc32(name.encode()), "weights")
        return tf.random.stateless_uniform(
            shape, draw_key, minval=-limit, maxval=limit, dtype=dtype
        )

    return initializer
