"""Images in, grids of images out: `.png` for screens, `.svg` for the report.

Data is drawn in black; what the model makes of it is blue where both are in one grid.
"""

from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.plotting.style import BLACK, BLUE, LINE

CELL = 20.0  # points from one image to the next
GAP = 4.0  # points more between images that do not belong together
CELL_PIXELS = 84  # of an image's side, about, when it is drawn at CELL
FRAME = 2  # pixels of the hairline between two images
BENEATH = 8.0  # points for words beneath an image
MIN_WIDTH = 160.0  # points, so that a note can be read beneath a single image


class Word(NamedTuple):
    """Text at `x`, `y` points right and down of the grid's upper left corner."""

    text: str
    x: float
    y: float
    color: Tuple[int, int, int] = BLACK
    size: float = style.TEXT_SIZE
    ha: str = "center"


class Sheet(NamedTuple):
    """A grid of images with the words around it; lengths are in points."""

    cells: np.ndarray  # RGB, uint8 [rows, columns, side, side, 3]
    left: np.ndarray  # of each column's images
    top: np.ndarray  # of each row's
    labels: Sequence[Any]  # of each row, to its left
    heading: Sequence[Tuple[str, Tuple[int, int, int]]] = ()
    words: Sequence[Word] = ()
    cell: float = CELL  # from one image to the next
    above: float = 0.0  # room for words
    below: float = 0.0
    there: Optional[np.ndarray] = None  # bool [rows, columns]: not left out
    framed: Sequence[Tuple[int, int]] = ()  # (row, column) of what stands out


class Block(NamedTuple):
    """Columns of a grid that belong together."""

    heading: str
    images: np.ndarray  # [rows, n, x_dim], in 0 to 1; one of NaN is left out
    numbers: np.ndarray  # [rows, n], beneath the images; NaN is none
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
    _draw(path, Sheet(cells, left, top, row_labels, heading), note)


@style.applied()
def reconstruction_grid(
    path: Path,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    row_labels: Sequence[Any],
    note: str = "",
) -> None:
    """Draw originals (black), each with its reconstruction (blue) to its right.

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
    _draw(path, Sheet(cells, left, top, row_labels, key), note)


@style.applied()
def transfer_grid(
    path: Path,
    originals: np.ndarray,
    decoded: np.ndarray,
    labels: Sequence[int],
    classes: Sequence[int],
    note: str = "",
) -> None:
    """Draw each original (black) and, set apart, itself as every class (blue).

    The image of an original's own class has a dark frame.

    Args:
        originals: `[n, x_dim]`, in 0 to 1.
        decoded: `[n, classes, x_dim]`, in 0 to 1.
        labels: the class of each original.
        classes: those of the columns.

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
    _draw(path, sheet, note)


@style.applied()
def interpolation_grid(
    path: Path,
    ends: np.ndarray,
    between: np.ndarray,
    row_labels: Sequence[Any],
    groups: Sequence[Tuple[str, int]],
    note: str = "",
) -> None:
    """Draw two originals (black) at the ends of each row, what lies between in blue.

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
    _draw(path, sheet, note)


@style.applied()
def ranked_grid(
    path: Path,
    blocks: Sequence[Block],
    row_labels: Sequence[Any],
    places: int,
    note: str = "",
) -> None:
    """Draw blocks of images side by side, numbers with `places` decimals beneath.

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
        text = "{:.{}f}".format(numbers[row, column], places)
        x, y = left[column] + CELL / 2, top[row] + CELL + 4.2
        words.append(Word(text, x, y, style.AXIS, style.SMALL))
    for block, column in zip(blocks, np.cumsum([0] + widths)):
        words.append(Word(block.heading, left[column], -5.0, block.ink, ha="left"))
    sheet = Sheet(cells, left, top, row_labels, (), words)
    _draw(path, sheet._replace(above=LINE, below=BENEATH, there=there), note)


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
    _draw(path, sheet._replace(below=LINE + 1.0, there=there), note)


def _inked(images, ink):
    """Grey values `[rows, columns, x_dim]` as RGB squares: 0 is paper, 1 is `ink`."""
    images = np.asarray(images)
    side = int(round(images.shape[-1] ** 0.5))
    if side * side != images.shape[-1]:
        raise CvaeError(
            f"images of {images.shape[-1]} pixels are not square and cannot be drawn"
        )
    images = images.reshape(images.shape[:2] + (side, side))
    shade = np.clip(np.nan_to_num(images), 0.0, 1.0)[..., None]
    return np.uint8(np.rint(255.0 + shade * (np.array(ink) - 255.0)))


def _draw(path, sheet, note):
    """Write the sheet and the note beneath it to `path`."""
    side = sheet.cells.shape[2]
    scale = max(1, int(CELL_PIXELS * sheet.cell / CELL) // side)
    dots = (side * scale + FRAME) / sheet.cell  # pixels a point
    labels = [str(label) for label in sheet.labels]
    grid = _mosaic(sheet, scale, dots)
    across, up = grid.shape[1] / dots, grid.shape[0] / dots
    margin = _whole(7.0 + 5.0 * max(len(label) for label in labels), dots)
    starts = np.cumsum([margin] + [3.8 * len(text) + 10.0 for text, _ in sheet.heading])
    least = max(MIN_WIDTH if note else 0.0, starts[-1] - 9.0)
    width = _whole(max(margin + across + 1.0, least), dots)
    foot = _whole(style.foot(note, width) + 2.0 + sheet.below, dots)
    top = foot + up
    head = (LINE + 3.0 if sheet.heading else 2.0) + sheet.above
    height = _whole(top + head, dots)

    figure = style.figure(width, height, 72.0 * dots)
    style.write_note(figure, note, width, height)
    for (text, color), at in zip(sheet.heading, starts):
        style.write(figure, text, at, height - 1.0, width, height, color, va="top")
    for label, row_top in zip(labels, sheet.top):
        place = (margin - 4.0, top - row_top - 0.5 * sheet.cell)
        style.write(figure, label, *place, width, height, va="center", ha="right")
    for word in sheet.words:
        text = style.spelled(word.text, style.is_raster(path))
        place = (margin + word.x, top - word.y, width, height, word.color)
        style.write(figure, text, *place, va="center", ha=word.ha, size=word.size)
    # A hair inside its pixels, lest rounding adds one and matplotlib resamples.
    hair = 1e-3 / dots
    box = (margin + hair, foot + hair, across - 2 * hair, up - 2 * hair)
    axes = style.add_axes(figure, box, width, height)
    axes.set_axis_off()
    # Clipped, the image of an SVG, which is of whole points, loses its last hairline.
    axes.imshow(grid, interpolation="none", aspect="auto", clip_on=False)
    style.save(figure, path)


def _whole(points, dots):
    """`points`, and what is missing to a whole number of pixels."""
    return np.ceil(points * dots) / dots


def _mosaic(sheet, scale, dots):
    """One RGB image of all cells, each pixel `scale` wide, each cell in a hairline."""
    rows, columns, side = sheet.cells.shape[:3]
    size = side * scale
    pitch = size + FRAME
    left = np.rint(sheet.left * dots).astype(int)
    top = np.rint(sheet.top * dots).astype(int)
    shape = (top[-1] + pitch + FRAME, left[-1] + pitch + FRAME, 3)
    grid = np.full(shape, 255, np.uint8)
    there = np.ones((rows, columns), bool) if sheet.there is None else sheet.there
    order = [tuple(place) for place in np.argwhere(there)]
    framed = [place for place in sheet.framed if there[place]]
    inks = [style.HAIRLINE] * len(order) + [style.AXIS] * len(framed)
    for (row, column), ink in zip(order + framed, inks):
        y, x = top[row], left[column]
        grid[y : y + pitch + FRAME, x : x + pitch + FRAME] = ink
        cell = sheet.cells[row, column].repeat(scale, 0).repeat(scale, 1)
        grid[y + FRAME : y + pitch, x + FRAME : x + pitch] = cell
    return grid
