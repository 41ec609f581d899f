"""Find MNIST on disk or download it, verify it and count it.

    .venv/bin/python scripts/download_mnist.py

Without --mnist-dir and $MNIST_DIR it looks into data/mnist and ../shared/mnist, then
downloads into data/mnist. It should end with 60,000 training and 10,000 test images.
"""

import _env  # noqa: F401

import numpy as np

from cvae.cli import Parser, options, run_main
from cvae.data import mnist


def main():
    parser = Parser(__doc__)
    options.add_mnist_dir(parser)
    files = mnist.fetch(parser.parse_args().mnist_dir)

    print(f"MNIST is in {files[0].path.parent}")
    for file in files:
        size = file.path.stat().st_size
        print(f"  {file.path.name:<28}{size:>12,} bytes  verified")
    data = mnist.parse(files)
    for name, split in (("train", data.train), ("test", data.test)):
        per_digit = " ".join(str(n) for n in np.bincount(split.labels))
        count = len(split.images)
        print(f"{name:<5} {count:>7,} images; of digits 0-9: {per_digit}")


if __name__ == "__main__":
    run_main(main)
