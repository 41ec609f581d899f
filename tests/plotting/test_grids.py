"""Images in, grids out: every pixel and word stands where its row and column say."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from drawings import (
    NOTE,
    all_words,
    assert_nothing_cut_off,
    assert_shows,
    cells,
    images,
    pixels,
    ranked,
    texts,
    unscaled,
    words,
)

from cvae.errors import CvaeError
from cvae.plotting import grids, sheet, style


@pytest.mark.parametrize(
    "rows, columns, side",
    [(1, 1, 28), (10, 10, 28), (2, 100, 4), (13, 1, 9), (2, 2, 1)],
)
def test_the_cell_at_row_and_column_shows_that_image_pixel_for_pixel(
    tmp_path, rows, columns, side
):
    x = images(rows, columns, side * side)
    grids.sample_grid(tmp_path / "grid.png", x, range(rows))
    grid = cells(tmp_path / "grid.png", rows, columns)
    expected = 255 - np.rint(255 * x.reshape(rows, columns, side, side))
    for r in range(rows):
        for c in range(columns):
            shown = unscaled(grid[r][c], side)
            assert (shown == expected[r, c][..., None]).all()


def test_bits_are_drawn_in_pure_black_and_white(tmp_path):
    bits = np.random.RandomState(0).randint(0, 2, (2, 2, 16)).astype(np.uint8)
    grids.sample_grid(tmp_path / "grid.png", bits, [0, 1])
    grid = cells(tmp_path / "grid.png", 2, 2)
    shown = unscaled(grid[1][0], 4)[..., 0].ravel()
    assert shown.tolist() == [0 if bit else 255 for bit in bits[1, 0]]


def test_originals_are_black_on_the_left_and_reconstructions_blue_on_the_right(
    tmp_path,
):
    originals, reconstructions = images(2, 3, 49), images(2, 3, 49, seed=1)
    for name in ("pairs.png", "pairs.svg"):
        path = tmp_path / name
        grids.reconstruction_grid(path, originals, reconstructions, [0, 1])
    grid = cells(tmp_path / "pairs.png", 2, 6)
    for r in range(2):
        for n in range(3):
            assert_shows(grid[r][2 * n], originals[r, n])
            assert_shows(grid[r][2 * n + 1], reconstructions[r, n], style.BLUE)
    assert "left: original" in words(tmp_path / "pairs.svg")
    assert "right: reconstruction" in words(tmp_path / "pairs.svg")


def test_each_row_has_its_label_beside_it(tmp_path):
    grids.sample_grid(tmp_path / "grid.svg", images(12, 2, 16), range(12))
    labels = texts(tmp_path / "grid.svg")
    assert [text for text, _, _ in labels] == [str(n) for n in range(12)]
    tree = ElementTree.parse(str(tmp_path / "grid.svg")).getroot()
    image = next(tree.iter("{http://www.w3.org/2000/svg}image"))
    height = float(tree.get("height")[:-2])
    assert 0.95 * height < 12 * grids.CELL <= height
    for row, (_, x, y) in enumerate(labels):
        assert x < float(image.get("x", 0)) + 20
        middle = (row + 0.5) * grids.CELL + 2
        assert abs(y - middle) < 0.25 * grids.CELL  # the baseline is below it


def test_a_title_stands_above_the_grid(tmp_path):
    grids.sample_grid(tmp_path / "grid.svg", images(1, 4, 16), [3], title="Samples")
    (_, _, title), (_, _, row) = sorted(texts(tmp_path / "grid.svg"), reverse=True)
    assert title < row


@pytest.mark.parametrize("columns", [1, 10])
def test_a_grid_with_note_and_title_is_not_cut_off(tmp_path, columns):
    path = tmp_path / "grid.png"
    grids.sample_grid(path, images(1, columns, 16), [7], NOTE, "Title")
    assert_nothing_cut_off(path)


# Transfer


def test_transfer_shows_each_digit_and_beside_it_itself_as_every_class(tmp_path):
    originals, decoded = images(1, 2, 49)[0], images(2, 3, 49, 1)
    for name in ("t.png", "t.svg"):
        grids.transfer_grid(tmp_path / name, originals, decoded, [5, 9], [4, 5, 9])
    grid = cells(tmp_path / "t.png", 2, 4)
    for r in range(2):
        assert_shows(grid[r][0], originals[r])
        for c in range(3):
            assert_shows(grid[r][1 + c], decoded[r, c], style.BLUE)
    assert words(tmp_path / "t.svg")[2:] == ["5", "9", "4", "5", "9"]
    rows, heads = texts(tmp_path / "t.svg")[2:4], texts(tmp_path / "t.svg")[4:]
    assert rows[0][2] < rows[1][2] and heads[0][1] < heads[1][1] < heads[2][1]
    assert max(y for _, _, y in heads) < min(y for _, _, y in rows)


def test_only_the_image_of_the_digits_own_class_has_a_dark_frame(tmp_path):
    path = tmp_path / "t.png"
    white = np.zeros((2, 3, 49))
    grids.transfer_grid(path, white[:, 0], white, [5, 9], [4, 5, 9])
    dark = (pixels(path) == style.AXIS).all(-1)
    rows = np.flatnonzero(dark.sum(1) > 20)  # the frames' upper and lower edges
    half = (rows[0] + rows[-1]) // 2
    upper, lower = (
        np.flatnonzero(part.sum(0) > 20) for part in (dark[:half], dark[half:])
    )
    side = upper[-1] - upper[0] - 1
    assert upper.size == lower.size == 2 * sheet.FRAME
    assert (lower - upper == side).all()  # next to each other: 5 and 9


# Interpolations


def test_interpolations_have_the_originals_at_their_ends(tmp_path):
    ends, between = images(3, 2, 49), images(3, 4, 49, 1)
    groups = [("within", 1), ("across", 2)]
    labels = [4, 4, 7]
    for name in ("i.png", "i.svg"):
        grids.interpolation_grid(tmp_path / name, ends, between, labels, groups)
    grid = cells(tmp_path / "i.png", 3, 6)
    for r in range(3):
        assert_shows(grid[r][0], ends[r, 0])
        assert_shows(grid[r][-1], ends[r, 1])
        for c in range(4):
            assert_shows(grid[r][1 + c], between[r, c], style.BLUE)
    told = sorted((y, text) for text, _, y in texts(tmp_path / "i.svg"))
    assert [text for _, text in told] == ["within", "as 4", "across", "as 4", "as 7"]


# Blocks and captions


def test_blocks_stand_side_by_side_with_their_numbers_beneath(tmp_path):
    blocks = ranked(rows=2)
    for name in ("b.png", "b.svg"):
        grids.ranked_grid(tmp_path / name, blocks, [4, 7], 1)
    grid = cells(tmp_path / "b.png", 2, 4)
    for r in range(2):
        assert_shows(grid[r][0], blocks[0].images[r, 0], style.BLUE)
        for c in range(3 - r):
            assert_shows(grid[r][1 + c], blocks[1].images[r, c])
    assert (grid[1][3] == 255).all()  # left out
    found = texts(tmp_path / "b.svg")
    told = [text.replace("\u2212", "-") for text, _, _ in found]
    numbers = ["-12.6", "-25.2", "-37.8", "-50.4", "-63.0"]
    assert told == ["4", "7"] + numbers + ["drawn", "nearest"]
    x = [x for _, x, _ in found[2:7]]
    assert x[:2] == pytest.approx(x[3:]) and x[0] < x[1] < x[2]


@pytest.mark.parametrize("n", [1, 5, 7])
def test_captions_stand_beneath_their_images(tmp_path, n):
    x = images(1, n, 49)[0]
    captions = [(i, 9) for i in range(n)]
    for name in ("c.png", "c.svg"):
        grids.captioned_grid(tmp_path / name, x, captions)
    rows, columns = -(-n // 5), min(n, 5)
    grid = cells(tmp_path / "c.png", rows, columns)
    for i in range(n):
        assert_shows(grid[i // 5][i % 5], x[i])
    found = [t for t in texts(tmp_path / "c.svg") if t[0]]
    assert [t for t, _, _ in found] == [f"{i} \u2192 9" for i in range(n)]
    assert len({round(x, 2) for _, x, _ in found}) == columns
    assert len({round(y, 2) for _, _, y in found}) == rows


def test_a_grid_without_images_has_the_word_none(tmp_path):
    grids.captioned_grid(tmp_path / "c.svg", np.zeros((0, 49)), [])
    assert "none" in all_words(tmp_path / "c.svg")


def test_images_that_are_not_square_are_one_line(tmp_path):
    with pytest.raises(CvaeError, match="^images of 15 pixels are not square.*$"):
        grids.sample_grid(tmp_path / "grid.png", images(1, 1, 15), [0])
    assert not list(tmp_path.iterdir())
