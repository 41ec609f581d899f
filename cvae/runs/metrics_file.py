"""The metrics of a run, `metrics.jsonl`: one JSON object a line, one line an epoch."""

import json
import os
from pathlib import Path
from typing import Any, Dict, List

from cvae.errors import CvaeError
from cvae.storage import files
from cvae.storage.schema import AMOUNT, NUMBER, WHOLE, check

MAX_BYTES = 1 << 28  # of the file: a million epochs
MAX_ROW = 1 << 12  # bytes of a line
ROW = {
    "step": WHOLE,
    "epoch": AMOUNT,
    "seconds": AMOUNT,
    "train_bound": NUMBER,
    "*": NUMBER,
}


def append(path: Path, row: Dict[str, Any]) -> None:
    """Add one line to the file at `path`.

    Raises:
        CvaeError: the disk refuses.
        ValueError: `row` holds NaN or infinity.
    """
    line = json.dumps(row, allow_nan=False) + "\n"
    try:
        with path.open("a", encoding="utf-8") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise CvaeError(
            f"cannot write {path}: {error.strerror or error}; free the disk, then "
            "continue with --resume"
        )


def read(path: Path) -> List[Dict[str, Any]]:
    """Return the rows of the file at `path`, oldest first, without a cut last line.

    Raises:
        CvaeError: a line before the last is damaged.
    """
    if not path.exists():
        return []
    rows = []
    with files.open_regular(path, MAX_BYTES) as (stream, _):
        lines = iter(lambda: stream.readline(MAX_ROW), b"")
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n") and len(line) < MAX_ROW:
                break  # a process was killed while it wrote
            rows.append(_row(line, path, number))
    return rows


def trim(path: Path, step: int) -> None:
    """Delete the rows after `step`: the resumed run measures them again."""
    kept = [json.dumps(row) + "\n" for row in read(path) if row["step"] <= step]
    files.write_bytes(path, "".join(kept).encode("utf-8"))


def _row(line, path, number):
    try:
        row = files.parse_json(line, "the row")
        check(row, ROW, "the row")
    except CvaeError as error:
        raise CvaeError(
            f"{path} is damaged at line {number} ({error}); delete that line"
        )
    return row
