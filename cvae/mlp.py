"""Fully connected layers for NN_θ and the encoder."""

import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.layers import dense, dense_layers


def features(x: tf.Tensor, y: tf.Tensor, config: Config) -> tf.Tensor:
    """Read x `[n, x_dim]` given y `[n, K]`: features `[n, hidden[-1]]`."""
    return dense_layers(tf.concat([x, y], -1), config.hidden, config)


def logits(y: tf.Tensor, z: tf.Tensor, config: Config) -> tf.Tensor:
    """Write x given y `[n, K]` and z `[n, d]`: its logits `[n, x_dim]`."""
    h = dense_layers(tf.concat([y, z], -1), config.hidden[::-1], config)
    return dense(h, config.x_dim, "x_logits", config.seed)
