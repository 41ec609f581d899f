"""Write the binarized test set, the same bits that every evaluation here sees.

    .venv/bin/python scripts/binarize_mnist.py --output data/mnist-test-bits.npz

The .npz holds `images` (uint8 bits [10000, 784]), `labels` (uint8 [10000]) and `seed`;
read it with numpy.load(path, allow_pickle=False).
"""

import _env  # noqa: F401

import hashlib

import numpy as np

from cvae import mnist
from cvae.cli import Parser, run_main
from cvae.files import whole_file


def main():
    parser = Parser(__doc__)
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="data/mnist-test-bits.npz",
        help="file to write",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=mnist.TEST_BITS_SEED,
        help="of the draws, 0 to 4294967295; evaluations use the default",
    )
    parser.add_argument(
        "--mnist-dir",
        metavar="DIR",
        help="the only place to look: the four files, gzip or plain; else $MNIST_DIR",
    )
    args = parser.parse_args()

    test = mnist.load("mnist", args.mnist_dir).test
    bits = mnist.binarize(test.images, args.seed)
    with whole_file(args.output) as scratch, scratch.open("wb") as stream:
        np.savez(stream, images=bits, labels=test.labels, seed=np.int64(args.seed))
    print("{}: {:,} images, seed {}".format(args.output, len(bits), args.seed))
    print("sha256 of the bits: {}".format(hashlib.sha256(bits.tobytes()).hexdigest()))


if __name__ == "__main__":
    run_main(main)
