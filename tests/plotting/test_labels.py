"""Names of classes in figures: as they are, in their room, and never mistaken."""

import warnings

import numpy as np
import pytest
from drawings import pixels, texts, words

from cvae.plotting import grids, labels, style
from cvae.plotting.labels import Label, fitted

CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal"),
    *("Shirt", "Sneaker", "Bag", "Ankle boot"),
)
MARKUP = [
    *("$x_1$", "$", "a$b$c", r"\alpha", r"\$", "#let x = 1", "&amp;", "]]>", "a -- b"),
    *("<script>alert(1)</script>", "{x}", "%s", "cmr10", 'quote"', "under_score"),
    "\u00e9\u0434",
]


def named(names):
    return [Label(c, name) for c, name in enumerate(names)]


def test_names_stay_as_they_are_where_there_is_room():
    assert fitted(named(CLOTHES), 54.0) == list(CLOTHES)
    assert fitted(range(12), 9.0) == [str(c) for c in range(12)]


def test_long_names_are_shortened_and_remain_different():
    found = fitted(named(CLOTHES), 34.0)
    assert found[0] == "T-shirt..." and found[1] == "Trouser"
    assert len(set(found)) == 10
    assert max(map(labels.width, found)) <= 34.0


@pytest.mark.parametrize(
    "names, room",
    [
        (["class of a", "class of b"], 30.0),  # the same when they are shortened
        (["Ankle boot", "Bag"], 20.0),  # less than `LEAST` letters
        (["\u3042", "\u3044"], 54.0),  # signs that the fonts lack
        (["\u05d0\u05d1", "b"], 54.0),  # from right to left
        (["e\u0301", "b"], 54.0),  # a mark above a letter
        ([" ", "b"], 54.0),
        (["same", "same"], 54.0),
        (["W" * 1000, "W" * 999], 54.0),
    ],
)
def test_names_that_cannot_be_drawn_or_told_apart_are_numbers(names, room):
    assert fitted(named(names), room) == ["0", "1"]


def test_a_class_may_occur_more_than_once():
    two = named(["shoe", "boot"])
    assert fitted([two[0], two[1], two[0]], 54.0) == ["shoe", "boot", "shoe"]


def test_the_width_is_that_of_the_font():
    assert labels.width("0") == pytest.approx(4.0, abs=0.05)  # half an em, at 8 points
    assert labels.width("00", 16.0) == pytest.approx(16.0, abs=0.1)
    assert labels.width("_") == pytest.approx(0.602 * 8.0, abs=0.1)  # in the other font


@pytest.mark.parametrize("name", MARKUP)
def test_markup_is_drawn_literally(tmp_path, name):
    """As a label at the side, and with an arrow in a caption."""
    x = np.zeros((1, 1, 16))
    two = (Label(0, name), Label(1, "b"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that is missing
        for suffix in (".svg", ".png"):
            grids.sample_grid(tmp_path / f"g{suffix}", x, two[:1])
            grids.captioned_grid(tmp_path / f"c{suffix}", x[0], [two])
    shown = fitted(two[:1], 54.0)[0]
    assert shown == name or shown.endswith("...") and name.startswith(shown[:-3])
    assert words(tmp_path / "g.svg") == [shown]
    caption = " ".join(text for text in words(tmp_path / "c.svg") if text)
    assert caption.startswith(shown[:5]) and caption.endswith("\u2192 b")


def test_dollars_are_no_mathematics_in_pixels(tmp_path):
    """`x` between dollars would be italic, and the dollars would not be drawn."""
    x = np.zeros((1, 1, 16))
    for n, name in enumerate(("$x$", "x")):
        grids.sample_grid(tmp_path / f"{n}.png", x, [Label(0, name)])
    with_dollars, without = (pixels(tmp_path / f"{n}.png") for n in range(2))
    extra = (with_dollars.shape[1] - without.shape[1]) / without.shape[0]
    assert extra * 22.0 > 2 * labels.width("$")  # points; the sheet is 22 high


def test_a_font_with_all_signs_is_in_the_svg_under_its_own_name(tmp_path):
    grids.sample_grid(tmp_path / "g.svg", np.zeros((1, 1, 16)), [Label(0, "a_b")])
    svg = (tmp_path / "g.svg").read_text(encoding="utf-8")
    assert labels.OTHER_FONT in svg and texts(tmp_path / "g.svg")[0][0] == "a_b"
    assert style.SETTINGS["font.family"] not in svg
