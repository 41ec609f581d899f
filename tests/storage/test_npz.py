"""An .npz is read as np.savez wrote it, or refused before it takes what it claims."""

import os
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from cvae.errors import CvaeError
from cvae.storage.npz import read_arrays

ARRAYS = {
    "a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array(0.5),
    "step": np.int64(7),
    "ints": np.arange(3, dtype=np.int32),
    "text": np.array("äöü {}"),
    "column": np.ones((4, 1), np.float32),
}
HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}\n"


def member(descr="<f4", shape="(2,)", payload=bytes(8), header=HEADER):
    """A .npy file, as its header and its payload have it."""
    text = header.format(descr, shape).encode("ascii")
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + payload


def archive(path, *members, compression=zipfile.ZIP_STORED, name="w.npy"):
    with zipfile.ZipFile(str(path), "w", compression) as out:
        for data in members:
            out.writestr(name, data)
    return path


def refusal(path, **limits):
    """What the refusal says; whatever the file claims, it takes next to no memory."""
    tracemalloc.start()
    with pytest.raises(CvaeError) as error:
        read_arrays(path, **limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, peak
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arrays.npz"


def test_what_savez_writes_comes_back_bit_for_bit_and_writable(path):
    np.savez(str(path), **ARRAYS)
    found = read_arrays(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].flags.writeable


@pytest.mark.parametrize(
    "data, reason",
    [
        (member(payload=bytes(7)), "does not have the size"),
        (member(payload=bytes(9)), "does not have the size"),
        (member(shape="(4000000000, 4000000000)"), "does not have the size"),
        (member(shape="(9999999999,)"), "does not have the size"),
        (member(shape="(99999999999,)"), "known type"),
        (member(shape="(-2,)"), "known type"),
        (member(shape="[2]"), "known type"),
        (member(descr="|O"), "known type"),
        (member(descr=">f4"), "known type"),
        (member(descr="<c8"), "known type"),
        (member(descr="<U0"), "known type"),
        (member(header="{{'descr': __import__('os'), 'shape': {}{}}}\n"), "known type"),
        (member(header="{0}" * 2000 + "{1}\n"), "known type"),
        (member()[:6] + b"\3\0" + member()[8:], "not an array"),
        (b"", "not an array"),
        (b"\x93NUMPY\1\0\0", "not an array"),
        (member(payload=np.float32([0, np.nan]).tobytes()), "not finite"),
        (member(payload=np.float32([np.inf, 0]).tobytes()), "not finite"),
        (member("<U1", "()", b"\0\0\x11\0"), "codec"),
        (member("<U1", "()", b"\0\xd8\0\0"), "codec"),
    ],
)
def test_a_member_that_is_not_what_it_should_be_is_refused(path, data, reason):
    assert reason in refusal(archive(path, data))


def test_pickles_are_refused(path):
    np.savez(str(path), x=np.array([{"a": 1}], object))
    assert "known type" in refusal(path)


def test_a_zip_bomb_is_refused(path):
    bomb = archive(path, bytes(50 << 20), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 100000
    assert "packed" in refusal(bomb)


def test_members_that_claim_each_others_bytes_are_refused(path):
    """The table of contents names one stored member twenty times."""
    archive(path, member("<f8", "(1000,)", bytes(8000)))
    data = path.read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entries = [
        data[start:end].replace(b"w.npy", b"%c.npy" % (97 + number))
        for number in range(20)
    ]
    table = b"".join(entries)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 20, 20, len(table), start, 0)
    path.write_bytes(data[:start] + table + tail)
    assert "claims" in refusal(path)


def test_a_size_beyond_the_file_is_refused(path):
    data = bytearray(archive(path, member()).read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 20 : entry + 28] = struct.pack("<2L", 2**31, 2**31)
    path.write_bytes(bytes(data))
    assert "claims" in refusal(path)


def test_a_member_that_runs_past_the_end_is_refused(path):
    """It claims all bytes of the file, some of which lie before it."""
    size = archive(path, member(shape="(10,)")).stat().st_size
    n = (size - len(member(shape="(10,)", payload=b""))) // 4
    data = bytearray(archive(path, member(shape=f"({n},)")).read_bytes())
    entry = data.index(b"PK\1\2")
    claimed = len(member(shape="(10,)", payload=bytes(4 * n)))
    data[entry + 20 : entry + 28] = struct.pack("<2L", claimed, claimed)
    path.write_bytes(bytes(data))
    assert len(data) == size
    # Later Pythons see that before they read.
    assert re.search("EOFError|Overlapped entries", refusal(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(path):
    assert "same name" in refusal(archive(path, member(), member()))


def test_a_member_that_is_no_array_is_refused(path):
    assert "../../x" in refusal(archive(path, member(), name="../../x"))


def test_a_wrong_checksum_of_a_member_is_refused(path):
    data = archive(path, member(payload=b"\1" * 8)).read_bytes()
    path.write_bytes(data.replace(b"\1" * 8, b"\2" * 8))
    assert "CRC" in refusal(path)


def test_an_encrypted_member_is_refused(path):
    data = bytearray(archive(path, member()).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    assert "packed" in refusal(path)


def test_a_long_table_of_contents_is_refused_before_it_is_read(path):
    with zipfile.ZipFile(str(path), "w") as out:
        for number in range(20000):
            out.writestr(f"{number}.npy", b"")
    assert "too long" in refusal(path)


def test_the_format_of_huge_zip_files_is_refused(path):
    data = archive(path, member()).read_bytes()
    end = data.index(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    path.write_bytes(data[:end] + locator + data[end:])
    assert "too long" in refusal(path)


def test_a_file_over_the_limit_is_refused_before_it_is_read(path):
    with path.open("wb") as out:
        out.truncate(1 << 40)
    assert "over" in refusal(path)
    archive(path, member())
    assert "over 100" in refusal(path, limit=100)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + bytes(18), bytes(100)])
def test_what_is_no_zip_file_is_refused(path, data):
    path.write_bytes(data)
    if data[:4] == b"PK\5\6":
        assert read_arrays(path) == {}  # an archive of nothing
    else:
        assert "does not end like a zip file" in refusal(path)


def test_what_is_no_regular_file_is_refused_at_once(path):
    assert "No such file" in refusal(path)
    os.mkfifo(str(path))
    assert "regular file" in refusal(path)
