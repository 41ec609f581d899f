"""Arrays in, figure files out: `.png` for screens, `.svg` for the report.

Sizes are in points, as they appear in print. Text is set in Computer Modern, which the
report uses as well; there it stays text, and typst brings the font.
"""

import contextlib
import re
import textwrap
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np

from cvae.errors import CvaeError
from cvae.files import whole_file

# Okabe & Ito's palette: told apart under every common colour blindness.
BLACK = (0, 0, 0)
BLUE = (0, 114, 178)
VERMILLION = (213, 94, 0)
HAIRLINE = (226, 226, 226)
AXIS = (110, 110, 110)

CELL = 20.0  # points from one image to the next
PAIR_GAP = 4.0  # points more between pairs of original and reconstruction
CELL_PIXELS = 84  # of an image's side, about, when it is drawn
FRAME = 2  # pixels of the hairline between two images
TEXT_SIZE = 8.0  # points
LINE = 10.0  # points from one line of text to the next
MIN_WIDTH = 160.0  # points, so that a note can be read beneath a single image
SETTLING = 0.12  # of a run's epochs may fall off its curves, so that the rest shows
WIDTH = 453.0  # points of the report's line, and of figures as wide as it

STYLE = {
    "font.family": "cmr10",
    "font.size": TEXT_SIZE,
    "axes.unicode_minus": False,
    "axes.formatter.use_mathtext": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "cvae",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
}


@contextlib.contextmanager
def _style():
    """Hold to our style, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


@_style()
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
    images = np.asarray(images)
    cells = _inked(_square(images), BLACK)
    left = np.arange(images.shape[1]) * CELL
    _draw_grid(path, cells, left, row_labels, note, [(title, BLACK)] if title else [])


@_style()
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
    black = _inked(_square(np.asarray(originals)), BLACK)
    blue = _inked(_square(np.asarray(reconstructions)), BLUE)
    rows, n = black.shape[:2]
    cells = np.stack([black, blue], 2).reshape((rows, 2 * n) + black.shape[2:])
    column = np.arange(2 * n)
    left = column * CELL + column // 2 * PAIR_GAP
    key = [("left: original", BLACK), ("right: reconstruction", BLUE)]
    _draw_grid(path, cells, left, row_labels, note, key)


@_style()
def curves(path: Path, metrics: List[Dict[str, Any]], note: str = "") -> None:
    """Draw the bound on the training and the held-out images against epochs.

    `metrics` are the rows of `metrics.jsonl`; the axis of minutes above is theirs, too.

    Raises:
        CvaeError: there are no rows, or the disk refuses.
    """
    if not metrics:
        raise CvaeError("no metrics to draw: train with `python scripts/train.py`")
    height, foot = 152.0, _foot(note, WIDTH)
    figure = _figure(WIDTH, height + foot)
    _write_note(figure, note, WIDTH, height + foot)
    box = (44.0, foot + 28.0, WIDTH - 44.0 - 76.0, height - 28.0 - 30.0)
    axes = _axes(figure, box, WIDTH, height + foot)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_hex(AXIS))

    series = _series(metrics)
    low, high = _limits([points for _, points, _ in series])
    last_epoch = metrics[-1]["epoch"]
    axes.set_ylim(low, high)
    axes.set_xlim(0.0, 1.008 * last_epoch)
    axes.grid(axis="y", color=_hex(HAIRLINE), linewidth=0.5)
    axes.set_axisbelow(True)
    raster = Path(path).suffix != ".svg"
    for name, points, color in series:
        axes.plot(
            *zip(*points),
            color=_hex(color),
            linewidth=1.1,
            marker="o" if name != "training" or len(points) == 1 else "",
            markersize=2.6,
        )
    ends = [points[-1][1] for _, points, _ in series]
    heights = _spread(ends, LINE * (high - low) / box[3], low, high)
    for (name, points, color), at in zip(series, heights):
        axes.annotate(
            "{} {}".format(name, _number(points[-1][1], "{:.2f}", raster)),
            (last_epoch, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=_hex(color),
            annotation_clip=False,
        )
    axes.xaxis.set_major_locator(_round_ticks(last_epoch))
    axes.set_xlabel("epochs")
    axes.set_ylabel("bound (nats per image)")
    axes.yaxis.set_label_coords(-34.0 / box[2], 0.5)  # clear of the minus signs
    axes.yaxis.set_major_formatter(lambda v, _: _number(v, "{:g}", raster))
    axes.xaxis.set_major_formatter(lambda v, _: "{:g}".format(v))
    axes.tick_params(color=_hex(AXIS))
    _time_axis(axes, metrics)
    _save(figure, path)


def _series(metrics):
    """The curves: (name, [(epoch, bound), …], colour)."""
    kinds = [
        ("training", "train_bound", BLUE),
        ("test", "test_bound", VERMILLION),
        ("validation", "validation_bound", VERMILLION),
    ]
    found = []
    for name, key, color in kinds:
        points = [(row["epoch"], row[key]) for row in metrics if key in row]
        if points:
            found.append((name, points, color))
    return found


def _limits(series):
    """Limits of the bound's axis that hold all but the start of a run."""
    last_epoch = max(points[-1][0] for points in series)
    start = SETTLING * last_epoch
    settled = [v for points in series for epoch, v in points if epoch >= start]
    low = min(settled)
    high = max(v for points in series for _, v in points)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _spread(values, distance, low, high):
    """`values` moved as little as it takes to be `distance` apart, in `[low, high]`."""
    order = np.argsort(values)
    placed = np.array(values, float)
    for below, above in zip(order, order[1:]):
        lack = distance - (placed[above] - placed[below])
        if lack > 0:
            placed[below] -= lack / 2
            placed[above] += lack / 2
    return placed - max(0.0, placed.max() - high) + max(0.0, low - placed.min())


def _time_axis(axes, metrics):
    """Put the wall-clock time of training above the epochs."""
    seconds = [0.0] + [row["seconds"] for row in metrics]
    epochs = [0.0] + [row["epoch"] for row in metrics]
    unit, size = ("minutes", 60.0) if seconds[-1] >= 120 else ("seconds", 1.0)
    top = axes.twiny()
    for side in ("right", "left", "bottom"):
        top.spines[side].set_visible(False)
    top.spines["top"].set_color(_hex(AXIS))
    top.set_xlim(axes.get_xlim())
    end = seconds[-1] / size
    ticks = [t for t in _round_ticks(end).tick_values(0.0, end) if 0 <= t <= end]
    top.set_xticks(np.interp(np.multiply(ticks, size), seconds, epochs))
    top.set_xticklabels(["{:g}".format(tick) for tick in ticks])
    top.set_xlabel("{} of training".format(unit))
    top.tick_params(color=_hex(AXIS))


def _round_ticks(end):
    """A locator of at most eight round numbers, whole ones if `end` allows."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(8, steps=[1, 2, 5, 10], integer=end >= 2)


def _number(value, form, raster):
    """`value` as text with a true minus, which only mathtext has in a raster."""
    text = form.format(value)
    return text.replace("-", "$-$") if raster else text


def _square(images):
    """`[rows, columns, x_dim]` as `[rows, columns, side, side]`."""
    side = int(round(images.shape[-1] ** 0.5))
    if side * side != images.shape[-1]:
        raise CvaeError(
            "images of {} pixels are not square and cannot be drawn".format(
                images.shape[-1]
            )
        )
    return images.reshape(images.shape[:2] + (side, side))


def _inked(images, ink):
    """Grey values 0 to 1 as RGB, uint8: 0 is white paper, 1 is `ink`."""
    shade = np.clip(images, 0.0, 1.0)[..., None]
    return np.uint8(np.rint(255.0 + shade * (np.array(ink) - 255.0)))


def _draw_grid(path, cells, left, row_labels, note, heading):
    """Draw RGB `cells` `[rows, columns, side, side, 3]`, columns `left` points in."""
    rows, _, side = cells.shape[:3]
    scale = max(1, CELL_PIXELS // side)
    pitch = side * scale + FRAME
    dots = pitch / CELL  # pixels a point, so that all pixels fall on the figure's
    labels = [str(label) for label in row_labels]
    grid = _mosaic(cells, np.rint(left * dots).astype(int), scale, pitch)
    across, up = grid.shape[1] / dots, grid.shape[0] / dots
    margin = _whole(7.0 + 5.0 * max(len(label) for label in labels), dots)
    width = _whole(max(margin + across + 1.0, MIN_WIDTH if note else 0.0), dots)
    foot = _whole(_foot(note, width) + 2.0, dots)
    top = foot + up
    height = _whole(top + (LINE + 3.0 if heading else 2.0), dots)

    figure = _figure(width, height, 72.0 * dots)
    _write_note(figure, note, width, height)
    at = margin
    for text, color in heading:
        _write(figure, text, at, height - 1.0, width, height, color, va="top")
        at += 3.8 * len(text) + 10.0
    for row, label in enumerate(labels):
        y = top - (row + 0.5) * CELL
        _write(figure, label, margin - 4.0, y, width, height, va="center", ha="right")
    # A hair inside its pixels, lest rounding adds one and matplotlib resamples.
    hair = 1e-3 / dots
    box = (margin + hair, foot + hair, across - 2 * hair, up - 2 * hair)
    axes = _axes(figure, box, width, height)
    axes.set_axis_off()
    axes.imshow(grid, interpolation="none", aspect="auto")
    _save(figure, path)


def _whole(points, dots):
    """`points`, and what is missing to a whole number of pixels."""
    return np.ceil(points * dots) / dots


def _mosaic(cells, left, scale, pitch):
    """One RGB image of all cells, each pixel `scale` wide, each cell in a hairline."""
    rows, columns, side = cells.shape[:3]
    size = side * scale
    shape = (rows * pitch + FRAME, left[-1] + pitch + FRAME, 3)
    grid = np.full(shape, 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            y, x = row * pitch, left[column]
            grid[y : y + pitch + FRAME, x : x + pitch + FRAME] = HAIRLINE
            cell = cells[row, column].repeat(scale, 0).repeat(scale, 1)
            y, x = y + FRAME, x + FRAME
            grid[y : y + size, x : x + size] = cell
    return grid


def _figure(width, height, dpi=216.0):
    """An empty figure of `width` by `height` points."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72.0, height / 72.0), dpi=dpi, facecolor="white")


def _axes(figure, box, width, height):
    left, bottom, across, up = box
    return figure.add_axes([left / width, bottom / height, across / width, up / height])


def _write(figure, text, x, y, width, height, color=BLACK, **align):
    figure.text(x / width, y / height, text, color=_hex(color), **align)


def _note_lines(note, width):
    return textwrap.wrap(note, max(10, int(width / (0.47 * TEXT_SIZE))))


def _foot(note, width):
    """Points that the note takes at the foot of a figure."""
    return LINE * len(_note_lines(note, width)) + (2.0 if note else 0.0)


def _write_note(figure, note, width, height):
    lines = _note_lines(note, width)
    for number, line in enumerate(lines, 1):
        y = (len(lines) - number) * LINE + 3.0
        _write(figure, line, 2.0, y, width, height, VERMILLION, va="baseline")


def _hex(color):
    return "#{:02x}{:02x}{:02x}".format(*color)


def _save(figure, path):
    """Write `figure` to `path` in the format of its suffix; same figure, same bytes."""
    path = Path(path)
    svg = path.suffix == ".svg"
    metadata = {"Date": None} if svg else {"Software": "cvae"}
    with whole_file(path) as scratch:
        figure.savefig(str(scratch), dpi=figure.dpi, metadata=metadata)
        if svg:
            text = scratch.read_text(encoding="utf-8")
            scratch.write_text(_for_typst(text), encoding="utf-8")


def _for_typst(svg):
    """Name the report's font, and give numbers the minus that cmr10 does not have."""
    svg = svg.replace("cmr10", "New Computer Modern")
    return re.sub(
        r"(<text[^>]*>)([^<]*)",
        lambda m: m.group(1) + re.sub(r"(^|\s)-(?=\d)", "\\1\u2212", m.group(2)),
        svg,
    )
