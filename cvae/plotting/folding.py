"""Where many classes continue: the rows of a grid in blocks side by side."""

import math
from typing import Any, List, NamedTuple, Sequence

from cvae.plotting.labels import fitted
from cvae.plotting.sheet import CELL, margin_of

BETWEEN = 6.0  # points between two blocks, beside the labels
ROWS = 10  # classes in a grid that is not folded, at most
FEWEST = 4  # units in a row of a block, if there are so many
MOST_BLOCKS = 6
ROOM = 54.0  # points, at most, of a label at the side
LONGEST = 20  # rows of a grid on a screen


class Area(NamedTuple):
    """What a grid may take, in points."""

    width: float
    height: float
    cells: Sequence[float] = (CELL, 16.0, 14.0, 12.0)  # from one image to the next


HALF_PAGE = Area(266.0, 300.0)  # beside another; printed a bit smaller if it is wider
PAGE = Area(506.0, 300.0)
SCREEN = Area(float("inf"), LONGEST * CELL, (CELL,))


class Fold(NamedTuple):
    """How the rows of a grid are folded; lengths are in points."""

    blocks: int
    rows: int  # of a block
    columns: int  # of a block
    cell: float
    pitch: float  # from one block to the next
    labels: List[str]  # of all rows
    together: int  # columns without a gap between them
    gap: float


def fold(
    row_labels: Sequence[Any], n: int, area: Area, together: int = 1, gap: float = 0.0
) -> Fold:
    """Return how rows of `n` units fit into `area`, the images as large as possible.

    Args:
        together: images of a unit.
        gap: points after a unit.
    """
    tried = []
    for cell in area.cells:
        fewest = math.ceil(len(row_labels) * cell / area.height)
        for blocks in range(fewest, max(fewest, MOST_BLOCKS) + 1):
            share = area.width / blocks - (BETWEEN if blocks > 1 else 0.0)
            texts = fitted(row_labels, min(ROOM, 0.22 * share))
            margin, unit = margin_of(texts), together * cell + gap
            columns = int(max(1, min(n, (share - margin) / unit)))
            pitch = margin + columns * unit + BETWEEN
            rows = math.ceil(len(row_labels) / blocks)
            blocks = math.ceil(len(row_labels) / rows)
            tried.append(
                Fold(
                    blocks, rows, columns * together, cell, pitch, texts, together, gap
                )
            )
            if margin + columns * unit <= share and columns >= min(n, FEWEST):
                return tried[-1]
    return tried[-1]
