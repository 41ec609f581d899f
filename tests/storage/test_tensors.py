"""A .safetensors file is read as the library writes it, or refused in one line."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

from cvae.errors import CvaeError
from cvae.storage import files
from cvae.storage.tensors import read_tensors, write_tensors

ARRAYS = {
    "b/kernel": np.arange(6, dtype=np.float16).reshape(2, 3),
    "a": np.array(0.5),
    "column": np.ones((4, 1), np.float32),
}
BESIDE = {"step": 3, "names": ["ä", None]}
GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
METADATA = {"cvae": "{}"}


def packed(header, data=bytes(8)):
    """A file with this header, as text or as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8")
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_what_is_written_comes_back_bit_for_bit(path):
    write_tensors(path, ARRAYS, BESIDE)
    arrays, beside = read_tensors(path)
    assert beside == BESIDE and set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape


def test_the_same_arrays_are_the_same_bytes(path):
    write_tensors(path, ARRAYS, BESIDE)
    first = path.read_bytes()
    write_tensors(path, dict(reversed(list(ARRAYS.items()))), BESIDE)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "damaged"),
        (bytes(7), "damaged"),
        (struct.pack("<Q", 1 << 62), "header is too long"),
        (packed({"__metadata__": METADATA, "w": GOOD}, bytes(7)), "damaged"),
        (packed({"__metadata__": METADATA, "w": GOOD}, bytes(9)), "damaged"),
        (packed({"w": GOOD}), "not of cvae"),
        (packed({"__metadata__": {"format": "pt"}, "w": GOOD}), "not of cvae"),
        (packed({"__metadata__": {"cvae": "[]"}, "w": GOOD}), "not a JSON object"),
        (packed({"__metadata__": METADATA, "w": dict(GOOD, shape=[3])}), "damaged"),
        (packed({"__metadata__": METADATA, "w": dict(GOOD, dtype="I64")}), "damaged"),
        (
            packed({"__metadata__": METADATA, "w": dict(GOOD, dtype="I32")}),
            "int32, or not finite",
        ),
        (
            packed({"__metadata__": METADATA, "w": GOOD}, b"\0\0\xc0\x7f" * 2),
            "not finite",
        ),
        (
            packed(
                {
                    "__metadata__": METADATA,
                    "w": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]},
                }
            ),
            "damaged",
        ),
        (packed(b"[" * 1000), "damaged"),
    ],
)
def test_anything_else_is_one_line(path, data, reason):
    path.write_bytes(data)
    with pytest.raises(CvaeError, match=reason) as error:
        read_tensors(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_a_file_of_another_program_is_named_as_such(path):
    safetensors.numpy.save_file(ARRAYS, str(path))
    with pytest.raises(CvaeError, match="is not of cvae"):
        read_tensors(path)


def test_a_long_file_is_refused_before_it_is_read(path):
    with path.open("wb") as out:
        out.truncate(1 << 40)
    with pytest.raises(CvaeError, match="over 1,000"):
        read_tensors(path, limit=1000)
    with pytest.raises(CvaeError, match="over 2,147,483,647"):
        read_tensors(path)
    path.write_bytes(packed(b" " * (files.MAX_JSON + 1)))
    with pytest.raises(CvaeError, match="header is too long"):
        read_tensors(path)
