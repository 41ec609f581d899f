"""Random numbers that depend only on (seed, number of the draw, purpose).

A stateless draw has no generator to save: a resumed run draws what the
uninterrupted one would have drawn.
"""

from typing import Any, Tuple

import tensorflow.compat.v1 as tf

from cvae import zs
from cvae.errors import CvaeError

PURPOSES = ("weights", "binarization", "posterior", "evaluation")

# The numbers of the draws whose purpose is "evaluation". No two ranges overlap. A key
# holds `len(PURPOSES)` times the number in 64 bits, so every number is below 2**61.
EVALUATION_NUMBERS = {
    "bound": (range(2**39),),
    # The second range begins where the first ends: at the simulated images of a model
    # with 327 classes or more.
    "importance": (range(2**39, 2**40), range(2**60, 2**61)),
    "annealing": (range(2**40, 2**60),),
}


def number(purpose: str, index: int, *places: Tuple[int, int]) -> int:
    """Return the number of a draw of an evaluation, for `key(…, "evaluation")`.

    Args:
        purpose: a name in `EVALUATION_NUMBERS`.
        index: number of the item, for instance of a block of images.
        places: (place, size) on each level within the item: 0 <= place < size.

    Raises:
        CvaeError: a place is outside of its size, or the range of `purpose` is full.
    """
    draw = index
    for place, size in places:
        if not 0 <= place < size:
            raise CvaeError(
                f"random numbers for {purpose} end at place {size - 1}, not at {place}:"
                " take fewer draws of each item"
            )
        draw = draw * size + place
    if draw >= 0:
        for numbers in EVALUATION_NUMBERS[purpose]:
            if draw < len(numbers):
                return numbers[draw]
    raise CvaeError(
        f"there are no random numbers for {purpose} of item {index}: number the items "
        "from 0, and take fewer"
    )


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
