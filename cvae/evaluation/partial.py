"""What an interrupted evaluation had done: one file, whole or not there at all."""

import contextlib
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.storage.npz import read_arrays, write_arrays

SAVE_SECONDS = 20.0  # at most, that a killed evaluation does again
_KEY, _MAKERS = "fingerprint", "makers"
_LARGEST = 1 << 28  # bytes of a file


class Partial:
    """Rows of numbers that long work has found, in order, kept on disk.

    Args:
        path: of the file, an `.npz` with a checksum of every array.
        settings: JSON that says what the rows depend on. A file that was made with
            others is passed over, and replaced at the first `save`.
        stages: name to (rows in the end, numbers in a row).
        maker: what the rows to come are computed with, one word or more.

    Attributes:
        makers: what the rows were computed with, in order, without repetition.

    Raises:
        CvaeError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        settings: Dict[str, Any],
        stages: Dict[str, Tuple[int, int]],
        maker: str,
    ):
        self._path = Path(path)
        text = json.dumps(settings, sort_keys=True).encode("utf-8")
        self._fingerprint = hashlib.sha256(text).hexdigest()
        self._tables = {name: np.empty(shape) for name, shape in stages.items()}
        self._done = dict.fromkeys(stages, 0)
        self._saved = time.monotonic()
        self.makers = [maker]
        if self._path.exists():
            self._load()

    def rows(self, stage: str) -> np.ndarray:
        """Return the rows of `stage` that are done, `[done, numbers]`."""
        return self._tables[stage][: self._done[stage]]

    def add(self, stage: str, rows: np.ndarray) -> None:
        """Take in the next `rows`; save, unless that was done just now."""
        start = self._done[stage]
        self._tables[stage][start : start + len(rows)] = rows
        self._done[stage] += len(rows)
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write all rows.

        Raises:
            CvaeError: the disk refuses.
        """
        if any(self._done.values()):
            arrays = {name: self.rows(name) for name in self._tables}
            arrays.update({_KEY: self._fingerprint, _MAKERS: self.makers})
            write_arrays(self._path, arrays)
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def kept(self):
        """Save whatever is done when the body is interrupted or fails."""
        try:
            yield self
        except BaseException:
            try:
                self.save()
            except CvaeError as error:  # what interrupted the work matters more
                print(f"warning: {error}; what was done is lost", file=sys.stderr)
            raise

    def remove(self) -> None:
        """Delete the file: the work is done."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _load(self):
        try:
            arrays = read_arrays(self._path, _LARGEST)
            made_with = self._text(arrays, _KEY, 0)
            if made_with != self._fingerprint:
                return
            makers = self._text(arrays, _MAKERS, 1)
            self._check(arrays)
        except CvaeError as error:
            raise CvaeError(f"{error}; delete it, and what it had done is done again")
        for name, array in arrays.items():
            self._tables[name][: len(array)] = array
            self._done[name] = len(array)
        self.makers = list(dict.fromkeys(makers + self.makers))

    def _text(self, arrays, name, rank):
        """Take text of `rank` axes out of `arrays`."""
        array = arrays.pop(name, np.zeros(0))
        if array.dtype.kind != "U" or array.ndim != rank:
            raise CvaeError(f"{self._path} is damaged: no {name}")
        return array.tolist()

    def _check(self, arrays):
        for name, table in self._tables.items():
            array = arrays.get(name, np.zeros(0))
            fits = array.dtype == np.float64 and array.ndim == 2
            fits = fits and array.shape[1] == table.shape[1]
            if not fits or len(array) > len(table) or len(arrays) != len(self._tables):
                raise CvaeError(
                    f"{self._path} is damaged: {name} is not as it should be"
                )
