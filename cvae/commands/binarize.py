"""Write the binarized test set, the same bits that every evaluation here sees.

cvae binarize --output data/mnist-test-bits.npz

The .npz holds `images` (uint8 bits [10000, 784]), `labels` (uint8 [10000]) and `seed`;
read it with numpy.load(path, allow_pickle=False).
"""

import hashlib

import numpy as np

from cvae.cli import options
from cvae.data import mnist
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.storage.checkout import in_checkout
from cvae.storage.npz import write_arrays


def add_options(parser):
    """Add the options of the command."""
    parser.add_argument(
        "--output",
        type=options.path,
        metavar="FILE",
        default=in_checkout("data/mnist-test-bits.npz"),
        help="file to write",
    )
    parser.add_argument(
        "--seed",
        type=options.whole(0, 2**32 - 1),
        default=TEST_BITS_SEED,
        metavar="N",
        help="of the draws, 0 to 4294967295; evaluations use the default",
    )
    options.add_mnist_dir(parser)


def main(arguments):
    """Write the bits, and print their SHA-256."""
    output, seed = arguments.output, arguments.seed
    test = mnist.load("mnist", arguments.mnist_dir).test
    bits = binarize(test.images, seed)
    write_arrays(
        output, {"images": bits, "labels": test.labels, "seed": np.int64(seed)}
    )
    print(f"{output}: {len(bits):,} images, seed {seed}")
    print(f"sha256 of the bits: {hashlib.sha256(bits.tobytes()).hexdigest()}")
