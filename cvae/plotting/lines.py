"""Draw curves and bars: `.png` for screens, `.svg` for the report.

A plot is as wide as the report's line, or half as wide, so that two fit side by side.
"""

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, SMALL, VERMILLION
from cvae.plotting.style import hexadecimal as _hex
from cvae.storage.checkout import command

SETTLING = 0.12  # of a run's epochs may be below the axis, for the sake of the rest
HEIGHT = 150.0  # points of a plot of half the width
SHORT = 106.0  # points of a lower one

Line = Sequence[Tuple[float, float]]  # its points


@style.applied()
def curves(path: Path, metrics: List[Dict[str, Any]], note: str = "") -> None:
    """Draw the bound on the training and the held-out images against epochs.

    A second axis above shows the minutes of training.

    Args:
        metrics: the rows of `metrics.jsonl`.

    Raises:
        CvaeError: there are no rows, or the disk refuses.
    """
    if not metrics:
        raise CvaeError(f"no metrics to draw: train with `{command('train')}`")
    height, foot = 152.0, style.foot(note, style.WIDTH)
    figure = style.figure(style.WIDTH, height + foot)
    style.write_note(figure, note, style.WIDTH, height + foot)
    box = (44.0, foot + 28.0, style.WIDTH - 44.0 - 76.0, height - 28.0 - 30.0)
    axes = style.add_axes(figure, box, style.WIDTH, height + foot)
    style.quiet(axes)
    series = _series(metrics)
    low, high = _limits([points for _, points, _ in series])
    last_epoch = metrics[-1]["epoch"]
    axes.set_ylim(low, high)
    axes.set_xlim(0.0, 1.008 * last_epoch)
    axes.grid(axis="y", color=_hex(HAIRLINE), linewidth=0.5)
    axes.set_axisbelow(True)
    raster = style.is_raster(path)
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
    for (name, points, ink), at in zip(series, heights):
        text = style.spelled(f"{name} {points[-1][1]:.2f}", raster)
        style.label(axes, text, (last_epoch, at), (6, 0), ink, "left", "center")
    axes.xaxis.set_major_locator(_round_ticks(last_epoch))
    axes.set_xlabel("epochs")
    axes.set_ylabel("bound (nats per image)")
    axes.yaxis.set_label_coords(-34.0 / box[2], 0.5)  # clear of the minus signs
    axes.yaxis.set_major_formatter(lambda v, _: style.spelled(f"{v:g}", raster))
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    _time_axis(axes, metrics)
    style.save(figure, path)


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
    """Draw the axis of the training time above the epochs."""
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
    top.set_xticklabels([f"{tick:g}" for tick in ticks])
    top.set_xlabel(f"{unit} of training")
    top.tick_params(color=_hex(AXIS))


@style.applied()
def latent_kl(
    path: Path,
    kl: Sequence[float],
    activity: Sequence[float],
    threshold: float,
    note: str = "",
) -> None:
    """Draw the KL of each latent dimension in nats, sorted; inactive ones are grey.

    Args:
        kl: mean over images of KL(q(z_j | x, y) || p(z_j)), `[d]`.
        activity: the variance over images of the posterior mean, `[d]`.
        threshold: a dimension is active above this activity (Burda et al. 2016).

    Raises:
        CvaeError: the disk refuses.
    """
    order = np.argsort(-np.asarray(kl), kind="stable")
    ranked, active = np.asarray(kl)[order], (np.asarray(activity) > threshold)[order]
    rank = np.arange(1, len(ranked) + 1)
    raster = style.is_raster(path)
    figure, axes = style.half_figure(note, HEIGHT, (34.0, 26.0, 180.0, HEIGHT - 30.0))
    # Room at the top, and at the right for the words.
    top = max(1.1 * ranked[0], 1.4 * ranked[len(ranked) // 3], 0.1)
    least = 0.008 * top  # so that the smallest bars are visible
    for chosen, ink in ((active, BLUE), (~active, AXIS)):
        heights = np.maximum(ranked[chosen], least)
        axes.bar(rank[chosen], heights, 0.72, color=_hex(ink), linewidth=0)
    axes.set_xlim(0.0, len(ranked) + 1.0)
    axes.set_ylim(0.0, top)
    axes.set_xlabel("latent dimension, by rank")
    axes.set_ylabel("KL (nats)")
    style.quiet(axes)
    style.number_y(axes, raster)
    axes.xaxis.set_major_locator(_round_ticks(max(2, len(ranked))))
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    lines = [
        (f"{ranked.sum():.2f} nats in all", BLACK),
        (f"{active.sum()} active", BLUE),
        (f"{(~active).sum()} inactive (activity below {threshold:g})", AXIS),
    ]
    for number, (text, ink) in enumerate(lines if not active.all() else lines[:2]):
        corner = ((1.0, 1.0), (0.0, -number * LINE))
        style.label(axes, text, *corner, ink, "right", "top", xycoords="axes fraction")
    style.save(figure, path)


@style.applied()
def growth(path: Path, laplace: Line, encoder: Line, note: str = "") -> None:
    """Draw how estimates of log p(x|y) grow with the number of particles.

    The zero is the Laplace proposal's last estimate of the same images. The numbers
    are those of the points but for the zero.

    Args:
        laplace, encoder: (particles, nats from the zero) by each proposal. The
            encoder's begins with the bound, which is its mean with one particle.

    Raises:
        CvaeError: the disk refuses.
    """
    raster = style.is_raster(path)
    box = (36.0, 26.0, 179.0, SHORT - 30.0)
    figure, axes = style.half_figure(note, SHORT, box)
    axes.set_xscale("log")
    axes.axhline(0.0, color=_hex(BLACK), linewidth=0.6, dashes=(2.5, 1.5))
    for points, ink in ((encoder, VERMILLION), (laplace, BLUE)):
        look = {"linewidth": 1.1, "marker": "o", "markersize": 2.6}
        axes.plot(*zip(*points), color=_hex(ink), **look)
    for points, ink in ((encoder[1:], VERMILLION), (laplace[:-1], BLUE)):
        for particles, nats in points:
            text = style.spelled(f"{nats:.2f}", raster)
            is_last = particles == encoder[-1][0]
            to, side = ((7.0, -4.0), "right") if is_last else ((1.0, -3.0), "left")
            at = (particles, nats)
            style.label(axes, text, at, to, ink, side, "top", SMALL)
    text = style.spelled(f"bound {encoder[0][1]:.2f}", raster)
    style.label(axes, text, encoder[0], (6.0, 0.0), VERMILLION, "left", "center")
    for y, text, ink in ((1.0, "Laplace", BLUE), (0.0, "encoder", VERMILLION)):
        up = "top" if y else "bottom"
        corner = ((1.0, y), (0.0, 4.0 - 4.0 * y))
        style.label(axes, text, *corner, ink, "right", up, xycoords="axes fraction")
    text = f"zero: Laplace, {laplace[-1][0]:,} particles"
    corner = (encoder[0][0], 0.0), (-3.0, 2.0)
    style.label(axes, text, *corner, BLACK, "left", "bottom", SMALL)
    low, high = axes.get_ylim()
    room = 1.3 * LINE / box[3] * (high - low)  # for the words
    axes.set_ylim(low - room, high + room)
    axes.set_xlabel("particles")
    axes.set_ylabel("nats per image")
    axes.yaxis.set_label_coords(-28.0 / box[2], 0.5)  # clear of the minus signs
    style.quiet(axes)
    style.number_y(axes, raster)
    counts = sorted({particles for particles, _ in [*laplace, *encoder]})
    _number_particles(axes, counts, box[2])
    style.save(figure, path)


@style.applied()
def ess(path: Path, shares: Sequence[Tuple[str, np.ndarray]], note: str = "") -> None:
    """Draw histograms of the effective sample size, as a share of the particles.

    Args:
        shares: (name of the proposal, the shares of images, `[n]`), at most two.

    Raises:
        CvaeError: the disk refuses.
    """
    box = (30.0, 26.0, 183.0, SHORT - 30.0)
    figure, axes = style.half_figure(note, SHORT, box)
    least = min(values.min() for _, values in shares)
    decades = max(1, int(np.ceil(-np.log10(least))))
    edges = np.logspace(-decades, 0, 1 + max(20, 8 * decades))
    axes.set_xscale("log")
    highest = 0.0
    for row, ((name, values), ink) in enumerate(zip(shares, (BLUE, VERMILLION))):
        part = np.histogram(values, edges)[0] / len(values)
        highest = max(highest, 100.0 * part.max())
        steps = np.repeat(edges, 2)[1:-1], np.repeat(100.0 * part, 2)
        axes.fill_between(*steps, color=_hex(style.tint(ink, 0.3)), linewidth=0)
        axes.plot(*steps, color=_hex(ink), linewidth=0.8)
        text = f"{name}: median {style.rounded(100.0 * np.median(values), 1)} %"
        corner = ((0.0, 1.0), (4.0, 1.0 - row * LINE))
        style.label(axes, text, *corner, ink, "left", "top", xycoords="axes fraction")
    axes.set_xlim(edges[0], 1.0)
    up = (SHORT - 30.0) / (SHORT - 30.0 - LINE * len(shares))  # room for the words
    axes.set_ylim(0.0, up * highest)
    axes.set_xlabel("ESS in % of the particles")
    axes.set_ylabel("% of the images")
    axes.yaxis.set_label_coords(-20.0 / box[2], 0.5)
    style.quiet(axes)
    style.number_y(axes, style.is_raster(path))
    axes.tick_params(which="minor", color=_hex(AXIS))
    axes.xaxis.set_major_formatter(lambda v, _: f"{100.0 * v:.6g}")
    axes.xaxis.set_minor_formatter(lambda v, _: "")
    style.save(figure, path)


@style.applied()
def sandwich(
    path: Path,
    below: Dict[str, float],
    above: Dict[str, float],
    gap: Dict[str, float],
    note: str = "",
) -> None:
    """Draw two means, the grey gap between them, and the standard error of the gap.

    Args:
        below, above, gap: of "sandwich" in `evaluation.json`.

    Raises:
        CvaeError: the disk refuses.
    """
    raster = style.is_raster(path)
    height = 86.0
    box = (84.0, 26.0, 121.0, height - 42.0)
    figure, axes = style.half_figure(note, height, box)
    ends = [0.0, gap["mean"] - gap["stderr"], gap["mean"] + gap["stderr"]]
    width = max(ends) - min(ends) or 0.01
    axes.set_xlim(min(ends) - 0.2 * width, max(ends) + 0.2 * width)
    axes.set_ylim(1.6, -0.6)
    axes.axvspan(*sorted([0.0, gap["mean"]]), color=_hex(HAIRLINE), linewidth=0)
    axes.plot(ends[1:], [0, 0], color=_hex(VERMILLION), linewidth=1.1)
    rows = (
        (0, "from above", above, gap["mean"], VERMILLION),
        (1, "from below", below, 0.0, BLUE),
    )
    for row, name, estimate, at, ink in rows:
        axes.plot([at], [row], color=_hex(ink), marker="o", markersize=3.5)
        text = style.spelled(f"{name} {estimate['mean']:.2f}", raster)
        corner = ((0.0, 1.0 - (row + 0.6) / 2.2), (-4.0, 0.0))
        style.label(
            axes, text, *corner, ink, "right", "center", xycoords="axes fraction"
        )
    text = style.spelled(f"gap {gap['mean']:.3f}", raster)
    style.label(axes, text, (gap["mean"] / 2, -0.6), (0, 2), BLACK, "center", "bottom")
    axes.set_yticks([])
    axes.set_xlabel("nats above the lower estimate")
    style.quiet(axes)
    axes.spines["left"].set_visible(False)
    style.number_x(axes, raster)
    style.save(figure, path)


def _number_particles(axes, particles, width):
    """Draw ticks at the numbers of particles, except those too close to the next."""
    from matplotlib.ticker import FixedLocator, NullLocator

    low, high = np.log(axes.get_xlim())
    at = (np.log(particles) - low) / (high - low) * width  # points
    kept = [n for n, gap in zip(particles, np.diff(at)) if gap >= 22.0]
    axes.xaxis.set_major_locator(FixedLocator(kept + particles[-1:]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")


def _round_ticks(end):
    """A locator of at most eight round numbers, whole ones if `end` allows."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(8, steps=[1, 2, 5, 10], integer=end >= 2)
