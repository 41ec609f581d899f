"""Any file is read or refused in one line, in little time and memory.

`make soak-fuzz` tries a million inputs; those of the IDX readers are in test_idx.py.
"""

import itertools
import tracemalloc

import mutations
import pytest
import readers
from fuzzing import each, noise

MEMORY = 4 << 20  # bytes, for inputs of a few thousand
NAMES = (
    *("config", "metrics", "evaluation", "per image", "partial"),
    *("index", "npz", "npy", "state", "shared"),
)


@pytest.fixture(scope="module")
def all_readers(tmp_path_factory):
    return readers.make_readers(tmp_path_factory.mktemp("readers"))


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


def read_in_bounds(reader, data, folder):
    """Return whether `data` are read, in at most `MEMORY`."""
    tracemalloc.clear_traces()  # the peak, too
    read = readers.survives(reader, data, folder)
    peak = tracemalloc.get_traced_memory()[1]
    assert peak < MEMORY + 64 * len(data), f"{peak:,} bytes"
    return read


@pytest.mark.parametrize("name", NAMES)
def test_good_files_are_read(all_readers, tmp_path, name):
    reader = all_readers[name]
    assert reader.seeds and all(
        readers.survives(reader, seed, tmp_path) for seed in reader.seeds
    )


@pytest.mark.parametrize("name", NAMES)
def test_arbitrary_bytes_are_read_or_refused(all_readers, tmp_path, traced, name):
    reader = all_readers[name]
    each(100, lambda chance: read_in_bounds(reader, noise(chance, 200), tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_are_read_or_refused(all_readers, tmp_path, traced, name):
    reader, seen = all_readers[name], set()

    def check(chance):
        data = mutations.mutated(chance.choice(reader.seeds), chance.getrandbits(64))
        seen.add(read_in_bounds(reader, data, tmp_path))

    each(400, check)
    assert False in seen  # the index may always give way to the checkpoints beside it


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_anywhere_is_read_or_refused(all_readers, tmp_path, traced, name):
    reader = all_readers[name]
    for good, part in itertools.product(reader.seeds, range(30)):
        read_in_bounds(reader, good[: len(good) * part // 30], tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_long_file_is_refused_before_it_is_taken_in(all_readers, tmp_path, name):
    for piece in (b"[", b"9", b"{}\n", b"\0", b'{"a":' * 10):
        reader = all_readers[name]
        readers.survives(reader, piece * (1 << 16), tmp_path)
