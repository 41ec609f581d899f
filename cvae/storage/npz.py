"""Arrays from an .npz file of unknown origin: every size is checked, nothing is run.

The reader accepts what `np.savez` writes of plain arrays: stored zip members, one .npy
each, in C order. It refuses everything else before it allocates the claimed memory.
"""

import io
import re
import struct
import zipfile
from typing import Any, Dict, Mapping

import numpy as np

from cvae.errors import CvaeError, shown
from cvae.storage import files
from cvae.storage.files import AnyPath

MAX_BYTES = 2**31 - 1  # of a file; beyond it, zip files have another format
MAX_DIRECTORY = 1 << 19  # bytes of a zip file's table of contents: some 4,000 arrays

_HEADER = re.compile(
    rb"\{'descr': '(<f2|<f4|<f8|<i4|<i8|<U[1-9]\d{0,7})', 'fortran_order': False, "
    rb"'shape': \((|\d{1,10},|\d{1,10}(?:, \d{1,10}){1,7})\), \} *\n"
)
# What zipfile raises for broken fields.
_BROKEN = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    IndexError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_arrays(path: AnyPath, limit: int = MAX_BYTES) -> Dict[str, np.ndarray]:
    """Return the arrays in the .npz file `path`, by name.

    Types are float16, float32, float64, int32, int64 and text; all numbers are finite.

    Raises:
        CvaeError: the file is missing, over `limit` bytes, or not what `np.savez`
            writes of such arrays.
    """
    with files.open_regular(path, limit) as (stream, size):
        try:
            _check_end(stream, size)
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_members(members, size)
                return {m.filename[:-4]: _read_member(archive, m) for m in members}
        except _BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise CvaeError(f"{path} is damaged: {reason[:120]}")


def write_arrays(path: AnyPath, arrays: Mapping[str, Any]) -> None:
    """Write `arrays`, or what NumPy makes arrays of, as the .npz file `path`.

    The file appears whole or not at all.

    Raises:
        CvaeError: the disk refuses.
    """
    packed = io.BytesIO()  # on a full disk, zipfile would add a traceback
    with files.whole_file(path) as scratch:
        np.savez(packed, **arrays)
        scratch.write_bytes(packed.getvalue())


def _check_end(stream, size):
    """Refuse a table of contents that is long, or in the format for huge files."""
    stream.seek(max(0, size - 42))
    end = stream.read(42).rjust(42)
    signature, directory, comment = struct.unpack("<4s8xL4xH", end[20:])
    if signature != b"PK\5\6" or comment:
        raise ValueError("it does not end like a zip file")
    if end[:4] == b"PK\6\7" or directory > MAX_DIRECTORY:
        raise ValueError("its table of contents is too long")


def _check_members(members, size):
    """Refuse packed, encrypted or repeated members, and sizes beyond the file's."""
    for member in members:
        if not member.filename.endswith(".npy"):
            raise ValueError(f"{shown(member.filename)} is not an array")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"{shown(member.filename)} is packed")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("it has two arrays of the same name")
    claimed = sum(max(m.file_size, m.compress_size) for m in members)
    if claimed > size:
        raise ValueError(f"it claims {claimed} bytes and has {size}")


def _read_member(archive, member):
    name = shown(member.filename)
    with archive.open(member) as stream:
        start = stream.read(10)
        if start[:8] != b"\x93NUMPY\1\0" or len(start) < 10:
            raise ValueError(f"{name} is not an array")
        header_size = struct.unpack("<H", start[8:])[0]
        header = _HEADER.fullmatch(stream.read(header_size))
        if header is None:
            raise ValueError(f"{name} is not an array of a known type")
        dtype = np.dtype(header.group(1).decode("ascii"))
        shape = [int(n) for n in re.findall(rb"\d+", header.group(2))]
        claimed = dtype.itemsize
        for n in shape:
            claimed *= n
        if claimed != member.file_size - len(start) - header_size:
            raise ValueError(f"{name} does not have the size that its header claims")
        return _array(stream.read(), dtype, shape, name)


def _array(data, dtype, shape, name):
    if dtype.kind == "U":
        data.decode("utf-32-le")  # NumPy accepts invalid characters
    array = np.frombuffer(data, dtype).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has a value that is not finite")
    return array.copy()
