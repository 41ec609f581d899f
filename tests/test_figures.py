import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from cvae import figures
from cvae.errors import CvaeError

NOTE = (
    "Not the full MNIST: 4,000 training and 1,000 held-out test images, so results "
    "are not comparable with those on MNIST."
)
SVG_TEXT = "{http://www.w3.org/2000/svg}text"


def images(rows, columns, x_dim, seed=0):
    """Random grey values, none of which is drawn in the grey of the hairlines."""
    values = np.random.RandomState(seed).randint(0, 200, (rows, columns, x_dim))
    return 1.0 - values / 255.0


def metrics(last_train=-81.4, last_test=-85.03, epochs=20, first=-500.0):
    """Rows as training writes them: a bad first epoch, then slow progress."""
    rows = []
    for epoch in range(1, epochs + 1):
        left = (epochs - epoch) / 10.0
        row = {"step": 235 * epoch, "epoch": float(epoch), "seconds": 9.0 * epoch}
        row["train_bound"] = first if epoch == 1 else last_train - left
        if epoch % 5 == 0 or epoch == epochs:
            row["test_bound"] = last_test - left
        rows.append(row)
    return rows


def pixels(path):
    """RGB of a PNG, uint8 `[height, width, 3]`."""
    return np.uint8(np.rint(imread(str(path))[..., :3] * 255))


def cells(path, rows, columns):
    """The grid's cells, cut out along its hairlines: `[row][column]` RGB arrays."""
    picture = pixels(path)
    line = (picture == figures.HAIRLINE).all(-1)
    across = inside(line.mean(1) > 0.9 * line.mean(1).max())
    down = inside(line.mean(0) > 0.9 * line.mean(0).max())
    assert (len(across), len(down)) == (rows, columns)
    return [[picture[y, x] for x in down] for y in across]


def inside(is_line):
    """Slices between the runs of True in `is_line`, but for gaps that are no cells."""
    positions = np.flatnonzero(is_line)
    gaps = [slice(a + 1, b) for a, b in zip(positions, positions[1:]) if b > a + 1]
    widest = max(gap.stop - gap.start for gap in gaps)
    return [gap for gap in gaps if gap.stop - gap.start == widest]


def unscaled(cell, side):
    """One colour per image pixel; fails unless each is one solid square block."""
    scale = cell.shape[0] // side
    assert cell.shape == (side * scale, side * scale, 3)
    blocks = cell.reshape(side, scale, side, scale, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    return blocks[:, 0, :, 0]


def texts(path):
    """(text, x, y) of every text of an SVG, in document order."""
    found = ElementTree.parse(str(path)).getroot().iter(SVG_TEXT)
    return [
        (t.text, *(float(n) for n in re.findall(r"[-\d.]+", t.get("transform"))[-2:]))
        for t in found
    ]


def all_words(path):
    return " ".join(text for text, _, _ in texts(path))


def draw_all(folder, suffix, note=""):
    """One figure of each kind; return their paths."""
    paths = [folder / (n + suffix) for n in ("samples", "pairs", "curves")]
    x = images(2, 3, 49)
    figures.sample_grid(paths[0], x, [4, 7], note)
    figures.reconstruction_grid(paths[1], x, images(2, 3, 49, 1), [4, 7], note)
    figures.curves(paths[2], metrics(), note)
    return paths


@pytest.mark.parametrize(
    "rows, columns, side",
    [(1, 1, 28), (10, 10, 28), (2, 100, 4), (13, 1, 9), (2, 2, 1)],
)
def test_the_cell_at_row_and_column_shows_that_image_pixel_for_pixel(
    tmp_path, rows, columns, side
):
    x = images(rows, columns, side * side)
    figures.sample_grid(tmp_path / "grid.png", x, range(rows))
    grid = cells(tmp_path / "grid.png", rows, columns)
    expected = 255 - np.rint(255 * x.reshape(rows, columns, side, side))
    for r in range(rows):
        for c in range(columns):
            shown = unscaled(grid[r][c], side)
            assert (shown == expected[r, c][..., None]).all()


def test_bits_are_drawn_in_pure_black_and_white(tmp_path):
    bits = np.random.RandomState(0).randint(0, 2, (2, 2, 16)).astype(np.uint8)
    figures.sample_grid(tmp_path / "grid.png", bits, [0, 1])
    grid = cells(tmp_path / "grid.png", 2, 2)
    shown = unscaled(grid[1][0], 4)[..., 0].ravel()
    assert shown.tolist() == [0 if bit else 255 for bit in bits[1, 0]]


def test_originals_are_black_on_the_left_and_reconstructions_blue_on_the_right(
    tmp_path,
):
    originals, reconstructions = images(2, 3, 49), images(2, 3, 49, seed=1)
    path = tmp_path / "pairs.png"
    figures.reconstruction_grid(path, originals, reconstructions, [0, 1])
    grid = cells(path, 2, 6)
    for r in range(2):
        for n in range(3):
            left = unscaled(grid[r][2 * n], 7).astype(float)
            right = unscaled(grid[r][2 * n + 1], 7).astype(float)
            shade = originals[r, n].reshape(7, 7, 1)
            assert (left == 255 - np.rint(255 * shade)).all()
            shade = reconstructions[r, n].reshape(7, 7, 1)
            blue = 255 + shade * (np.array(figures.BLUE) - 255)
            assert abs(right - blue).max() <= 0.5
    figures.reconstruction_grid(
        tmp_path / "pairs.svg", originals, reconstructions, [0, 1]
    )
    assert "left: original" in all_words(tmp_path / "pairs.svg")
    assert "right: reconstruction" in all_words(tmp_path / "pairs.svg")


def test_each_row_has_its_label_beside_it(tmp_path):
    figures.sample_grid(tmp_path / "grid.svg", images(12, 2, 16), range(12))
    labels = texts(tmp_path / "grid.svg")
    assert [text for text, _, _ in labels] == [str(n) for n in range(12)]
    tree = ElementTree.parse(str(tmp_path / "grid.svg")).getroot()
    image = next(tree.iter("{http://www.w3.org/2000/svg}image"))
    height = float(tree.get("height")[:-2])
    assert 0.95 * height < 12 * figures.CELL <= height
    for row, (_, x, y) in enumerate(labels):
        assert x < float(image.get("x", 0)) + 20
        middle = (row + 0.5) * figures.CELL + 2
        assert abs(y - middle) < 0.25 * figures.CELL  # the baseline is below it


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_note_is_printed_on_every_figure_and_only_if_there_is_one(tmp_path, kind):
    noted = draw_all(tmp_path, ".svg", NOTE)[kind]
    assert NOTE in all_words(noted)
    assert "MNIST" not in all_words(draw_all(tmp_path, ".svg")[kind])


def test_a_title_stands_above_the_grid(tmp_path):
    figures.sample_grid(tmp_path / "grid.svg", images(1, 4, 16), [3], title="Samples")
    (_, _, title), (_, _, row) = sorted(texts(tmp_path / "grid.svg"), reverse=True)
    assert title < row


@pytest.mark.parametrize("columns", [1, 10])
def test_nothing_is_cut_off_at_the_edges(tmp_path, columns):
    path = tmp_path / "grid.png"
    figures.sample_grid(path, images(1, columns, 16), [7], NOTE, "Title")
    figures.curves(tmp_path / "curves.png", metrics(-100.25, -101.5), NOTE)
    for picture in (pixels(path), pixels(tmp_path / "curves.png")):
        for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
            assert (edge == 255).all()


def test_curves_name_the_last_values_with_a_true_minus(tmp_path):
    figures.curves(tmp_path / "curves.svg", metrics(-81.437, -85.031))
    words = all_words(tmp_path / "curves.svg")
    assert "training \u221281.44" in words
    assert "test \u221285.03" in words
    assert "-8" not in words
    assert "minutes of training" in words


def test_a_validation_bound_is_called_by_its_name(tmp_path):
    rows = metrics()
    for row in rows:
        if "test_bound" in row:
            row["validation_bound"] = row.pop("test_bound")
    figures.curves(tmp_path / "curves.svg", rows)
    words = all_words(tmp_path / "curves.svg")
    assert "validation \u221285.03" in words and "test" not in words


def test_the_first_epochs_do_not_squash_the_converged_part(tmp_path):
    figures.curves(tmp_path / "curves.svg", metrics(first=-5000.0))
    ticks = [t for t, _, _ in texts(tmp_path / "curves.svg") if t[0] == "\u2212"]
    assert len(ticks) >= 3
    assert min(float(t.replace("\u2212", "-")) for t in ticks) > -90


def test_labels_of_curves_that_end_together_do_not_overlap(tmp_path):
    figures.curves(tmp_path / "curves.svg", metrics(-85.031, -85.03))
    found = texts(tmp_path / "curves.svg")
    ends = [y for text, _, y in found if re.match("(training|test) ", text)]
    assert len(ends) == 2 and abs(ends[0] - ends[1]) >= figures.TEXT_SIZE


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_curves_of_a_run_of_few_epochs_can_be_drawn(tmp_path, epochs):
    figures.curves(tmp_path / "curves.svg", metrics(epochs=epochs))
    words = all_words(tmp_path / "curves.svg")
    assert "test \u221285.03" in words and "seconds of training" in words


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_arrays_give_the_same_bytes_whatever_the_users_style(tmp_path, suffix):
    first = [p.read_bytes() for p in draw_all(tmp_path / "a", suffix, NOTE)]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        second = [p.read_bytes() for p in draw_all(tmp_path / "b", suffix, NOTE)]
        assert matplotlib.rcParams["font.size"] == 30
    assert first == second


def test_text_stays_text_in_the_font_of_the_report(tmp_path):
    for path in draw_all(tmp_path, ".svg", NOTE):
        svg = path.read_text(encoding="utf-8")
        assert "New Computer Modern" in svg and "cmr10" not in svg


def test_images_that_are_not_square_are_one_line(tmp_path):
    with pytest.raises(CvaeError, match="^images of 15 pixels are not square.*$"):
        figures.sample_grid(tmp_path / "grid.png", images(1, 1, 15), [0])
    assert not list(tmp_path.iterdir())


def test_curves_of_no_metrics_are_one_line(tmp_path):
    with pytest.raises(CvaeError, match="^no metrics to draw.*$"):
        figures.curves(tmp_path / "curves.svg", [])


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CvaeError, match="^cannot write .*$"):
        figures.curves(tmp_path / "file" / "curves.svg", metrics())


def test_drawing_needs_neither_tensorflow_nor_pyplot():
    code = (
        "import sys, cvae.figures; "
        "slow = {'tensorflow', 'matplotlib'} & set(sys.modules); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
