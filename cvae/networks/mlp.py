"""Fully connected layers for NN_θ and the encoder.

The class enters by concatenation and, with `config.film`, once more in every hidden
layer, where it scales and shifts the units (Perez et al. 2018, FiLM).
"""

import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.networks.layers import dense, dense_layers

PIXEL_BIAS = "x_logits/bias"  # the variable that is added to the pixels' logits


def features(x: tf.Tensor, y: tf.Tensor, config: Config) -> tf.Tensor:
    """Encode x `[n, x_dim]` given y `[n, K]` as features `[n, hidden[-1]]`."""
    return dense_layers(tf.concat([x, y], -1), y, config.hidden, config)


def logits(y: tf.Tensor, z: tf.Tensor, config: Config) -> tf.Tensor:
    """Decode y `[n, K]` and z `[n, d]` to the logits of x, `[n, x_dim]`."""
    h = dense_layers(tf.concat([y, z], -1), y, config.hidden[::-1], config)
    return dense(h, config.x_dim, "x_logits", config.seed)
