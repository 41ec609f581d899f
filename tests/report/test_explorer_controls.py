"""The explorer in a real browser: every control works, by mouse, touch and keyboard."""

from functools import partial

import numpy as np
import pytest
from browser import FOCUS, SIX, STROKE
from explorer_pages import BITS, DONE, assert_changes, looks

CLICKS = {  # a button, and the canvases that it changes
    "#undo": ["#sketch", "#given"],
    "#clear": ["#sketch", "#given", "#reconstruction", "#tiles canvas", "#flow-z"],
    "#strip button:nth-child(5)": [
        "#sketch",
        "#given",
        "#reconstruction",
        "#tiles canvas",
    ],
    "#bars [aria-pressed=false]": ["#reconstruction", "#tiles canvas", "#flow-z"],
    "#tiles [aria-pressed=false]": ["#image"],
    "#classes [aria-pressed=false]": ["#image", "#path canvas"],
    "#prior": ["#image", "#pad", "#classes canvas"],
    "#zero": ["#image", "#pad", "#classes canvas"],
    "#bits": ["#image", "#tiles canvas", "#rows canvas", "#path canvas"],
    "#rows button:nth-child(2)": ["#image", "#pad"],
    "#new-rows": ["#rows canvas"],
    "#path button:nth-child(6)": ["#image", "#pad"],
    "#keep-0": ["#keep-0 canvas", "#path canvas"],
    "#keep-1": ["#keep-1 canvas", "#path canvas"],
    "#again": ["#flow-z", "#flow-made"],
}
WITH_STROKES = ("#undo", "#clear", "#strip button:nth-child(5)")
SLIDES = {"#sliders input": ["#image", "#pad"], "#share": ["#image", "#pad"]}


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_every_button_works_by(by, fresh):
    fresh.look(1200, touch=by == "touch")
    for selector, canvases in CLICKS.items():
        if selector in WITH_STROKES:  # the last of them leaves something to read
            fresh.run("document.getElementById('clear').click()")
            fresh.drag("#sketch", STROKE, by == "touch")
            fresh.wait(DONE)
        assert_changes(fresh, canvases, partial(fresh.press, selector, by))
        if selector == "#bits":
            fresh.press(selector, by)
            fresh.wait("return !document.getElementById('bits').checked")
    alike = ("strip", "bars", "tiles", "classes", "rows", "path")
    others = fresh.run(
        "return [...document.querySelectorAll('button, input[type=checkbox]')]"
        "  .filter((one) => !one.matches(arguments[0])).map((one) => one.id);",
        ", ".join([*CLICKS, *(f"#{one} button" for one in alike)]),
    )
    assert others == ["back"]  # which the next test presses


def test_a_tap_right_after_a_fast_stroke_counts(written):
    """A browser may take it for the end of a fling."""
    written.look(1200, touch=True)
    for area, button, canvas in (
        ("#sketch", "#undo", "#sketch"),
        ("#pad", "#zero", "#image"),
    ):
        written.drag(area, SIX[::3], touch=True, rest=0)
        tap = partial(written.press, button, "touch")
        assert_changes(written, [canvas], tap)


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_the_way_back_from_an_exploration_is_to_the_written(by, written):
    written.look(1200, touch=by == "touch")
    before = looks(written, "#image")
    assert_changes(written, ["#image"], lambda: written.press("#prior", by))
    written.press("#back", by)
    written.wait(
        "return document.getElementById('image').toDataURL() === arguments[0]",
        before[0],
    )


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_sliders_and_pad_move_z_by(by, fresh):
    fresh.look(1200, touch=by == "touch")

    def slide(selector):
        if by == "keyboard":
            fresh.run(FOCUS, selector)
            fresh.key("ArrowRight", times=5)
        else:
            fresh.drag(selector, [(0.5, 0.5), (0.6, 0.5), (0.9, 0.5)], by == "touch")

    for selector, canvases in SLIDES.items():
        assert_changes(fresh, canvases, partial(slide, selector))
    if by == "keyboard":
        fresh.run(FOCUS, "#pad")
        assert_changes(fresh, ["#image"], lambda: fresh.key("ArrowUp", times=5))
    else:
        drag = [(0.5, 0.5), (0.3, 0.3), (0.2, 0.75)]
        assert_changes(
            fresh, ["#image"], lambda: fresh.drag("#pad", drag, by == "touch")
        )
        point = fresh.run("return document.getElementById('pad').ariaValueText")
        first = fresh.run("return document.querySelector('.slider output').textContent")
        assert float(point.split(",")[0].replace("\u2212", "-")) == pytest.approx(
            (2 * 0.2 - 1) * 3.25, abs=0.05
        )
        assert point.startswith(first.strip())
    fresh.press("#more summary", by)
    fresh.wait("return document.querySelector('#more').open")
    assert_changes(fresh, ["#image"], partial(slide, "#more input"))


def test_a_digit_is_written_by_the_keyboard_and_by_touch(written):
    browser = written
    browser.press("#clear", "keyboard")
    assert not any(browser.run(BITS))
    browser.run(FOCUS, "#sketch")
    browser.key(" ")
    browser.key("ArrowDown", times=15)
    browser.wait(DONE)
    bits = np.reshape(browser.run(BITS), (28, 28))
    rows, columns = np.nonzero(bits)
    assert 18 <= np.ptp(rows) <= 22 and np.ptp(columns) <= 4
    browser.key("Delete")
    assert not any(browser.run(BITS))
    browser.look(400, touch=True)
    browser.drag("#sketch", [(0.1, 0.5), (0.2, 0.5), (0.3, 0.5)], touch=True)
    bits = np.reshape(browser.run(BITS), (28, 28))
    rows, columns = np.nonzero(bits)
    assert 18 <= np.ptp(columns) <= 22 and np.ptp(rows) <= 4


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_written_is_centred_by_mass_and_fills_20_pixels(scale, written):
    written.press("#clear", "mouse")
    placed = [(0.02 + scale * 0.9 * x, 0.05 + scale * 0.9 * y) for x, y in SIX]
    written.drag("#sketch", placed)
    rows, columns = np.nonzero(np.reshape(written.run(BITS), (28, 28)))
    assert abs(rows.mean() - 13.5) < 0.5 and abs(columns.mean() - 13.5) < 0.5
    assert 18 <= np.ptp(rows) <= 21
