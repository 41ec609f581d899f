"""Draw grids of images: `.png` for screens, `.svg` for the report.

Where data and generated images are in one grid, data is black and generated is blue.
The labels of rows and columns are of type `labels.Label`, or anything that `str` takes.
"""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.plotting.folding import HALF_PAGE, PAGE, ROOM, SCREEN, fold
from cvae.plotting.labels import ARROW, fitted, label, width
from cvae.plotting.sheet import CELL, Sheet, Word, draw
from cvae.plotting.style import BLACK, BLUE, LINE, SMALL, Color

GAP = 4.0  # additional points between images that do not belong together
BENEATH = 8.0  # points for words beneath an image
HALF = 210.0  # points of the narrowest grid that stands beside another


class Block(NamedTuple):
    """Columns of a grid that belong together."""

    heading: str
    images: np.ndarray  # [rows, n, x_dim], in 0 to 1; an image of NaN is not drawn
    numbers: np.ndarray  # [rows, n], beneath the images; NaN is not printed
    ink: Color = BLACK


@style.applied()
def sample_grid(
    path: Path,
    images: np.ndarray,
    row_labels: Sequence[Any],
    note: str = "",
    title: str = "",
    for_print: bool = False,
) -> None:
    """Draw images `[rows, columns, x_dim]`, in 0 to 1, each row beside its label.

    Every image is square and black on white; `note` is printed at the foot. Many rows
    continue in another block to the right.

    Args:
        for_print: whether the grid has to fit beside another one on a page. Where there
            is no room for all columns, the first of them are drawn.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cells = _inked(images, BLACK)
    folded = fold(row_labels, cells.shape[1], HALF_PAGE if for_print else SCREEN)
    heading = [(title, BLACK)] if title else []
    there = np.ones(cells.shape[:2], bool)
    draw(path, _folded(cells, there, folded, heading), note)


@style.applied()
def reconstruction_grid(
    path: Path,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    row_labels: Sequence[Any],
    note: str = "",
) -> None:
    """Draw originals (black), each with its reconstruction (blue) to the right.

    Both are `[rows, n, x_dim]`, in 0 to 1; an original of NaN is not drawn. `note` is
    printed at the foot. Many rows continue in another block to the right, where the
    first columns are drawn that there is room for.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    black, blue = _inked(originals, BLACK), _inked(reconstructions, BLUE)
    rows, n = black.shape[:2]
    cells = np.stack([black, blue], 2).reshape((rows, 2 * n) + black.shape[2:])
    there = np.isfinite(originals).all(-1).repeat(2, 1)
    folded = fold(row_labels, n, PAGE, together=2, gap=GAP)
    key = [("left: original", BLACK), ("right: reconstruction", BLUE)]
    draw(path, _folded(cells, there, folded, key)._replace(least=2 * HALF), note)


def _folded(cells, there, folded, heading):
    """The sheet of `cells` `[rows, columns, ...]` in blocks side by side."""
    blocks, rows, columns = folded.blocks, folded.rows, folded.columns
    lacking = blocks * rows - len(cells)
    parts = []
    for array in (cells, there):
        array = array[:, :columns]
        padding = np.zeros((lacking,) + array.shape[1:], array.dtype)
        array = np.concatenate([array, padding])
        array = array.reshape((blocks, rows) + array.shape[1:]).swapaxes(0, 1)
        parts.append(array.reshape((rows, blocks * columns) + array.shape[3:]))
    column = np.arange(columns)
    within = column * folded.cell + column // folded.together * folded.gap
    left = (np.arange(blocks)[:, None] * folded.pitch + within).ravel()
    top = np.arange(rows) * folded.cell
    words = [
        Word(
            text,
            n // rows * folded.pitch - 4.0,
            top[n % rows] + 0.5 * folded.cell,
            ha="right",
            is_name=True,
        )
        for n, text in enumerate(folded.labels)
        if n >= rows
    ]
    cells, there = parts
    texts = folded.labels[:rows]
    sheet = Sheet(cells, left, top, texts, heading, words, folded.cell)
    return sheet if there.all() else sheet._replace(there=there)


@style.applied()
def transfer_grid(
    path: Path,
    originals: np.ndarray,
    decoded: np.ndarray,
    labels: Sequence[Any],
    classes: Sequence[Any],
    note: str = "",
    noun: str = "digit",
) -> None:
    """Draw each original (black) and beside it its style as every class (blue).

    The image of an original's own class has a dark frame.

    Args:
        originals: `[n, x_dim]`, in 0 to 1.
        decoded: `[n, classes, x_dim]`, in 0 to 1.
        labels: the class of each original.
        classes: the classes of the columns.
        noun: what an image shows.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cell = 18.0
    black = _inked(np.asarray(originals)[:, None], BLACK)
    cells = np.concatenate([black, _inked(decoded, BLUE)], 1)
    rows, columns = cells.shape[:2]
    left = np.arange(columns) * cell + 2 * GAP * (np.arange(columns) > 0)
    texts = fitted(classes, ROOM)
    room = max(map(width, texts))
    look: Dict[str, Any] = {"va": "bottom", "rotation": 90} if room > cell - 1.0 else {}
    above = room + 3.0 if look else LINE
    middles = left[1:] + cell / 2
    heads = [
        Word(text, x, -2.0 if look else -5.0, BLUE, is_name=True, **look)
        for text, x in zip(texts, middles)
    ]
    own = [(row, 1 + list(classes).index(c)) for row, c in enumerate(labels)]
    key = [(f"left: test {noun}", BLACK), ("right: its z decoded as", BLUE)]
    top = np.arange(rows) * cell
    sheet = Sheet(cells, left, top, fitted(labels, ROOM), key, heads, cell, above=above)
    draw(path, sheet._replace(framed=own, least=HALF), note)


@style.applied()
def interpolation_grid(
    path: Path,
    ends: np.ndarray,
    between: np.ndarray,
    row_labels: Sequence[Any],
    groups: Sequence[Tuple[str, int]],
    note: str = "",
) -> None:
    """Draw two originals (black) at the ends of each row, and steps between (blue).

    Args:
        ends: `[rows, 2, x_dim]`, in 0 to 1.
        between: `[rows, steps, x_dim]`, in 0 to 1.
        row_labels: the class that a row is decoded as.
        groups: (heading, rows) of each group of rows, from the top.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cell = 18.0
    black, blue = _inked(ends, BLACK), _inked(between, BLUE)
    cells = np.concatenate([black[:, :1], blue, black[:, 1:]], 1)
    rows, columns = cells.shape[:2]
    column = np.arange(columns)
    left = column * cell + GAP * (column > 0) + GAP * (column > columns - 2)
    group = np.repeat(np.arange(len(groups)), [n for _, n in groups])
    top = np.arange(rows) * cell + group * (LINE + GAP)
    first = np.searchsorted(group, np.arange(len(groups)))
    heads = [
        Word(text, 0.0, top[row] - 5.0, ha="left")
        for (text, _), row in zip(groups, first)
    ]
    texts = [f"as {text}" for text in fitted(row_labels, ROOM)]
    sheet = Sheet(cells, left, top, texts, (), heads, cell, above=LINE)
    draw(path, sheet, note)


@style.applied()
def ranked_grid(
    path: Path,
    blocks: Sequence[Block],
    row_labels: Sequence[Any],
    places: int,
    note: str = "",
) -> None:
    """Draw blocks of images side by side, with numbers of `places` decimals beneath.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cells = np.concatenate([_inked(b.images, b.ink) for b in blocks], 1)
    there = np.concatenate([np.isfinite(b.images).all(-1) for b in blocks], 1)
    numbers = np.concatenate([b.numbers for b in blocks], 1)
    widths = [b.images.shape[1] for b in blocks]
    left = np.arange(cells.shape[1]) * CELL
    left = left + 2 * GAP * np.repeat(np.arange(len(blocks)), widths)
    top = np.arange(cells.shape[0]) * (CELL + BENEATH)
    words = []
    for row, column in np.argwhere(there & np.isfinite(numbers)):
        text = f"{numbers[row, column]:.{places}f}"
        x, y = left[column] + CELL / 2, top[row] + CELL + 4.2
        words.append(Word(text, x, y, style.AXIS, style.SMALL))
    for block, column in zip(blocks, np.cumsum([0] + widths)):
        words.append(Word(block.heading, left[column], -5.0, block.ink, ha="left"))
    sheet = Sheet(cells, left, top, fitted(row_labels, ROOM), (), words)
    draw(path, sheet._replace(above=LINE, below=BENEATH, there=there), note)


@style.applied()
def captioned_grid(
    path: Path, images: np.ndarray, captions: Sequence[Tuple[Any, Any]], note: str = ""
) -> None:
    """Draw images `[n, x_dim]`, in 0 to 1, large, each above its caption.

    Args:
        captions: two classes for each image, between which an arrow is drawn.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    columns, cell = 5, 39.0
    rows = max(1, -(-len(images) // columns))
    padded = np.full((rows * columns, images.shape[1]), np.nan)
    padded[: len(images)] = images
    in_rows = padded.reshape(rows, columns, -1)
    texts, size = _pairs(captions, cell + GAP - 1.0)
    n_lines = len(texts[0])
    beneath = n_lines * LINE + 1.0
    left = np.arange(columns) * (cell + GAP)
    top = np.arange(rows) * (cell + beneath)
    words = [
        Word(
            text,
            left[n % columns] + cell / 2,
            top[n // columns] + cell + 5.0 + line * (LINE - 1.0),
            size=size,
            is_name=True,
        )
        for n, lines in enumerate(texts)
        for line, text in enumerate(lines)
    ]
    sheet = Sheet(_inked(in_rows, BLACK), left, top, [""] * rows, (), words, cell)
    there = np.isfinite(in_rows).all(-1)
    draw(path, sheet._replace(below=beneath, there=there), note)


def _pairs(captions, room):
    """(lines of each caption, their size): one line, or two where one is too long."""
    if not captions:
        return [["none"]], style.TEXT_SIZE
    flat = [label(c) for pair in captions for c in pair]
    short = fitted(flat, room - 1.6 * SMALL, SMALL)
    pairs = list(zip(short[::2], short[1::2]))
    if max(width(a) + width(b) for a, b in pairs) + 1.6 * style.TEXT_SIZE <= room:
        return [[f"{a} {ARROW} {b}"] for a, b in pairs], style.TEXT_SIZE
    return [[a, f"{ARROW} {b}"] for a, b in pairs], SMALL


def _inked(images, ink):
    """Grey values `[rows, columns, x_dim]` as RGB squares: 0 is white, 1 is `ink`."""
    images = np.asarray(images)
    side = int(round(images.shape[-1] ** 0.5))
    if side * side != images.shape[-1]:
        raise CvaeError(
            f"images of {images.shape[-1]} pixels are not square and cannot be drawn"
        )
    images = images.reshape(images.shape[:2] + (side, side))
    shade = np.clip(np.nan_to_num(images), 0.0, 1.0)[..., None]
    return np.uint8(np.rint(255.0 + shade * (np.array(ink) - 255.0)))
