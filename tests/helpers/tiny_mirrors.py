"""Mirrors of four tiny files like MNIST's, and what a download of them must leave."""

import gzip
import hashlib
import os
import struct

from cvae.data import mnist, published
from cvae.data.download import Limits
from cvae.data.published import PublishedFile

LIMITS = Limits(max_size=1 << 20, pause=0.01)


def tiny_contents():
    """Four well-formed IDX files by name: 3 training and 2 test images."""
    contents = {}
    for prefix, count in (("train", 3), ("t10k", 2)):
        pixels = bytes(i * 7 % 256 for i in range(count * 784))
        images = struct.pack(">4I", 0x803, count, 28, 28) + pixels
        labels = struct.pack(">2I", 0x801, count) + bytes(range(count))
        contents[prefix + "-images-idx3-ubyte"] = images
        contents[prefix + "-labels-idx1-ubyte"] = labels
    return contents


CONTENTS = tiny_contents()
TINY = tuple(
    PublishedFile(name, len(data), hashlib.sha256(data).hexdigest())
    for name, data in CONTENTS.items()
)
PACKED = {name + ".gz": gzip.compress(data) for name, data in CONTENTS.items()}


def download(destination, mirrors, limits=LIMITS, files=TINY):
    """Download the tiny files as those of MNIST are."""
    tiny = mnist.publication(mirrors)._replace(files=files, limits=limits)
    published.download(tiny, destination)


def assert_all_there(directory):
    assert sorted(os.listdir(str(directory))) == sorted(PACKED)
    for name, data in CONTENTS.items():
        packed = (directory / (name + ".gz")).read_bytes()
        assert gzip.decompress(packed) == data


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)
