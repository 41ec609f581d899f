"""Keep the rows of an interrupted evaluation in a file of its own settings."""

import contextlib
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from cvae.errors import CvaeError, warn
from cvae.storage.npz import read_arrays, write_arrays

SAVE_SECONDS = 20.0  # of work that a killed evaluation repeats at most
_KEY, _MAKERS = "fingerprint", "makers"
_LARGEST = 1 << 28  # bytes of a file


class Partial:
    """Rows of numbers in the order in which long work finds them, kept on disk.

    Each combination of settings has its own file, so that work with other settings
    replaces nothing.

    Args:
        path: an `.npz`, in which earlier versions kept the rows of any settings. The
            file of these settings is beside it. Its name has in addition the `step`,
            the `label` and the first digits of the settings' SHA-256.
        step: the step of the checkpoint that is evaluated.
        label: a description of the settings in letters, digits and "-".
        settings: JSON of all that the rows depend on.
        stages: name to (number of rows, numbers in a row).
        maker: what will compute the rows, one word or more.

    Attributes:
        path: of the file of these settings.
        makers: what computed the rows, in order, without repetition.

    Raises:
        CvaeError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        step: int,
        label: str,
        settings: Dict[str, Any],
        stages: Dict[str, Tuple[int, int]],
        maker: str,
    ):
        text = json.dumps(settings, sort_keys=True).encode("utf-8")
        self._fingerprint = hashlib.sha256(text).hexdigest()
        self._old, self._step = Path(path), step
        name = f"{path.stem}-step-{step}-{label}-{self._fingerprint[:8]}.npz"
        self.path = path.with_name(name)
        self._tables = {name: np.empty(shape) for name, shape in stages.items()}
        self._done = dict.fromkeys(stages, 0)
        self._saved = time.monotonic()
        self.makers = [maker]
        self._files = {self.path}
        for file in (self._old, self.path):
            if file.exists():
                self._load(file)

    def rows(self, stage: str) -> np.ndarray:
        """Return the rows of `stage` that are done, `[done, numbers]`."""
        return self._tables[stage][: self._done[stage]]

    def add(self, stage: str, rows: np.ndarray) -> None:
        """Append `rows`; save them if the last save is `SAVE_SECONDS` old."""
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
            rows = {name: self.rows(name) for name in self._tables}
            origin = {_KEY: self._fingerprint, _MAKERS: self.makers}
            write_arrays(self.path, {**rows, **origin})
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def kept(self) -> Iterator["Partial"]:
        """Save all rows if the body is interrupted or fails."""
        try:
            yield self
        except BaseException:
            try:
                self.save()
            except Exception as error:  # what ended the body matters more
                warn(f"{error}; the work since the last save is lost")
            raise

    def others(self) -> List[Path]:
        """Return the files of other settings, which are kept."""
        files = self._old.parent.glob(f"{self._old.stem}*.npz")
        return sorted(set(files) - self._files)

    def remove(self) -> None:
        """Delete the file, as the work is done, and those that nothing can continue.

        These are the files of other steps: their weights have been replaced.
        """
        name = re.escape(self._old.stem) + r"-step-(\d+)-[\w-]+-[0-9a-f]{8}\.npz"
        for file in self.others():
            match = re.fullmatch(name, file.name)
            if match and int(match.group(1)) != self._step:
                self._files.add(file)
        for file in self._files:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()

    def _load(self, file):
        try:
            arrays = read_arrays(file, _LARGEST)
            if self._text(file, arrays, _KEY, 0) != self._fingerprint:
                return
            makers = self._text(file, arrays, _MAKERS, 1)
            self._check(file, arrays)
        except CvaeError as error:
            raise CvaeError(f"{error}; delete it, and evaluate from the start")
        for name, array in arrays.items():
            self._tables[name][: len(array)] = array
            self._done[name] = len(array)
        self.makers = list(dict.fromkeys(makers + self.makers))
        self._files.add(file)

    def _text(self, file, arrays, name, rank):
        """Take the text `name` of `rank` axes out of `arrays`."""
        array = arrays.pop(name, np.zeros(0))
        if array.dtype.kind != "U" or array.ndim != rank:
            raise CvaeError(f"{file} is damaged: no {name}")
        return array.tolist()

    def _check(self, file, arrays):
        unexpected = sorted(set(arrays) - set(self._tables))
        if unexpected:
            raise CvaeError(
                f"{file} is damaged: unexpected arrays {', '.join(unexpected)}"
            )
        for name, table in self._tables.items():
            array = arrays.get(name, np.zeros(0))
            fits = array.dtype == np.float64 and array.shape[1:] == table.shape[1:]
            if not fits or len(array) > len(table):
                most = " x ".join(map(str, table.shape))
                raise CvaeError(
                    f"{file} is damaged: {name} is not at most {most} float64 numbers"
                )
