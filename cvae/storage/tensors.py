"""Arrays and an object of JSON as a .safetensors file, of which nothing is run.

The library reads and writes it; what it does not limit is checked here.
"""

import json
import struct
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from cvae.errors import CvaeError, shown
from cvae.storage import files
from cvae.storage.npz import MAX_BYTES

TYPES = ("float16", "float32", "float64")
_KEY = "cvae"  # of the object, in the metadata, which are texts


def read_tensors(
    path: Path, limit: int = MAX_BYTES
) -> Tuple[Dict[str, np.ndarray], Dict[str, Any]]:
    """Return the arrays in the file `path`, by name, and the object beside them.

    Types are float16, float32 and float64; all numbers are finite.

    Raises:
        CvaeError: the file is missing, over `limit` bytes, damaged or not of cvae.
    """
    from safetensors import SafetensorError, numpy

    with files.open_regular(path, limit) as (stream, size):
        data = stream.read(size)
    try:
        # Half a gigabyte of commas would be a header, too.
        (length,) = struct.unpack("<Q", data[:8])
        if length > min(files.MAX_JSON, size):
            raise ValueError("its header is too long")
        arrays = numpy.load(data)
    except (SafetensorError, struct.error, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CvaeError(f"{path} is damaged: {reason[:120]}")
    metadata = files.parse_json(data[8 : 8 + length], path).get("__metadata__") or {}
    if _KEY not in metadata:
        raise CvaeError(f"{path} is not of cvae: its metadata have no {_KEY}")
    for name, array in arrays.items():
        if array.dtype.name not in TYPES or not np.isfinite(array).all():
            raise CvaeError(
                f"{path} is damaged: {shown(name)} is {array.dtype}, or not finite"
            )
    return arrays, files.parse_json(metadata[_KEY].encode("utf-8"), path)


def write_tensors(
    path: Path, arrays: Dict[str, np.ndarray], beside: Dict[str, Any]
) -> None:
    """Write `arrays` and an object `beside` them to `path`, whole or not at all.

    Raises:
        CvaeError: the disk refuses.
    """
    from safetensors import numpy

    # A single text, because the library writes several in any order.
    metadata = {_KEY: json.dumps(beside, allow_nan=False)}
    files.write_bytes(path, numpy.save(arrays, metadata))
