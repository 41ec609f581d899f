"""NN_θ and the encoder as functions of tensors."""

from typing import Optional, Tuple

import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.networks import conv, mlp
from cvae.networks.layers import dense

BODIES = {"mlp": mlp, "conv": conv}


def pixel_bias(config: Config) -> Optional[str]:
    """Return the name, within NN_θ, of the bias that each pixel has of its own."""
    return BODIES[config.network].PIXEL_BIAS


def decoder(y: tf.Tensor, z: tf.Tensor, config: Config) -> tf.Tensor:
    """Return NN_θ(y, z), the logits of x, `[..., batch, x_dim]`.

    Args:
        y: one-hot, float32 `[batch, K]`.
        z: float32 `[..., batch, d]`, particles first.
    """
    leading = tf.shape(z)[:-1]
    # Every particle of z gets its image's class.
    y = tf.broadcast_to(y, tf.concat([leading, [config.n_classes]], 0))
    rows = (tf.reshape(part, [-1, part.shape[-1]]) for part in (y, z))
    logits = BODIES[config.network].logits(*rows, config)
    logits = tf.reshape(logits, tf.concat([leading, [config.x_dim]], 0))
    logits.set_shape(z.shape[:-1].concatenate(config.x_dim))
    return logits


def encoder(x: tf.Tensor, y: tf.Tensor, config: Config) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return NN_φ(x, y), mean and log standard deviation of z, each `[batch, d]`.

    Args:
        x: bits, float32 `[batch, x_dim]`.
        y: one-hot, float32 `[batch, K]`.
    """
    h = BODIES[config.network].features(x, y, config)
    heads = dense(h, 2 * config.z_dim, "z_heads", config.seed)
    mean, logstd = tf.split(heads, 2, axis=-1)
    return mean, logstd
