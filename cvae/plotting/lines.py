"""Draw curves and bars: `.png` for screens, `.svg` for the report.

A plot is as wide as the report's line, or half as wide, so that two fit side by side.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, SMALL, VERMILLION
from cvae.plotting.style import hexadecimal as _hex

SETTLING = 0.12  # of a run's epochs may be below the axis, for the sake of the rest
HEIGHT = 150.0  # points of a plot of half the width


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
        raise CvaeError("no metrics to draw: train with `python scripts/train.py`")
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
    kl, active = np.asarray(kl)[order], (np.asarray(activity) > threshold)[order]
    rank = np.arange(1, len(kl) + 1)
    raster = style.is_raster(path)
    figure, axes = style.half_figure(note, HEIGHT, (34.0, 26.0, 180.0, HEIGHT - 30.0))
    # Room at the top, and at the right for the words.
    top = max(1.1 * kl[0], 1.4 * kl[len(kl) // 3], 0.1)
    least = 0.008 * top  # so that the smallest bars are visible
    for chosen, ink in ((active, BLUE), (~active, AXIS)):
        heights = np.maximum(kl[chosen], least)
        axes.bar(rank[chosen], heights, 0.72, color=_hex(ink), linewidth=0)
    axes.set_xlim(0.0, len(kl) + 1.0)
    axes.set_ylim(0.0, top)
    axes.set_xlabel("latent dimension, by rank")
    axes.set_ylabel("KL (nats)")
    style.quiet(axes)
    style.number_y(axes, raster)
    axes.xaxis.set_major_locator(_round_ticks(max(2, len(kl))))
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    lines = [
        (f"{kl.sum():.2f} nats in all", BLACK),
        (f"{active.sum()} active", BLUE),
        (f"{(~active).sum()} inactive (activity below {threshold:g})", AXIS),
    ]
    for number, (text, ink) in enumerate(lines if not active.all() else lines[:2]):
        corner = ((1.0, 1.0), (0.0, -number * LINE))
        style.label(axes, text, *corner, ink, "right", "top", xycoords="axes fraction")
    style.save(figure, path)


@style.applied()
def growth(
    path: Path,
    levels: List[Dict[str, Any]],
    bound: Dict[str, float],
    ais: Optional[Dict[str, float]] = None,
    note: str = "",
) -> None:
    """Draw how the importance-sampled estimates grow with the number of particles.

    The bands are the standard error over images. The numbers are the increases of
    log p(x|y) from one point to the next.

    Args:
        levels: "growth" of `evaluation.json`.
        bound: its "bound", the estimate with one particle.
        ais: log p(x|y) of the same images by annealed importance sampling, if known.

    Raises:
        CvaeError: the disk refuses.
    """
    raster = style.is_raster(path)
    box = (40.0, 26.0, 175.0, HEIGHT - 28.0)
    figure, axes = style.half_figure(note, HEIGHT, box)
    axes.set_xscale("log")
    particles = [level["particles"] for level in levels]
    own = [bound] + [level["log_likelihood"] for level in levels]
    marginal = [level["marginal"] for level in levels]
    _, high = _line(axes, [1] + particles, own, BLUE)
    low, _ = _line(axes, particles, marginal, VERMILLION)
    end = particles[-1]
    text = style.spelled(f"log p(x|y) {own[-1]['mean']:.2f}", raster)
    style.label(axes, text, (end, high), (3.0, 2.0), BLUE, "right", "bottom")
    text = style.spelled(f"log p(x) {marginal[-1]['mean']:.2f}", raster)
    style.label(axes, text, (end, low), (3.0, -2.0), VERMILLION, "right", "top")
    start = (1, bound["mean"] - bound["stderr"])
    style.label(axes, "bound", start, (-3.0, -2.0), BLUE, "left", "top", SMALL)
    for level, *middle in zip(levels[1:], *_middles(levels)):
        step = style.spelled(f"{level['gain']['mean']:+.2f}", raster)
        style.label(axes, step, middle, (6.0, -8.0), AXIS, "center", "top", SMALL)
    if ais:
        axes.axhline(ais["mean"], color=_hex(BLACK), linewidth=0.6, dashes=(2.5, 1.5))
        text = style.spelled(f"AIS {ais['mean']:.2f}", raster)
        style.label(axes, text, (1, ais["mean"]), (-3.0, 2.0), BLACK, "left", "bottom")
    low, high = axes.get_ylim()
    room = 1.2 * LINE / box[3] * (high - low)  # for the words
    axes.set_ylim(low - room, high + room)
    axes.set_xlabel("particles")
    axes.set_ylabel("nats per image")
    axes.yaxis.set_label_coords(-31.0 / box[2], 0.5)  # clear of the minus signs
    style.quiet(axes)
    style.number_y(axes, raster)
    _number_particles(axes, [1] + particles, box[2])
    style.save(figure, path)


def _line(axes, x, estimates, ink):
    """Draw means in a band of their standard errors; return the ends of the band."""
    mean, error = (np.array([e[k] for e in estimates]) for k in ("mean", "stderr"))
    low, high = mean - error, mean + error
    axes.fill_between(x, low, high, color=_hex(style.tint(ink, 0.2)), linewidth=0)
    axes.plot(x, mean, color=_hex(ink), linewidth=1.1, marker="o", markersize=2.6)
    return low.min(), high.max()


def _middles(levels):
    """x and y halfway between each two points of log p(x|y), on a log axis of x."""
    x = np.log([level["particles"] for level in levels])
    y = np.array([level["log_likelihood"]["mean"] for level in levels])
    return np.exp((x[1:] + x[:-1]) / 2), (y[1:] + y[:-1]) / 2


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
