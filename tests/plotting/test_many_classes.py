"""Figures of 2 to 62 classes with names: everything in its place and on the page."""

import string

import numpy as np
import pytest
from drawings import (
    PROBE,
    assert_nothing_cut_off,
    assert_shows,
    assert_words_are_apart,
    cells,
    images,
    pixels,
    root,
    words,
)

from cvae.plotting import folding, grids, labels, panels, sheet
from cvae.plotting.folding import HALF_PAGE, PAGE, SCREEN, fold
from cvae.plotting.grids import GAP, Block
from cvae.plotting.labels import Label

LETTERS = string.digits + string.ascii_letters
NAMES = {
    "letters": LETTERS,
    "words": [f"{c} Ankle boot"[: 5 + ord(c) % 9] for c in LETTERS],
    "long": [f"{'W' * 40} number {n}" for n in range(62)],
    "markup": [f"<b>${n}$</b>_" for n in range(62)],
}


def classes(n, kind="letters"):
    return [Label(c, NAMES[kind][c]) for c in range(n)]


# Folding


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "area, units", [(HALF_PAGE, (1, 0.0)), (PAGE, (2, GAP)), (SCREEN, (1, 0.0))]
)
def test_every_class_has_its_row_and_the_page_is_not_left(kind, area, units):
    together, gap = units
    for n in (2, 10, 15, 16, 26, 30, 31, 47, 62):
        found = fold(classes(n, kind), 10, area, together, gap)
        assert found.blocks * found.rows >= n > (found.blocks - 1) * found.rows
        assert found.rows * found.cell <= area.height
        assert min(10, folding.FEWEST) * together <= found.columns <= 10 * together
        assert found.blocks * found.pitch - folding.BETWEEN <= area.width
        images = found.columns // together * (together * found.cell + gap)
        widest = max(map(labels.width, found.labels))
        assert found.pitch - images >= widest + 6.0  # clear of the block before


def test_ten_digits_are_not_folded():
    for area, together in ((HALF_PAGE, 1), (PAGE, 2), (SCREEN, 1)):
        found = fold(range(10), 10, area, together)
        assert (found.blocks, found.columns, found.cell) == (1, 10 * together, 20.0)


def test_more_classes_than_fit_are_drawn_in_the_smallest_cells():
    found = fold(range(500), 10, HALF_PAGE)
    assert found.cell == min(HALF_PAGE.cells) and found.columns == 1
    assert found.rows * found.cell <= HALF_PAGE.height


@pytest.mark.parametrize("n, side", [(26, 8), (47, 28), (62, 13)])
def test_folded_samples_stand_beside_their_classes(tmp_path, n, side):
    x = images(n, 10, side * side)
    for suffix in (".png", ".svg"):
        path = tmp_path / f"s{suffix}"
        grids.sample_grid(path, x, classes(n), for_print=True)
    found = fold(classes(n), 10, HALF_PAGE)
    shape = found.rows, found.blocks * found.columns
    grid = cells(tmp_path / "s.png", *shape)
    for c in (0, found.rows - 1, found.rows, n - 1):
        row, first = c % found.rows, c // found.rows * found.columns
        for column in (0, found.columns - 1):
            assert_shows(grid[row][first + column], x[c, column])
    assert sorted(words(tmp_path / "s.svg")) == sorted(LETTERS[:n])
    assert_words_are_apart(tmp_path / "s.svg")
    assert_nothing_cut_off(tmp_path / "s.png")


def test_a_grid_on_a_screen_has_all_images_of_all_classes(tmp_path):
    x = images(47, 10, 16)
    grids.sample_grid(tmp_path / "s.png", x, classes(47))
    grid = cells(tmp_path / "s.png", 16, 30)
    for c in range(47):
        for column in range(10):
            assert_shows(grid[c % 16][c // 16 * 10 + column], x[c, column])


def test_originals_that_are_lacking_leave_a_gap(tmp_path):
    x, y = images(3, 4, 49), images(3, 4, 49, 1)
    x[1, 2:] = np.nan
    grids.reconstruction_grid(tmp_path / "r.png", x, y, classes(3))
    grid = cells(tmp_path / "r.png", 3, 8)
    assert_shows(grid[1][2], x[1, 1])
    assert (grid[1][4] == 255).all() and (grid[1][7] == 255).all()
    assert_shows(grid[2][6], x[2, 3])


@pytest.mark.parametrize(
    "n, side", [(2, 8), (2, 13), (2, 28), (2, 43), (2, 64), (62, 8), (62, 28), (62, 43)]
)
def test_images_of_every_side_are_drawn_pixel_for_pixel(tmp_path, n, side):
    x = images(n, 4, side * side)
    path = tmp_path / "s.png"
    grids.sample_grid(path, x, classes(n), for_print=True)
    found = fold(classes(n), 4, HALF_PAGE)
    assert_shows(cells(path, found.rows, found.blocks * found.columns)[1][1], x[1, 1])
    assert pixels(path).shape[0] >= sheet.MIN_DOTS * found.rows * found.cell


# Every kind of grid


def drawn(kind, folder, n, names, side):
    """Draw one grid of `n` classes, as the report does, and return its path."""
    every, x_dim, path = classes(n, names), side * side, folder / f"{kind}.svg"
    some = every[: folding.ROWS]
    x = images(len(some), 10, x_dim)
    if kind == "reconstructions":
        x = images(n, 10, x_dim)
        grids.reconstruction_grid(path, x, x, every)
    elif kind == "transfer":
        grids.transfer_grid(path, x[:, 0], x[:, : len(some)], some, some, noun="image")
    elif kind == "interpolations":
        groups = [("within a class", 1), ("across classes", len(some) - 1)]
        grids.interpolation_grid(path, x[:, :2], x[:, :8], some, groups)
    elif kind == "extremes":
        numbers = -1234.0 - np.arange(50.0).reshape(10, 5)[: len(some)]
        blocks = [Block("most likely", x[:, :5], numbers)]
        blocks += [Block("least likely", x[:, 5:], numbers)]
        grids.ranked_grid(path, blocks, some, 0)
    else:
        pairs = [(every[c % n], every[(3 * c + 1) % n]) for c in range(20)]
        grids.captioned_grid(path, images(1, 20, x_dim)[0], pairs)
    return path


@pytest.mark.parametrize(
    "n, side, names", [(2, 64, "long"), (10, 28, "words"), (62, 8, "markup")]
)
@pytest.mark.parametrize(
    "kind",
    ["reconstructions", "transfer", "interpolations", "extremes", "mistakes"],
)
def test_words_of_a_grid_are_apart_and_on_the_sheet(tmp_path, kind, n, side, names):
    path = drawn(kind, tmp_path, n, names, side)
    assert_words_are_apart(path)
    width, height = (float(part) for part in root(path).get("viewBox").split()[2:])
    page = PAGE if kind == "reconstructions" else HALF_PAGE
    assert width <= 1.03 * page.width and height <= page.height + 20.0  # words above


# Panels

PANELS = [
    *((2, "letters"), (3, "long"), (10, "words"), (12, "long"), (13, "words")),
    *((26, "letters"), (26, "long"), (27, "words"), (47, "markup"), (62, "letters")),
]


@pytest.mark.parametrize("n, names", PANELS)
def test_a_confusion_matrix_is_readable(tmp_path, n, names):
    counts = np.random.RandomState(n).poisson(1.5 / n, (n, n))
    counts[np.arange(n), np.arange(n)] = 4321
    path = tmp_path / "c.svg"
    panels.confusion(path, counts, names=NAMES[names][:n])
    assert_words_are_apart(path)
    told = words(path)
    height = float(root(path).get("viewBox").split()[3])
    assert height <= (420.0 if panels.is_wide(n) else HALF_PAGE.height)
    if panels.is_counted(n):
        assert sum("%" in text for text in told) == n
        assert told.count("4321") == n
    else:
        row, column = np.unravel_index((counts % 4321).argmax(), counts.shape)
        n_errors = (counts % 4321 > 0).sum()
        listed = sum("\u2192" in text for text in told)
        assert listed == min(panels.LISTED, n_errors)
        if names == "letters":
            first = f"{LETTERS[row]} \u2192 {LETTERS[column]}: {counts[row, column]}"
            assert first in told
    if names == "letters":
        assert set(LETTERS[:n]) <= set(told)


@pytest.mark.parametrize("n, names", PANELS)
def test_a_latent_space_has_a_panel_for_every_class(tmp_path, n, names):
    points = np.random.RandomState(n).standard_normal((3 * n, 2))
    path = tmp_path / "l.svg"
    data = points, np.arange(3 * n) % n, [0.2, 0.1], PROBE
    panels.latent_space(path, *data, names=NAMES[names][:n])
    assert_words_are_apart(path)
    assert len(words(path)) == n + 7
    assert float(root(path).get("viewBox").split()[3]) <= 350.0
    if names == "letters":
        assert set(LETTERS[:n]) <= set(words(path))
