"""A sheet: images in rows and columns, drawn pixel by pixel, with words around."""

from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from cvae.plotting import labels, style
from cvae.plotting.style import BLACK, LINE, Color

CELL = 20.0  # points from one image to the next
CELL_PIXELS = 84  # of an image's side, about, when it is drawn at CELL
FRAME = 2  # pixels of the hairline between two images
MIN_WIDTH = 160.0  # points, so that a note can be read beneath a single image
MIN_DOTS = 3.0  # pixels of a point, so that words can be read


class Word(NamedTuple):
    """Text at `x` points right of, `y` points below the grid's upper left corner."""

    text: str
    x: float
    y: float
    color: Color = BLACK
    size: float = style.TEXT_SIZE
    ha: str = "center"
    va: str = "center"
    rotation: int = 0  # degrees
    is_name: bool = False  # of a class: its signs are drawn as they are


class Sheet(NamedTuple):
    """A grid of images with the words around it; lengths are in points."""

    cells: np.ndarray  # RGB, uint8 [rows, columns, side, side, 3]
    left: np.ndarray  # of each column's images
    top: np.ndarray  # of each row's
    labels: Sequence[str]  # of each row, to its left
    heading: Sequence[Tuple[str, Color]] = ()
    words: Sequence[Word] = ()
    cell: float = CELL  # from one image to the next
    above: float = 0.0  # room for words
    below: float = 0.0
    there: Optional[np.ndarray] = None  # bool [rows, columns]: which images to draw
    framed: Sequence[Tuple[int, int]] = ()  # (row, column) of images in a dark frame
    least: float = 0.0  # width of the whole


def draw(path: Path, sheet: Sheet, note: str) -> None:
    """Write the sheet to `path`, with the note beneath it.

    Raises:
        CvaeError: the disk refuses.
    """
    side = sheet.cells.shape[2]
    most = int(CELL_PIXELS * sheet.cell / CELL)
    scale = max(most // side, int(np.ceil((MIN_DOTS * sheet.cell - FRAME) / side)), 1)
    dots = (side * scale + FRAME) / sheet.cell  # pixels a point
    grid = _mosaic(sheet, scale, dots)
    across, up = grid.shape[1] / dots, grid.shape[0] / dots
    margin = _whole(margin_of(sheet.labels), dots)
    starts = np.cumsum([margin] + [3.8 * len(text) + 10.0 for text, _ in sheet.heading])
    least = max(MIN_WIDTH if note else 0.0, sheet.least, starts[-1] - 9.0)
    width = _whole(max(margin + across + 1.0, least), dots)
    foot = _whole(style.foot(note, width) + 2.0 + sheet.below, dots)
    top = foot + up
    head = (LINE + 3.0 if sheet.heading else 2.0) + sheet.above
    height = _whole(top + head, dots)

    figure = style.figure(width, height, 72.0 * dots)
    style.write_note(figure, note, width, height)
    for (text, color), at in zip(sheet.heading, starts):
        style.write(figure, text, at, height - 1.0, width, height, color, va="top")
    for label, row_top in zip(sheet.labels, sheet.top):
        place = (margin - 4.0, top - row_top - 0.5 * sheet.cell, width, height)
        look = dict(labels.look(label), va="center", ha="right")
        style.write(figure, labels.literal(label), *place, **look)
    for word in sheet.words:
        place = (margin + word.x, top - word.y, width, height)
        look = {"va": word.va, "ha": word.ha, "size": word.size}
        if word.rotation:
            look["rotation"] = word.rotation
        text = word.text
        if word.is_name:
            text = labels.literal(text)
            look.update(labels.look(word.text.replace(labels.ARROW, "")))
        text = style.spelled(text, style.is_raster(path))
        style.write(figure, text, *place, word.color, **look)
    # Slightly inside its pixels: rounding up would make Matplotlib resample the image.
    hair = 1e-3 / dots
    box = (margin + hair, foot + hair, across - 2 * hair, up - 2 * hair)
    axes = style.add_axes(figure, box, width, height)
    axes.set_axis_off()
    # Clipping would cut the last hairline of an SVG, whose size is in whole points.
    axes.imshow(grid, interpolation="none", aspect="auto", clip_on=False)
    style.save(figure, path)


def margin_of(texts: Sequence[str]) -> float:
    """Return the points to the left of a grid that its labels take."""
    return 7.0 + max(max(5.0 * min(4, len(t)), labels.width(t)) for t in texts)


def _whole(points, dots):
    """`points`, increased to a whole number of pixels."""
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
