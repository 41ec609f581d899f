"""Files that appear whole or not at all."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from cvae.errors import CvaeError

try:
    import fcntl
except ImportError:  # Windows has no flock; there the lock always succeeds
    fcntl = None


@contextlib.contextmanager
def whole_file(path):
    """Yield a scratch path beside `path`; on success fsync it and rename it to `path`.

    Whatever was at `path` stays untouched when the body raises.

    Raises:
        CvaeError: the directory or disk refuses (missing, read-only, full).
    """
    path = Path(path)
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(
            prefix="." + path.name + ".", suffix=path.suffix, dir=str(path.parent)
        )
        os.close(handle)
        yield Path(scratch)
        os.chmod(scratch, 0o666 & ~_umask())
        _fsync(scratch)
        os.replace(scratch, str(path))
        scratch = None
        _fsync(path.parent)
    except OSError as error:
        raise CvaeError(
            "cannot write {}: {}; free the disk or choose another place".format(
                path, error.strerror or error
            )
        )
    finally:
        if scratch is not None:
            with contextlib.suppress(OSError):
                os.unlink(scratch)


def write_bytes(path, data):
    """Write `data` (bytes) to `path`, whole or not at all."""
    with whole_file(path) as scratch:
        scratch.write_bytes(data)


def write_json(path, value):
    """Write `value` as JSON to `path`, whole or not at all.

    Raises:
        ValueError: `value` holds NaN or infinity, which no results file may.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8"))


def read_json(path):
    """Parse the JSON object in `path`.

    Raises:
        CvaeError: the file is missing, unreadable or not a JSON object.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CvaeError("cannot read {}: {}".format(path, error.strerror or error))
    except ValueError as error:
        raise CvaeError("{} is not valid JSON ({}); delete it".format(path, error))
    if not isinstance(value, dict):
        raise CvaeError("{} does not hold a JSON object; delete it".format(path))
    return value


def _fsync(path):
    handle = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def lock_file(path):
    """Lock `path` for this process: the open file, or None if another holds it."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise CvaeError("cannot write {}: {}".format(path, error.strerror or error))
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return None
    return handle
