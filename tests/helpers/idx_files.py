"""Small good IDX files, what a refusal must be, and the checksum of the test bits."""

import struct

import numpy as np
import pytest

from cvae.errors import CvaeError

# Of the 7,840,000 test bits, on every machine and with every NumPy.
TEST_BITS_SHA256 = "f02e9e6823d5202f0db474f68de91b949be943daaed143cccde163935e0ccd84"


def idx_images(pixels):
    pixels = np.asarray(pixels, np.uint8)
    return struct.pack(">4I", 0x803, len(pixels), 28, 28) + pixels.tobytes()


def idx_labels(labels):
    return struct.pack(">2I", 0x801, len(labels)) + bytes(labels)


PIXELS = np.random.RandomState(0).randint(0, 256, (4, 784)).astype(np.uint8)
IMAGES = idx_images(PIXELS)
LABELS = idx_labels([3, 0, 9, 9])


def refusal(function, *args):
    """The message of the error that `function` must raise: one line, with a remedy."""
    with pytest.raises(CvaeError) as error:
        function(*args)
    message = str(error.value)
    assert "\n" not in message
    return message
