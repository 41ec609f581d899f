"""Write the binarized test set, the same bits that every evaluation here sees.

    .venv/bin/python scripts/binarize_mnist.py --output data/mnist-test-bits.npz

The .npz holds `images` (uint8 bits [10000, 784]), `labels` (uint8 [10000]) and `seed`;
read it with numpy.load(path, allow_pickle=False).
"""

import _env  # noqa: F401

import hashlib

import numpy as np

from cvae.cli import Parser, options, run_main
from cvae.data import mnist
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.storage.checkout import in_checkout
from cvae.storage.npz import write_arrays


def main():
    parser = Parser(__doc__)
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
    args = parser.parse_args()

    test = mnist.load("mnist", args.mnist_dir).test
    bits = binarize(test.images, args.seed)
    arrays = {"images": bits, "labels": test.labels, "seed": np.int64(args.seed)}
    write_arrays(args.output, arrays)
    print(f"{args.output}: {len(bits):,} images, seed {args.seed}")
    print(f"sha256 of the bits: {hashlib.sha256(bits.tobytes()).hexdigest()}")


if __name__ == "__main__":
    run_main(main)
