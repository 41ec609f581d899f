"""Draw grids of images: `.png` for screens, `.svg` for the report.

Where data and generated images are in one grid, data is black and generated is blue.
"""

from pathlib import Path
from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.plotting.sheet import CELL, Sheet, Word, draw
from cvae.plotting.style import BLACK, BLUE, LINE

GAP = 4.0  # additional points between images that do not belong together
BENEATH = 8.0  # points for words beneath an image


class Block(NamedTuple):
    """Columns of a grid that belong together."""

    heading: str
    images: np.ndarray  # [rows, n, x_dim], in 0 to 1; an image of NaN is not drawn
    numbers: np.ndarray  # [rows, n], beneath the images; NaN is not printed
    ink: Tuple[int, int, int] = BLACK


@style.applied()
def sample_grid(
    path: Path,
    images: np.ndarray,
    row_labels: Sequence[Any],
    note: str = "",
    title: str = "",
) -> None:
    """Draw images `[rows, columns, x_dim]`, in 0 to 1, each row beside its label.

    Every image is square and black on white; `note` is printed at the foot.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cells = _inked(images, BLACK)
    rows, columns = cells.shape[:2]
    heading = [(title, BLACK)] if title else []
    left, top = np.arange(columns) * CELL, np.arange(rows) * CELL
    draw(path, Sheet(cells, left, top, row_labels, heading), note)


@style.applied()
def reconstruction_grid(
    path: Path,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    row_labels: Sequence[Any],
    note: str = "",
) -> None:
    """Draw originals (black), each with its reconstruction (blue) to the right.

    Both are `[rows, n, x_dim]`, in 0 to 1; `note` is printed at the foot.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    black, blue = _inked(originals, BLACK), _inked(reconstructions, BLUE)
    rows, n = black.shape[:2]
    cells = np.stack([black, blue], 2).reshape((rows, 2 * n) + black.shape[2:])
    column = np.arange(2 * n)
    left = column * CELL + column // 2 * GAP
    key = [("left: original", BLACK), ("right: reconstruction", BLUE)]
    top = np.arange(rows) * CELL
    draw(path, Sheet(cells, left, top, row_labels, key), note)


@style.applied()
def transfer_grid(
    path: Path,
    originals: np.ndarray,
    decoded: np.ndarray,
    labels: Sequence[int],
    classes: Sequence[int],
    note: str = "",
) -> None:
    """Draw each original (black) and beside it its style as every class (blue).

    The image of an original's own class has a dark frame.

    Args:
        originals: `[n, x_dim]`, in 0 to 1.
        decoded: `[n, classes, x_dim]`, in 0 to 1.
        labels: the class of each original.
        classes: the classes of the columns.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    cell = 18.0
    black = _inked(np.asarray(originals)[:, None], BLACK)
    cells = np.concatenate([black, _inked(decoded, BLUE)], 1)
    rows, columns = cells.shape[:2]
    left = np.arange(columns) * cell + 2 * GAP * (np.arange(columns) > 0)
    heads = [Word(str(c), x + cell / 2, -5.0, BLUE) for c, x in zip(classes, left[1:])]
    own = [(row, 1 + list(classes).index(c)) for row, c in enumerate(labels)]
    key = [("left: test digit", BLACK), ("right: its z decoded as", BLUE)]
    top = np.arange(rows) * cell
    sheet = Sheet(cells, left, top, labels, key, heads, cell, above=LINE, framed=own)
    draw(path, sheet, note)


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
    sheet = Sheet(cells, left, top, row_labels, (), heads, cell, above=LINE)
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
    sheet = Sheet(cells, left, top, row_labels, (), words)
    draw(path, sheet._replace(above=LINE, below=BENEATH, there=there), note)


@style.applied()
def captioned_grid(
    path: Path, images: np.ndarray, captions: Sequence[str], note: str = ""
) -> None:
    """Draw images `[n, x_dim]`, in 0 to 1, large, each above its caption.

    Raises:
        CvaeError: the images are not square, or the disk refuses.
    """
    columns, cell = 5, 39.0
    rows = max(1, -(-len(images) // columns))
    padded = np.full((rows * columns, images.shape[1]), np.nan)
    padded[: len(images)] = images
    padded = padded.reshape(rows, columns, -1)
    left = np.arange(columns) * (cell + GAP)
    top = np.arange(rows) * (cell + LINE + 1.0)
    words = [
        Word(text, left[n % columns] + cell / 2, top[n // columns] + cell + 5.0)
        for n, text in enumerate(captions or ["none"])
    ]
    sheet = Sheet(_inked(padded, BLACK), left, top, [""] * rows, (), words, cell)
    there = np.isfinite(padded).all(-1)
    draw(path, sheet._replace(below=LINE + 1.0, there=there), note)


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
