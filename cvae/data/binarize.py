"""Bits from intensities, drawn once with a seed; NumPy only."""

import numpy as np

from cvae.data.checks import check_intensities, check_whole

# Every evaluation sees the test bits that this seed draws.
TEST_BITS_SEED = 20210501
# The bits of the training images of a run that binarizes them once.
TRAIN_BITS_SEED = 20210502

_IMAGES = 1000  # at once, which bounds the memory


def binarize(images: np.ndarray, seed: int = TEST_BITS_SEED) -> np.ndarray:
    """Return bits uint8 [n, p] drawn from Bernoulli(images / 255), images uint8 [n, p].

    NumPy's legacy generator draws them: its stream is the same in every version.

    Raises:
        CvaeError: the images are not intensities, or the generator does not take the
            seed.
    """
    images = check_intensities(images)
    random = np.random.RandomState(check_whole("seed", seed, 0, 2**32 - 1))
    bits = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _IMAGES):
        part = images[start : start + _IMAGES]
        bits[start : start + _IMAGES] = random.random_sample(part.shape) < part / 255
    return bits
