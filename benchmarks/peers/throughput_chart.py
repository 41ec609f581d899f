"""Draw the bars of `throughput.py`."""

import numpy as np

from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, SMALL
from cvae.plotting.style import hexadecimal as _hex

ROW, HEAD, FOOT = 12.0, 20.0, 28.0  # points
LEFT, RIGHT = 172.0, 44.0  # points of the names, and of the numbers


@style.applied()
def draw(path, results):
    """Draw images/s of each row, a panel for each batch size; whiskers are quartiles.

    This trainer is blue, its peers are grey, and only the matrix products are white.

    Raises:
        CvaeError: the disk refuses.
    """
    panels = results["batches"]
    heights = [HEAD + ROW * len(batch["rows"]) for batch in panels]
    height = sum(heights) + FOOT
    figure = style.figure(style.WIDTH, height)
    high = 1.02 * max(_high(row) for batch in panels for row in batch["rows"]) or 1.0
    top = height
    for batch, tall in zip(panels, heights):
        box = (LEFT, top - tall, style.WIDTH - LEFT - RIGHT, tall - HEAD)
        axes = style.add_axes(figure, box, style.WIDTH, height)
        axes.set_xlim(0.0, high)
        _panel(axes, batch["rows"])
        title = f"batches of {batch['batch_size']:,}"
        style.write(figure, title, LEFT, top - 12.0, style.WIDTH, height)
        top -= tall
        if batch is not panels[-1]:
            axes.set_xticklabels([])
    axes.set_xlabel("images per second")
    style.save(figure, path)


def _panel(axes, rows):
    style.quiet(axes)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([row["name"] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
    axes.grid(axis="x", color=_hex(HAIRLINE), linewidth=0.5)
    axes.set_axisbelow(True)
    for at, row in enumerate(rows):
        if "not_measured" in row:
            style.label(axes, "not measured", (0, at), (3, 0), AXIS, "left", "center")
            continue
        rate = row["images_per_second"]
        face, edge = _inks(row)
        look = {"color": _hex(face), "edgecolor": _hex(edge), "linewidth": 0.6}
        axes.barh(at, rate["median"], 0.66, **look)
        whisker = np.array([rate["low"], rate["high"]])
        axes.plot(whisker, [at, at], color=_hex(BLACK), linewidth=1.0)
        for end in whisker:
            axes.plot(
                [end, end], [at - 0.2, at + 0.2], color=_hex(BLACK), linewidth=0.6
            )
        number = f"{rate['median']:,.0f}"
        end = (max(rate["high"], rate["median"]), at)
        style.label(axes, number, end, (4, 0), BLACK, "left", "center", SMALL)


def _inks(row):
    """Return the colours of face and edge of a bar."""
    if "gflops" in row:
        return (255, 255, 255), AXIS
    if row["name"].startswith("this trainer"):
        return BLUE, BLUE
    return style.tint(AXIS, 0.55), style.tint(AXIS, 0.55)


def _high(row):
    return row["images_per_second"]["high"] if "images_per_second" in row else 0.0
