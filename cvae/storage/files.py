"""Files that appear whole or not at all."""

import contextlib
import errno
import fcntl
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, Optional, TextIO, Tuple, Union

from cvae.errors import CvaeError, warn_once

AnyPath = Union[str, Path]

MAX_JSON = 1 << 20  # bytes of a JSON file; those of a run have some thousand
# Errors of a file system that lacks a feature. Any other is a fault of the disk.
_LACKS = (
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EACCES,
    errno.EBADF,
)


@contextlib.contextmanager
def whole_file(path: AnyPath) -> Iterator[Path]:
    """Yield a scratch path beside `path`; on success fsync it and rename it to `path`.

    If the body raises, the file at `path` stays as it was.

    Raises:
        CvaeError: the directory or disk refuses (missing, read-only, full).
    """
    path = Path(path)
    scratch: Optional[str] = None
    try:
        _refuse_to_replace_a_device(path)
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
        _sync_directory(path.parent)
    except OSError as error:
        raise CvaeError(
            f"cannot write {path}: {error.strerror or error}; free the disk or choose "
            "another place"
        )
    finally:
        if scratch is not None:
            with contextlib.suppress(OSError):
                os.unlink(scratch)


def _refuse_to_replace_a_device(path):
    """Refuse a directory, /dev/null or a pipe: a renamed file would replace it."""
    if path.exists() and not path.is_file():
        raise CvaeError(f"cannot write {path}: it is not a regular file")


def write_bytes(path: AnyPath, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        CvaeError: the disk refuses.
    """
    with whole_file(path) as scratch:
        scratch.write_bytes(data)


def write_json(path: AnyPath, value: Any) -> None:
    """Write `value` as JSON to `path`, whole or not at all.

    Raises:
        ValueError: `value` has NaN or infinity, which JSON does not have.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def open_regular(path: AnyPath, limit: int) -> Iterator[Tuple[BinaryIO, int]]:
    """Yield (stream, size in bytes) of a file on disk, to read in binary.

    Raises:
        CvaeError: it is missing, unreadable, over `limit` bytes, a device or a pipe.
    """
    try:
        if not stat.S_ISREG(os.stat(str(path)).st_mode):
            raise CvaeError(f"cannot read {path}: it is not a regular file")
        with open(str(path), "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise CvaeError(f"{path} is damaged: {size:,} bytes, over {limit:,}")
            yield stream, size
    except OSError as error:
        raise CvaeError(f"cannot read {path}: {error.strerror or error}")


def read_json(path: AnyPath) -> Dict[str, Any]:
    """Parse the JSON object in `path`.

    Raises:
        CvaeError: the file is missing, unreadable or not a JSON object.
    """
    with open_regular(path, MAX_JSON) as (stream, _):
        return parse_json(stream.read(MAX_JSON), path)


def parse_json(data: bytes, source: AnyPath) -> Dict[str, Any]:
    """Parse the JSON object in `data`, which come from `source`.

    Raises:
        CvaeError: they are not one, or have NaN, infinity or a whole number of over 20
            digits.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse, parse_int=_short_int)
    except RecursionError:
        raise CvaeError(f"{source} is damaged: nested too deeply")
    except ValueError as error:
        raise CvaeError(f"{source} is damaged: {error}")
    if not isinstance(value, dict):
        raise CvaeError(f"{source} is damaged: not a JSON object")
    return value


def _refuse(literal):
    raise ValueError(f"{literal} is not a number")


def _short_int(digits):
    """Convert at most 20 digits: `int` takes minutes for a million."""
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def check_place(directory: AnyPath) -> None:
    """Raise `CvaeError` unless `directory` can be made and files written into it."""
    place = Path(directory).absolute()
    while not os.path.lexists(str(place)) and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=str(place)):
            return
    except OSError as error:
        raise CvaeError(f"cannot write to {directory}: {error.strerror or error}")


def _fsync(path):
    handle = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_directory(path):
    """Make the names in a directory durable, if its file system can do that."""
    try:
        _fsync(path)
    except OSError as error:
        if error.errno not in _LACKS:
            raise
        warn_once(
            f"{path} cannot be synchronized ({error.strerror}): after a power failure, "
            "the newest files in it may be missing"
        )


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def lock_file(path: AnyPath) -> Optional[TextIO]:
    """Lock `path` for this process; return the open file, or None if it is locked.

    On a file system without locks, print a warning and leave the file unlocked.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise CvaeError(f"cannot write {path}: {error.strerror or error}")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    except OSError as error:
        warn_once(
            f"{path.parent} cannot be locked ({error.strerror}): do not start a second "
            "program on it"
        )
    return handle
