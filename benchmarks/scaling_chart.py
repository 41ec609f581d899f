"""Draw the chart of `scaling.py`: time above, memory below, a column for each axis."""

import numpy as np

from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, SMALL, VERMILLION
from cvae.plotting.style import hexadecimal as _hex

LEFT, BOTTOM = 43.0, 28.0  # points, for numbers and words
WIDE, HIGH, GAP = 71.5, 84.0, 10.0  # points, of a panel
KEY = (
    ("dots: measured; ring: from here on time follows the operations", BLACK),
    ("dashed above: only the matrix products, at the best rate of all points", AXIS),
    ("dashed below: TensorFlow imported, and the count of what is needed", AXIS),
    ("numbers: slopes of time and own memory over the upper half (operations)", BLACK),
)


@style.applied()
def draw(path, axes):
    """Draw the `axes` of the results on log scales; dashed is the least possible.

    Raises:
        CvaeError: the disk refuses.
    """
    height = BOTTOM + 2 * HIGH + GAP + LINE * (len(KEY) + 0.8)
    figure = style.figure(style.WIDTH, height)
    for number, (text, ink) in enumerate(KEY, 1):
        y = height - number * LINE
        style.write(figure, text, LEFT, y, style.WIDTH, height, ink, va="baseline")
    top = (r"$\mu$s per image", BLUE, _times(axes), ("time", "operations"))
    below = ("peak memory (MB)", VERMILLION, _memories(axes), ("memory", "work"))
    for up, (label, ink, curves, slopes) in enumerate((below, top)):
        low, high = (f(np.concatenate(curves, 1)) for f in (np.min, np.max))
        room = (high / low) ** 0.18  # for the numbers
        for column, (axis, curve) in enumerate(zip(axes, curves)):
            corner = LEFT + column * (WIDE + GAP), BOTTOM + up * (HIGH + GAP)
            panel = style.add_axes(figure, corner + (WIDE, HIGH), style.WIDTH, height)
            _panel(panel, axis, curve, ink, axis["bend"] if up else None)
            panel.set_ylim(low / 1.2, high * room)
            measured, counted = (axis["slopes"][name] for name in slopes)
            text = f"{measured:.2f} ({counted:.2f})"
            text, corner = style.spelled(text, True), ((1.0, 1.0), (0.0, -2.0))
            where = {"xycoords": "axes fraction", "size": SMALL}
            style.label(panel, text, *corner, ink, "right", "top", **where)
            _name(panel, label if column == 0 else "", "" if up else axis["name"])
    style.save(figure, path)


def _times(axes):
    """Return microseconds an image of each axis, measured and at the best rate."""
    best = max(row["gflops"] for axis in axes for row in axis["rows"])
    return [
        np.array(
            [
                (row["seconds_per_image"]["median"], row["flop_per_image"] / best / 1e9)
                for row in axis["rows"]
            ]
        ).T
        * 1e6
        for axis in axes
    ]


def _memories(axes):
    """Return megabytes of each axis, at the peak and needed, `[2, n]`."""
    return [
        np.array(
            [
                (
                    row["peak_bytes"],
                    row["peak_bytes"] - row["own_bytes"] + row["needed_bytes"],
                )
                for row in axis["rows"]
            ]
        ).T
        / 1e6
        for axis in axes
    ]


def _panel(panel, axis, curve, ink, bend):
    values = [row["value"] for row in axis["rows"]]
    measured, least = curve
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.grid(axis="y", color=_hex(HAIRLINE), linewidth=0.5)
    panel.set_axisbelow(True)
    panel.plot(values, least, color=_hex(AXIS), linewidth=0.6, dashes=(3.0, 2.0))
    panel.plot(
        values, measured, color=_hex(ink), linewidth=1.1, marker="o", markersize=2.6
    )
    if bend is not None:
        at = [bend], [measured[values.index(bend)]]
        look = {"markerfacecolor": "none", "markeredgecolor": _hex(BLACK)}
        panel.plot(*at, marker="o", markersize=6.5, markeredgewidth=0.7, **look)
    style.quiet(panel)
    panel.set_xticks([values[0], values[-1]])


def _name(panel, y_label, x_label):
    """Write words and numbers only at the left column and the bottom row."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    number = FuncFormatter(lambda value, _: f"{value:,.0f}")
    low, high = panel.get_ylim()
    panel.yaxis.set_major_locator(
        LogLocator(subs=[1] if high > 100 * low else [1, 2, 5])
    )
    for axis, label in ((panel.xaxis, x_label), (panel.yaxis, y_label)):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(number if label else NullFormatter())
        axis.set_label_text(label)
    panel.tick_params(axis="x", labelsize=SMALL)
