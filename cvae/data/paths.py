"""A data set at a path: IDX files in a directory, an .npz file, folders of images."""

import collections
import zipfile
import zlib
from pathlib import Path
from typing import Callable, Dict, Optional, Sequence

import numpy as np

from cvae.data import catalog, folders
from cvae.data.arrays import from_arrays
from cvae.data.dataset import Dataset
from cvae.data.idx import GZIP, Damaged, gunzip, parse_idx_images, parse_idx_labels
from cvae.errors import CvaeError, shown

KERAS = ("x_train", "y_train", "x_test", "y_test")
MAX_BYTES = 1 << 33  # of the arrays of an .npz file
_RAW = ("", "raw", "MNIST/raw")  # where a directory may have its IDX files
# What NumPy and zipfile raise for broken files, and for arrays of objects.
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def load(
    path: Path,
    side: Optional[int],
    test_share: Optional[float],
    class_names: Sequence[str],
    say: Callable[[str], None],
) -> Dataset:
    """Return the data set at `path`; its arrays are read-only.

    Args:
        side: pixels that the images of folders are scaled to; None keeps their size.
        test_share: of each class's images to test with, if folders have no test images.
        class_names: of the classes in the order of their labels, or none.
        say: takes a line for each thing that is converted.

    Raises:
        CvaeError: there is nothing that can be read, a file is damaged, or an option
            does not fit.
    """
    path = path.resolve()
    if path.is_dir():
        files = _idx_files(path)
        if not files:
            return folders.load(path, side, test_share, class_names, say)
        x, y, x_test, y_test = _read_idx(files, say)
    elif path.is_file():
        x, y, x_test, y_test = _read_npz(path)
    else:
        raise CvaeError(f"there is no {path}")
    if test_share is not None:
        raise CvaeError(f"{path} has test images of its own: leave out --test-share")
    name = (path.stem if path.is_file() else path.name) or "files"
    found = from_arrays(x, y, x_test, y_test, name, class_names, str(path), say)
    check_side(found, side)
    return found


def check_side(dataset: Dataset, side: Optional[int]) -> None:
    """Raise `CvaeError` if a `side` is given that the images do not have."""
    x_dim = dataset.train.images.shape[1]
    if side is not None and side**2 != x_dim:
        raise CvaeError(
            f"{dataset.name} has images of {x_dim} pixels, not of {side} x {side}: "
            "only images in folders are scaled"
        )


def _idx_files(directory: Path) -> Dict[str, Path]:
    """Return the IDX files in `directory` by the names of `catalog.IDX`, if any.

    Names may have a dot for the first hyphen before idx, a beginning such as
    "emnist-balanced-", and "test" for "t10k".
    """
    for raw in _RAW:
        found = collections.defaultdict(list)
        for path in sorted((directory / raw).glob("*-ubyte*")):
            plain = path.name[:-3] if path.suffix == ".gz" else path.name
            plain = plain.replace(".idx", "-idx").replace("test-", "t10k-")
            for name in catalog.IDX:
                if plain.endswith(name):
                    found[name].append(path)
        if found:
            return {name: _only(directory, name, found) for name in catalog.IDX}
    return {}


def _only(directory, name, found):
    """Return the path of one of the four files, plain or compressed."""
    paths = found[name]
    if not paths:
        raise CvaeError(
            f"{directory} has IDX files but no {name}: put all four there, of training "
            "and test, images and labels"
        )
    spellings = {p.name.replace(".gz", "").replace(".idx", "-idx") for p in paths}
    if len(spellings) > 1:
        names = ", ".join(path.name for path in paths[:3])
        raise CvaeError(
            f"{directory} has several files {name} ({names}): keep one data set in it"
        )
    return paths[0]


def _read_idx(files, say):
    arrays = []
    for name, path in files.items():
        try:
            data = path.read_bytes()
            if data[:2] == GZIP:
                data = gunzip(data, catalog.MAX_CONTENT, str(path))
            parse = parse_idx_images if "images" in name else parse_idx_labels
            arrays.append(parse(data, str(path)))
        except OSError as error:
            raise CvaeError(f"cannot read {path}: {error.strerror}")
        except Damaged as damaged:
            raise CvaeError(f"{path}: {damaged.reason}; put a good copy there")
    if "emnist" in path.name:
        say(catalog.TURNED)
        arrays[::2] = [catalog.transposed(images) for images in arrays[::2]]
    return arrays


def _read_npz(path):
    """Return the four arrays of an .npz file with the names that Keras uses."""
    try:
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":
                raise CvaeError(
                    f"{path} is neither a directory nor an .npz file: name a data set "
                    "by its path, or one of the published ones"
                )
        with zipfile.ZipFile(str(path)) as archive:
            names = [info.filename[:-4] for info in archive.infolist()]
            size = sum(info.file_size for info in archive.infolist())
        lacking = [name for name in KERAS if name not in names]
        if lacking:
            has = ", ".join(shown(name) for name in names[:8])
            raise CvaeError(
                f"{path} has no {' and no '.join(lacking)}, it has {has}: name the "
                f"arrays {', '.join(KERAS)}"
            )
        if size > MAX_BYTES:
            raise CvaeError(
                f"the arrays of {path} take {size:,} bytes, over {MAX_BYTES:,}: give "
                "fewer images"
            )
        with np.load(str(path), allow_pickle=False) as arrays:
            return [arrays[name] for name in KERAS]
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise CvaeError(f"cannot read {path}: {reason}")
