"""IDX files, as MNIST's: big-endian counts, then pixels or labels.

Format: http://yann.lecun.com/exdb/mnist/.
"""

import struct
import zlib

import numpy as np

from cvae.errors import CvaeError

GZIP = b"\x1f\x8b"  # how a compressed file begins

_REMEDY = (
    "put a good copy there, or leave out --mnist-dir and $MNIST_DIR to download one"
)


class Damaged(CvaeError):
    """A file is not what it should be; `reason` is the middle of the message."""

    def __init__(self, source, reason, remedy=_REMEDY):
        super().__init__(f"{source}: {reason}; {remedy}")
        self.source = source
        self.reason = reason


def parse_idx_images(data: bytes, source: str) -> np.ndarray:
    """Return the images in `data`, uint8 [n, side²], read-only.

    Args:
        data: an uncompressed IDX file.
        source: its name, for messages.

    Raises:
        Damaged: the file is truncated, has a wrong magic number or wrong counts, or its
            images are not square.
    """
    if len(data) < 16:
        raise Damaged(source, f"truncated: {len(data)} of 16 header bytes")
    magic, count, rows, columns = struct.unpack(">4I", data[:16])
    _check_header(source, data, magic, 0x803, 16, count, rows * columns)
    if rows != columns or not rows:
        raise Damaged(source, f"images of {rows} x {columns} pixels, not square")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, rows * columns)


def parse_idx_labels(data: bytes, source: str) -> np.ndarray:
    """Return the labels in `data`, uint8 [n], read-only.

    Arguments and errors are those of `parse_idx_images`.
    """
    if len(data) < 8:
        raise Damaged(source, f"truncated: {len(data)} of 8 header bytes")
    magic, count = struct.unpack(">2I", data[:8])
    _check_header(source, data, magic, 0x801, 8, count, 1)
    return np.frombuffer(data, np.uint8, offset=8)


def gunzip(data: bytes, size: int, source: str) -> bytes:
    """Return the content of gzip `data`, expanded to `size` + 1 bytes at most.

    Raises:
        Damaged: it is not gzip, or has more or less in it than it should.
    """
    # One call, during which other threads run; the gzip module makes thousands.
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise Damaged(source, f"broken gzip: {error}")
    if len(content) > size:
        raise Damaged(source, f"expands to more than the expected {size:,} bytes")
    if not stream.eof:
        raise Damaged(source, "broken gzip: it ends too early")
    return content


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
