"""Residual convolutions for NN_θ and the encoder (He et al. 2016, with pre-activation).

The class enters as in the dense networks, by concatenation, and once more in every
block, where it scales and shifts the features (Perez et al. 2018, FiLM); with
`config.film`, in the dense layers too. Images whose side cannot be halved so often are
padded with zeros, and logits are cut to the image.
"""

import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.networks.layers import ACTIVATIONS, conv, dense, dense_layers, film, glorot

PIXEL_BIAS = None  # pixels share the last kernels' biases


def features(x: tf.Tensor, y: tf.Tensor, config: Config) -> tf.Tensor:
    """Encode x `[n, side²]` given y `[n, K]` as features `[n, hidden[-1]]`.

    Each of `config.channels` halves the side.
    """
    side = config.side
    h = _padded(tf.reshape(2.0 * x - 1.0, [-1, side, side, 1]), config)
    for level, channels in enumerate(config.channels, 1):
        size = 5 if level == 1 else 3
        with tf.variable_scope(f"down_{level}"):
            h = conv(h, channels, size, "halve", glorot(config.seed), stride=2)
            h = _blocks(h, y, config)
    h = tf.reshape(h, [-1, config.dense_dim])
    return dense_layers(tf.concat([h, y], -1), y, config.hidden, config)


def logits(y: tf.Tensor, z: tf.Tensor, config: Config) -> tf.Tensor:
    """Decode y `[n, K]` and z `[n, d]` to the logits of x, `[n, side²]`.

    The layers are those of `features` in reverse order.
    """
    h = dense_layers(tf.concat([y, z], -1), y, config.hidden[::-1], config)
    h = dense(h, config.dense_dim, "unfold", config.seed)
    side = config.small_side
    h = tf.reshape(h, [-1, side, side, config.channels[-1]])
    targets = (1,) + config.channels[:-1]
    for level in range(len(config.channels), 0, -1):
        with tf.variable_scope(f"up_{level}"):
            h = ACTIVATIONS[config.activation](_blocks(h, y, config))
            h = conv(h, 4 * targets[level - 1], 3, "double", glorot(config.seed))
            h = tf.nn.depth_to_space(h, 2)
    return tf.reshape(_cut(h, config), [-1, config.x_dim])


def _padded(images, config):
    zeros = config.padded_side - config.side
    if not zeros:
        return images
    margins = [zeros // 2, zeros - zeros // 2]
    return tf.pad(images, [[0, 0], margins, margins, [0, 0]])


def _cut(images, config):
    zeros = config.padded_side - config.side
    if not zeros:
        return images
    inside = slice(zeros // 2, zeros // 2 + config.side)
    return images[:, inside, inside]


def _blocks(h, y, config):
    for number in range(1, config.blocks + 1):
        with tf.variable_scope(f"block_{number}"):
            h = h + _residual(h, y, config)
    return h


def _residual(h, y, config):
    """Return what a block adds: zeros at the start, because its last kernel is zero."""
    activation = ACTIVATIONS[config.activation]
    channels = h.shape.as_list()[-1]
    r = conv(activation(h), channels, 3, "conv_1", glorot(config.seed))
    r = activation(film(r, y, "class", config.seed))
    return conv(r, channels, 3, "conv_2", tf.zeros_initializer())
