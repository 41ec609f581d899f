"""Draw the curves of `time_to_bound.py`."""

from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, VERMILLION
from cvae.plotting.style import hexadecimal as _hex

HEIGHT = 190.0  # points
GREEN, PURPLE = (0, 158, 115), (204, 121, 167)  # Okabe & Ito's
INKS = (BLUE, GREEN, VERMILLION, BLACK, PURPLE)
FLOOR = -125.0  # nats; points below are left out if any point is above


@style.applied()
def draw(path, results):
    """Draw the bound of each row against seconds of training, on a log axis.

    Dots are where a bound of the table is reached.

    Raises:
        CvaeError: the disk refuses.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    box = (44.0, 28.0, style.WIDTH - 54.0, HEIGHT - 36.0)
    figure = style.figure(style.WIDTH, HEIGHT)
    axes = style.add_axes(figure, box, style.WIDTH, HEIGHT)
    style.quiet(axes)
    axes.set_xscale("log")
    axes.grid(axis="y", color=_hex(HAIRLINE), linewidth=0.5)
    axes.set_axisbelow(True)
    rows = results["rows"]
    measured = [row["points"] for row in rows if "not_measured" not in row]
    high = max([point["bound"] for points in measured for point in points], default=0.0)
    floor = FLOOR if high > FLOOR else -float("inf")
    for number, (row, ink) in enumerate(zip(rows, INKS)):
        style.label(
            axes,
            _words(row),
            (1.0, 0.0),
            (-2.0, 6.0 + LINE * (len(rows) - 1 - number)),
            AXIS if "not_measured" in row else ink,
            "right",
            "bottom",
            xycoords="axes fraction",
        )
        if "not_measured" not in row:
            _curve(axes, row, ink, floor)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("bound on test images (nats per image)")
    axes.yaxis.set_label_coords(-34.0 / box[2], 0.5)  # clear of the minus signs
    style.number_y(axes, True)
    style.save(figure, path)


def _curve(axes, row, ink, floor):
    points = [(point["seconds"], point["bound"]) for point in row["points"]]
    points = [point for point in points if point[1] >= floor]
    if not points:
        return
    axes.plot(*zip(*points), color=_hex(ink), linewidth=1.1)
    reached = [s for s in row["seconds_to"].values() if s is not None]
    dots = [point for point in points if point[0] in reached]
    if dots:
        axes.plot(*zip(*dots), color=_hex(ink), marker="o", markersize=2.6, ls="")


def _words(row):
    if "not_measured" in row:
        return row["name"] + ": not measured"
    return style.spelled(f"{row['name']}: {row['points'][-1]['bound']:.2f}", True)
