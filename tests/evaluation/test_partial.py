"""The state of an interrupted evaluation: taken up again, replaced, or refused."""

import numpy as np
import pytest

from cvae.errors import CvaeError
from cvae.evaluation import partial
from cvae.evaluation.partial import Partial

STAGES = {"first": (6, 3), "second": (4, 1)}
SETTINGS = {"particles": 10, "weights": "abc"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "partial.npz"


def half_done(path):
    begun = Partial(path, SETTINGS, STAGES, "cvae.zs")
    begun.add("first", np.arange(12.0).reshape(4, 3))
    begun.save()


def test_rows_come_back_bit_for_bit_and_go_on_where_they_were(path):
    half_done(path)
    again = Partial(path, SETTINGS, STAGES, "cvae.zs")
    np.testing.assert_array_equal(again.rows("first"), np.arange(12.0).reshape(4, 3))
    assert again.rows("second").shape == (0, 1)
    again.add("first", np.full((2, 3), 7.0))
    assert again.rows("first")[-1, 0] == 7.0 and len(again.rows("first")) == 6


def test_whatever_is_done_is_saved_when_the_work_is_interrupted(path):
    with pytest.raises(KeyboardInterrupt):
        with Partial(path, SETTINGS, STAGES, "cvae.zs").kept() as begun:
            begun.add("second", np.ones((3, 1)))
            raise KeyboardInterrupt()
    assert len(Partial(path, SETTINGS, STAGES, "cvae.zs").rows("second")) == 3


def test_rows_are_saved_now_and_then(path, monkeypatch):
    begun = Partial(path, SETTINGS, STAGES, "cvae.zs")
    begun.add("second", np.ones((1, 1)))
    assert not path.exists()
    monkeypatch.setattr(partial, "SAVE_SECONDS", 0.0)
    begun.add("second", np.ones((1, 1)))
    assert len(Partial(path, SETTINGS, STAGES, "cvae.zs").rows("second")) == 2


def test_nothing_done_writes_nothing_and_the_end_leaves_nothing(path):
    begun = Partial(path, SETTINGS, STAGES, "cvae.zs")
    begun.save()
    assert not path.exists()
    begun.remove()
    half_done(path)
    begun.remove()
    assert not path.exists()


def test_the_state_of_other_settings_is_passed_over_and_then_replaced(path):
    half_done(path)
    other = Partial(path, dict(SETTINGS, particles=11), {"first": (6, 5)}, "cvae.zs")
    assert other.rows("first").shape == (0, 5)
    other.add("first", np.ones((1, 5)))
    other.save()
    assert len(Partial(path, SETTINGS, STAGES, "cvae.zs").rows("first")) == 0


def test_what_computed_the_rows_is_kept_in_order_and_once(path):
    half_done(path)
    for maker, expected in (
        ("cvae.zs", ["cvae.zs"]),
        ("ZhuSuan 0.4.0", ["cvae.zs", "ZhuSuan 0.4.0"]),
        ("cvae.zs", ["cvae.zs", "ZhuSuan 0.4.0"]),
    ):
        again = Partial(path, SETTINGS, STAGES, maker)
        assert again.makers == expected
        again.save()


def _cut(data):
    return data[:-30]


def _flip(data):
    """A bit of the first array's numbers, far from the names and sizes around it."""
    place = data.index(np.arange(12.0).tobytes()) + 50
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "damage", [_cut, _flip, lambda data: b"", lambda data: b"x" * 99]
)
def test_a_damaged_file_is_one_line_that_says_what_to_do_and_stays(path, damage):
    half_done(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(CvaeError, match="damaged.*delete it") as caught:
        Partial(path, SETTINGS, STAGES, "cvae.zs")
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "arrays",
    [
        {"first": np.zeros((7, 3))},
        {"first": np.zeros((2, 4))},
        {"first": np.zeros(6)},
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
    half_done(path)
    with np.load(str(path)) as archive:
        held = dict(archive, **arrays)
    np.savez(str(path), **{k: v for k, v in held.items() if v is not None})
    with pytest.raises(CvaeError, match="damaged.*delete it"):
        Partial(path, SETTINGS, STAGES, "cvae.zs")
