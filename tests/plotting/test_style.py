"""Every figure: its look, its note, its bytes; what the shared style promises."""

import subprocess
import sys

import matplotlib
import pytest
from drawings import EVERY, NOTE, all_words, assert_nothing_cut_off, texts

from cvae.errors import CvaeError
from cvae.plotting import lines, style

KINDS = sorted(EVERY)
FILES = {
    (note, suffix): name + suffix
    for note, name in ((NOTE, "noted"), ("", "plain"))
    for suffix in (".png", ".svg")
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder for each kind of figure: noted and plain, .png and .svg."""
    folders = {}
    for kind in KINDS:
        folders[kind] = tmp_path_factory.mktemp(kind)
        for (note, _), name in FILES.items():
            EVERY[kind](folders[kind] / name, note)
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_is_printed_on_every_figure_and_only_if_there_is_one(drawn, kind):
    assert NOTE in all_words(drawn[kind] / "noted.svg")
    assert "MNIST" not in all_words(drawn[kind] / "plain.svg")


@pytest.mark.parametrize("name", ["noted.png", "plain.png"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_at_the_edges(drawn, kind, name):
    assert_nothing_cut_off(drawn[kind] / name)


@pytest.mark.parametrize(
    "kind, suffix", [*((kind, ".svg") for kind in KINDS), ("samples", ".png")]
)
def test_the_same_arrays_give_the_same_bytes_whatever_the_users_style(
    drawn, tmp_path, kind, suffix
):
    name = FILES[NOTE, suffix]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        EVERY[kind](tmp_path / name, NOTE)
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / name).read_bytes() == (drawn[kind] / name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_text_stays_text_in_the_font_of_the_report(drawn, kind):
    svg = (drawn[kind] / "noted.svg").read_text(encoding="utf-8")
    assert "New Computer Modern" in svg and "cmr10" not in svg


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_have_a_true_minus_and_words_a_true_arrow(drawn, kind):
    for text, _, _ in texts(drawn[kind] / "plain.svg"):
        assert not text.startswith("-") and " -" not in text and "->" not in text


def test_what_cmr10_lacks_is_spelled_for_pixels_and_left_to_save_for_svg():
    assert style.spelled("log p(x|y) -8.5", True) == "log p(x$|$y) $-$8.5"
    assert style.spelled("4 -> 9", True) == r"4 $\rightarrow$ 9"
    assert style.spelled("mnist-5k -> -1", False) == "mnist-5k -> -1"


@pytest.mark.parametrize(
    "value, places, expected",
    [(0.125, 2, "0.13"), (-0.125, 2, "-0.13"), (11.35, 1, "11.4"), (1e4, 0, "10,000")],
)
def test_numbers_are_rounded_to_the_nearest_with_halves_up(value, places, expected):
    assert style.rounded(value, places) == expected


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CvaeError, match="^cannot write .*$"):
        EVERY["samples"](tmp_path / "file" / "figure.svg", "")


def test_drawing_needs_neither_tensorflow_nor_pyplot():
    code = (
        "import sys, cvae.plotting.grids, cvae.plotting.lines, cvae.plotting.panels, "
        "cvae.report.figures\n"
        "slow = {'tensorflow', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tints_run_from_paper_to_ink():
    assert style.tint(style.BLUE, 0.0) == (255, 255, 255)
    assert style.tint(style.BLUE, 1.0) == style.BLUE
    assert lines.HEIGHT < style.HALF < style.WIDTH / 2
