"""The common style of all figures: colours, sizes, fonts and files.

Sizes are in points, as in print. Text is set in Computer Modern, the report's font; in
an SVG it remains text, and typst has the font.
"""

import contextlib
import re
import textwrap
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from cvae.storage.files import AnyPath, whole_file

Figure = Any  # Matplotlib's, which is imported where it is used
Axes = Any
Color = Tuple[int, int, int]  # red, green and blue, 0 to 255
Point = Tuple[float, float]
Box = Tuple[float, float, float, float]  # left, bottom, width, height

# From the palette of Okabe & Ito, distinct for all common colour blindnesses.
BLACK = (0, 0, 0)
BLUE = (0, 114, 178)
VERMILLION = (213, 94, 0)
HAIRLINE = (226, 226, 226)
AXIS = (110, 110, 110)

TEXT_SIZE = 8.0  # points
SMALL = 6.5  # points of the numbers beneath images and in cells
LINE = 10.0  # points from one line of text to the next
WIDTH = 453.0  # points of the report's line, and of figures as wide as it
HALF = 221.0  # points of each of two figures that stand side by side

SETTINGS: Dict[str, Any] = {
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
def applied() -> Iterator[None]:
    """Use our style, whatever the user's matplotlibrc has."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]  # any names
        yield


def hexadecimal(color: Color) -> str:
    """Return `color` as Matplotlib reads it."""
    return "#" + "".join(f"{part:02x}" for part in color)


def tint(color: Color, strength: float) -> Color:
    """Return `color` at `strength` 0 (white) to 1."""
    red, green, blue = (int(round(255 + strength * (part - 255))) for part in color)
    return red, green, blue


def is_raster(path: AnyPath) -> bool:
    """Return whether the file at `path` is of pixels, not an SVG."""
    return Path(path).suffix != ".svg"


def spelled(text: str, raster: bool) -> str:
    """Return `text` with the minus, arrow and bar that cmr10 lacks, as mathtext.

    In an SVG, `save` inserts them.
    """
    if not raster:
        return text
    text = re.sub(r"(^|[\s(])-(?=\d)", "\\1$-$", text)
    return text.replace("->", r"$\rightarrow$").replace("|", "$|$")


def rounded(value: float, places: int) -> str:
    """Return `value` with `places` decimals and thousands separators, halves up."""
    scale = 10.0**places
    return (
        f"{np.copysign(np.floor(abs(value) * scale + 0.5) / scale, value):,.{places}f}"
    )


def figure(width: float, height: float, dpi: float = 216.0) -> Figure:
    """Return an empty figure of `width` by `height` points."""
    import matplotlib.figure

    size = (width / 72.0, height / 72.0)
    return matplotlib.figure.Figure(figsize=size, dpi=dpi, facecolor="white")


def add_axes(figure: Figure, box: Box, width: float, height: float) -> Axes:
    """Return axes in `box` of a figure of `width` by `height`, all in points."""
    left, bottom, across, up = box
    return figure.add_axes([left / width, bottom / height, across / width, up / height])


def write(
    figure: Figure,
    text: str,
    x: float,
    y: float,
    width: float,
    height: float,
    color: Color = BLACK,
    **align: Any,
) -> None:
    """Write `text` at `x`, `y` points from the lower left corner."""
    figure.text(x / width, y / height, text, color=hexadecimal(color), **align)


def foot(note: str, width: float) -> float:
    """Return the points that the note takes at the foot of a figure."""
    return LINE * len(_note_lines(note, width)) + (2.0 if note else 0.0)


def write_note(figure: Figure, note: str, width: float, height: float) -> None:
    """Print the note at the foot."""
    lines = _note_lines(note, width)
    for number, line in enumerate(lines, 1):
        y = (len(lines) - number) * LINE + 3.0
        write(figure, line, 2.0, y, width, height, VERMILLION, va="baseline")


def half_figure(note: str, height: float, box: Box) -> Tuple[Figure, Axes]:
    """Return figure and axes of half the width; `box` is that of the axes.

    The height of the note at the foot is added to `height`, in points.
    """
    return sized_figure(HALF, note, height, box)


def sized_figure(
    width: float, note: str, height: float, box: Box
) -> Tuple[Figure, Axes]:
    """Return the same, `width` points wide."""
    low = foot(note, width)
    empty = figure(width, height + low)
    write_note(empty, note, width, height + low)
    left, bottom, across, up = box
    return empty, add_axes(empty, (left, low + bottom, across, up), width, height + low)


def quiet(axes: Axes) -> None:
    """Make the axes grey, and remove those at the right and at the top."""
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(hexadecimal(AXIS))
    axes.tick_params(color=hexadecimal(AXIS))


def number_y(axes: Axes, raster: bool) -> None:
    """Put round numbers on the y axis, with as many decimals as they need."""
    _number(axes.yaxis, 6, raster)


def number_x(axes: Axes, raster: bool) -> None:
    """Put round numbers on the x axis, with as many decimals as they need."""
    _number(axes.xaxis, 4, raster)


def _number(axis, most, raster):
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    ticks = axis.get_ticklocs()
    places = max(0, int(np.ceil(-np.log10(ticks[1] - ticks[0]) - 1e-9)))
    form = f".{places}f" if places < 4 else "g"
    axis.set_major_formatter(lambda v, _: spelled(f"{v:{form}}", raster))


def label(
    axes: Axes,
    text: str,
    at: Point,
    offset: Point,
    ink: Color,
    ha: str,
    va: str,
    size: float = TEXT_SIZE,
    xycoords: str = "data",
) -> None:
    """Write `text` at `offset` points from `at`, also outside of the axes."""
    axes.annotate(
        text,
        at,
        xytext=offset,
        xycoords=xycoords,
        textcoords="offset points",
        color=hexadecimal(ink),
        ha=ha,
        va=va,
        size=size,
        annotation_clip=False,
    )


def middle(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    ink: Color = BLACK,
    size: float = TEXT_SIZE,
    ha: str = "center",
    rotation: float = 0,
    **others: Any,
) -> None:
    """Write `text` with its middle line at (`x`, `y`), in the units of `axes`.

    `others` are further settings of Matplotlib's texts.
    """
    look = {"color": hexadecimal(ink), "size": size, "rotation": rotation}
    look.update({"ha": ha, "va": "center"}, **others)
    axes.text(x, y, text, **look)


def save(figure: Figure, path: AnyPath) -> None:
    """Write `figure` to `path` in the format of its suffix; the bytes are reproducible.

    Raises:
        CvaeError: the disk refuses.
    """
    path = Path(path)
    svg = not is_raster(path)
    metadata = {"Date": None} if svg else {"Software": "cvae"}
    with whole_file(path) as scratch:
        figure.savefig(str(scratch), dpi=figure.dpi, metadata=metadata)
        if svg:
            text = scratch.read_text(encoding="utf-8")
            scratch.write_text(_for_typst(text), encoding="utf-8")


def _note_lines(note, width):
    return textwrap.wrap(note, max(10, int(width / (0.47 * TEXT_SIZE))))


def _for_typst(svg):
    """Name the report's font, and insert the signs that cmr10 lacks."""
    svg = re.sub(r"(<text[^>]*)cmr10", r"\1New Computer Modern", svg)
    return re.sub(
        r"(<text[^>]*>)([^<]*)",
        lambda m: m.group(1) + _signs(m.group(2)),
        svg,
    )


def _signs(text):
    text = text.replace("-&gt;", "\u2192")
    return re.sub(r"(^|[\s(])-(?=\d)", "\\1\u2212", text)
