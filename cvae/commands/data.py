"""Find MNIST on disk or download it, verify it and count it.

cvae data

Without --mnist-dir and $MNIST_DIR it looks into data/mnist and ../shared/mnist, then
downloads into data/mnist. If the package is installed, it uses the cache directory of
the user instead, ~/.cache/cvae on Linux. It should end with 60,000 training and 10,000
test images.
"""

import numpy as np

from cvae.cli import options
from cvae.data import mnist


def add_options(parser):
    """Add the options of the command."""
    options.add_mnist_dir(parser)


def main(arguments):
    """Find or download MNIST, and print where it is and what it holds."""
    files = mnist.fetch(arguments.mnist_dir)

    print(f"MNIST is in {files[0].path.parent}")
    for file in files:
        size = file.path.stat().st_size
        print(f"  {file.path.name:<28}{size:>12,} bytes  verified")
    data = mnist.parse(files)
    for name, split in (("train", data.train), ("test", data.test)):
        per_digit = " ".join(str(n) for n in np.bincount(split.labels))
        count = len(split.images)
        print(f"{name:<5} {count:>7,} images; of digits 0-9: {per_digit}")
