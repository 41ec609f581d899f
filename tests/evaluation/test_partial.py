"""The rows of an interrupted evaluation: continued, kept beside others, or refused."""

import os

import numpy as np
import pytest

from cvae.errors import CvaeError
from cvae.evaluation import partial
from cvae.evaluation.partial import Partial

STAGES = {"first": (6, 3), "second": (4, 1)}
SETTINGS = {"particles": 10, "weights": "abc"}
ROWS = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "partial.npz"


def open_partial(path, step=5, maker="cvae.zs", **changes):
    settings = dict(SETTINGS, **changes)
    label = f"particles-{settings['particles']}"
    return Partial(path, step, label, settings, STAGES, maker)


def half_done(path, step=5, **changes):
    """Save four rows; return the path of the file."""
    begun = open_partial(path, step, **changes)
    begun.add("first", ROWS)
    begun.save()
    return begun.path


def names(path):
    return sorted(os.listdir(str(path.parent)))


def test_rows_come_back_bit_for_bit_and_the_next_ones_follow_them(path):
    half_done(path)
    again = open_partial(path)
    np.testing.assert_array_equal(again.rows("first"), ROWS)
    assert again.rows("second").shape == (0, 1)
    again.add("first", np.full((2, 3), 7.0))
    assert again.rows("first")[-1, 0] == 7.0 and len(again.rows("first")) == 6


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, CvaeError])
def test_all_rows_are_saved_when_the_work_is_interrupted_or_fails(path, error):
    with pytest.raises(error):
        with open_partial(path).kept() as begun:
            begun.add("second", np.ones((3, 1)))
            raise error()
    assert len(open_partial(path).rows("second")) == 3


@pytest.mark.parametrize("error", [CvaeError("disk full"), MemoryError("no memory")])
def test_a_save_that_fails_does_not_replace_the_interrupt(
    path, monkeypatch, capsys, error
):
    def fail(*unused):
        raise error

    with pytest.raises(KeyboardInterrupt):
        with open_partial(path).kept() as begun:
            begun.add("second", np.ones((3, 1)))
            monkeypatch.setattr(partial, "write_arrays", fail)
            raise KeyboardInterrupt()
    out, err = capsys.readouterr()
    assert err == f"warning: {error}; the work since the last save is lost\n"
    assert not out


def test_rows_are_saved_now_and_then(path, monkeypatch):
    begun = open_partial(path)
    begun.add("second", np.ones((1, 1)))
    assert not begun.path.exists()
    monkeypatch.setattr(partial, "SAVE_SECONDS", 0.0)
    begun.add("second", np.ones((1, 1)))
    assert len(open_partial(path).rows("second")) == 2


def test_nothing_done_writes_nothing_and_the_end_leaves_nothing(path):
    begun = open_partial(path)
    begun.save()
    begun.remove()
    assert not names(path)
    half_done(path)
    open_partial(path).remove()
    assert not names(path)


def test_rows_of_other_settings_have_a_file_of_their_own(path):
    ten = half_done(path)
    other = open_partial(path, particles=11)
    assert other.others() == [ten] and other.rows("first").shape == (0, 3)
    other.add("first", np.ones((1, 3)))
    other.save()
    assert len(open_partial(path).rows("first")) == 4
    assert len(open_partial(path, particles=11).rows("first")) == 1
    other.remove()
    assert names(path) == [ten.name] == ["partial-step-5-particles-10-95be9a3b.npz"]


def test_the_end_deletes_rows_of_weights_that_are_gone_and_no_other_file(path):
    half_done(path, step=3, weights="old")
    kept = half_done(path, particles=11).name, "partial-notes.npz", "partial.npz.txt"
    for name in kept[1:]:
        path.with_name(name).write_text("mine")
    finished = open_partial(path)
    finished.add("first", ROWS)
    finished.save()
    finished.remove()
    assert names(path) == sorted(kept)


def test_the_file_of_an_earlier_version_is_continued_and_deleted_in_the_end(path):
    half_done(path).rename(path)
    other = open_partial(path, particles=11)
    assert other.others() == [path] and not len(other.rows("first"))
    other.remove()
    again = open_partial(path)
    np.testing.assert_array_equal(again.rows("first"), ROWS)
    assert again.others() == []
    again.add("first", np.ones((1, 3)))
    again.save()
    assert len(open_partial(path).rows("first")) == 5
    open_partial(path).remove()
    assert not names(path)


def test_what_computed_the_rows_is_kept_in_order_and_once(path):
    half_done(path)
    for maker, expected in (
        ("cvae.zs", ["cvae.zs"]),
        ("ZhuSuan 0.4.0", ["cvae.zs", "ZhuSuan 0.4.0"]),
        ("cvae.zs", ["cvae.zs", "ZhuSuan 0.4.0"]),
    ):
        again = open_partial(path, maker=maker)
        assert again.makers == expected
        again.save()


def _cut(data):
    return data[:-30]


def _flip(data):
    """A bit of the first array's numbers, far from the names and sizes around it."""
    place = data.index(ROWS.tobytes()) + 50
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "damage", [_cut, _flip, lambda data: b"", lambda data: b"x" * 99]
)
def test_a_damaged_file_is_one_line_with_what_to_do_and_stays(path, damage):
    file = half_done(path)
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    with pytest.raises(CvaeError, match="damaged.*delete it") as caught:
        open_partial(path)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)
    assert file.read_bytes() == damaged


@pytest.mark.parametrize(
    "arrays",
    [
        {"first": np.zeros((7, 3))},
        {"first": np.zeros((2, 4))},
        {"first": np.zeros(6)},
        {"first": np.array(1.0)},
        {"first": np.zeros((2, 3), np.float32)},
        {"third": np.zeros((2, 3))},
        {"second": None},
        {"makers": None},
        {"makers": np.array("cvae.zs")},
        {"fingerprint": None},
        {"fingerprint": np.zeros(3)},
    ],
)
def test_arrays_of_another_form_are_damage(path, arrays):
    file = half_done(path)
    with np.load(str(file)) as archive:
        held = dict(archive, **arrays)
    np.savez(str(file), **{k: v for k, v in held.items() if v is not None})
    with pytest.raises(CvaeError, match="damaged.*delete it"):
        open_partial(path)
