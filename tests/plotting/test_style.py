"""Every figure: its look, its note, its bytes; what the shared style promises."""

import subprocess
import sys

import matplotlib
import pytest
from drawings import EVERY, NOTE, all_words, assert_nothing_cut_off, texts

from cvae.errors import CvaeError
from cvae.plotting import lines, style

KINDS = sorted(EVERY)


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_is_printed_on_every_figure_and_only_if_there_is_one(tmp_path, kind):
    EVERY[kind](tmp_path / "noted.svg", NOTE)
    EVERY[kind](tmp_path / "plain.svg", "")
    assert NOTE in all_words(tmp_path / "noted.svg")
    assert "MNIST" not in all_words(tmp_path / "plain.svg")


@pytest.mark.parametrize("note", ["", NOTE])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_at_the_edges(tmp_path, kind, note):
    EVERY[kind](tmp_path / "figure.png", note)
    assert_nothing_cut_off(tmp_path / "figure.png")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arrays_give_the_same_bytes_whatever_the_users_style(
    tmp_path, kind, suffix
):
    first, second = tmp_path / ("a" + suffix), tmp_path / ("b" + suffix)
    EVERY[kind](first, NOTE)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        EVERY[kind](second, NOTE)
        assert matplotlib.rcParams["font.size"] == 30
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_text_stays_text_in_the_font_of_the_report(tmp_path, kind):
    EVERY[kind](tmp_path / "figure.svg", NOTE)
    svg = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "New Computer Modern" in svg and "cmr10" not in svg


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_have_a_true_minus_and_words_a_true_arrow(tmp_path, kind):
    EVERY[kind](tmp_path / "figure.svg", "")
    for text, _, _ in texts(tmp_path / "figure.svg"):
        assert not text.startswith("-") and " -" not in text and "->" not in text


def test_what_cmr10_lacks_is_spelled_for_pixels_and_left_to_save_for_svg():
    assert style.spelled("log p(x|y) -8.5", True) == "log p(x$|$y) $-$8.5"
    assert style.spelled("4 -> 9", True) == r"4 $\rightarrow$ 9"
    assert style.spelled("mnist-5k -> -1", False) == "mnist-5k -> -1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, kind):
    (tmp_path / "file").write_text("")
    with pytest.raises(CvaeError, match="^cannot write .*$"):
        EVERY[kind](tmp_path / "file" / "figure.svg", "")


@pytest.mark.parametrize(
    "room", ["plotting.grids", "plotting.lines", "plotting.panels", "report.figures"]
)
def test_drawing_needs_neither_tensorflow_nor_pyplot(room):
    code = (
        f"import sys, cvae.{room}; slow = {{'tensorflow', 'matplotlib', 'sklearn'}} & "
        "set(sys.modules); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tints_run_from_paper_to_ink():
    assert style.tint(style.BLUE, 0.0) == (255, 255, 255)
    assert style.tint(style.BLUE, 1.0) == style.BLUE
    assert lines.HEIGHT < style.HALF < style.WIDTH / 2
