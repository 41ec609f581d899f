"""MNIST's IDX files: four big-endian counts, then pixels; two counts, then labels.

Format: http://yann.lecun.com/exdb/mnist/.
"""

import struct

import numpy as np

from cvae.errors import CvaeError

_REMEDY = (
    "put a good copy there, or leave out --mnist-dir and $MNIST_DIR to download one"
)


class Damaged(CvaeError):
    """A file of MNIST is not as published; `reason` is the middle of the message."""

    def __init__(self, source, reason):
        super().__init__(f"{source}: {reason}; {_REMEDY}")
        self.source = source
        self.reason = reason


def parse_idx_images(data: bytes, source: str) -> np.ndarray:
    """Return the images in `data`, uint8 [n, 784], read-only.

    Args:
        data: an uncompressed IDX file.
        source: its name, for messages.

    Raises:
        Damaged: the file is truncated, or has a wrong magic number or wrong counts.
    """
    if len(data) < 16:
        raise Damaged(source, f"truncated: {len(data)} of 16 header bytes")
    magic, count, rows, columns = struct.unpack(">4I", data[:16])
    _check_header(source, data, magic, 0x803, 16, count, rows * columns)
    if (rows, columns) != (28, 28):
        raise Damaged(source, f"images of {rows} x {columns}, not 28 x 28")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, 784)


def parse_idx_labels(data: bytes, source: str) -> np.ndarray:
    """Return the labels in `data`, uint8 [n], read-only.

    Arguments and errors are those of `parse_idx_images`; a label over 9 is an error,
    too.
    """
    if len(data) < 8:
        raise Damaged(source, f"truncated: {len(data)} of 8 header bytes")
    magic, count = struct.unpack(">2I", data[:8])
    _check_header(source, data, magic, 0x801, 8, count, 1)
    labels = np.frombuffer(data, np.uint8, offset=8)
    if labels.max() > 9:
        raise Damaged(source, f"label {labels.max()}, over 9")
    return labels


def _check_header(source, data, magic, right_magic, header, count, item):
    """Refuse a wrong header before memory of the size it claims is taken."""
    if magic != right_magic:
        raise Damaged(
            source,
            f"not the IDX file it should be: magic number 0x{magic:08x}, not "
            f"0x{right_magic:08x}",
        )
    if count == 0:
        raise Damaged(source, "empty: its header has a count of 0")
    if len(data) != header + count * item:
        raise Damaged(
            source,
            f"{len(data)} bytes, where its header announces {header + count * item}",
        )
