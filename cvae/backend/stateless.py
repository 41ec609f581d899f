"""Random numbers that depend only on (seed, number of the draw, purpose).

A stateless draw has no generator to save: a resumed run draws what the
uninterrupted one would have drawn.
"""

from typing import Any

import tensorflow.compat.v1 as tf

from cvae import zs

PURPOSES = ("weights", "binarization", "posterior", "evaluation")


def key(seed: Any, step: Any, purpose: str) -> tf.Tensor:
    """Return the int64 key `[2]` of one draw, for `tf.random.stateless_*`.

    Args:
        seed: the run's seed, an int or int64 scalar.
        step: the training step, an int or int64 scalar.
        purpose: one of `PURPOSES`, so that draws of one step are independent.
    """
    draw = step * len(PURPOSES) + PURPOSES.index(purpose)
    return tf.convert_to_tensor([seed, draw], tf.int64)


def binarize(intensities: tf.Tensor, draw_key: tf.Tensor) -> tf.Tensor:
    """Draw float32 bits from Bernoulli(intensity / 255), dynamic binarization.

    Args:
        intensities: uint8, any shape.
        draw_key: int64 `[2]`.
    """
    uniform = tf.random.stateless_uniform(tf.shape(intensities), draw_key)
    return tf.cast(uniform * 255.0 < tf.cast(intensities, tf.float32), tf.float32)


class StatelessNormal(zs.distributions.Normal):
    """`Normal` whose samples are keyed: z = mean + std * eps(draw_key)."""

    def __init__(
        self, mean, logstd, draw_key, group_ndims=0, use_path_derivative=False
    ):
        self._draw_key = draw_key
        super().__init__(
            mean,
            logstd=logstd,
            group_ndims=group_ndims,
            use_path_derivative=use_path_derivative,
        )

    def _sample(self, n_samples):
        shape = tf.concat([[n_samples], self.batch_shape], 0)
        eps = tf.random.stateless_normal(shape, self._draw_key, dtype=self.dtype)
        return self.mean + self.std * eps
