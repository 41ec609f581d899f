"""Draw confusion matrices and latent spaces: `.png` for screens, `.svg` for print."""

from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

from cvae.plotting import style
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, SMALL, VERMILLION
from cvae.plotting.style import hexadecimal as _hex

SHOWN = 200  # images of a class in the latent space


@style.applied()
def confusion(path: Path, counts: np.ndarray, note: str = "") -> None:
    """Draw the classifier's confusion matrix: true classes down, predicted across.

    Errors are shaded by their number; the diagonal is not, and zeros are blank. The
    error rate of each class is at the right.

    Args:
        counts: whole numbers `[K, K]`.

    Raises:
        CvaeError: the disk refuses.
    """
    counts = np.asarray(counts)
    n = len(counts)
    cell = min(17.0, 170.0 / n)
    side = n * cell
    figure, axes = style.half_figure(note, side + 26.0, (22.0, 1.0, side, side))
    axes.set_xlim(0, n)
    axes.set_ylim(n, 0)
    axes.set_axis_off()
    for line in range(n + 1):
        for ends in (([0, n], [line, line]), ([line, line], [0, n])):
            axes.plot(*ends, color=_hex(HAIRLINE), linewidth=0.5, clip_on=False)
    errors = counts * (1 - np.eye(n, dtype=int))
    strength = errors / max(1, errors.max())
    size = min(SMALL, 0.5 * cell)
    for row, column in np.argwhere(counts):
        ink = _hex(style.tint(VERMILLION, strength[row, column]))
        across = [column + 0.03, column + 0.97]
        axes.fill_between(across, row + 0.03, row + 0.97, color=ink, linewidth=0)
        ink = AXIS if row == column else BLACK
        number = str(counts[row, column])
        style.middle(axes, number, column + 0.5, row + 0.5, ink, size)
    size = min(style.TEXT_SIZE, 0.8 * cell)
    right = n + 27.0 / cell
    for c in range(n):
        style.middle(axes, str(c), -0.4, c + 0.5, size=size)
        style.middle(axes, str(c), c + 0.5, -0.4, size=size)
        if counts[c].any():
            share = f"{_percent(errors[c].sum() / counts[c].sum())} %"
            style.middle(axes, share, right, c + 0.5, size=size, ha="right")
    style.middle(axes, "predicted", n / 2.0, -18.0 / cell)
    style.middle(axes, "true", -17.0 / cell, n / 2.0, rotation=90)
    style.middle(axes, "errors", right, -0.4, size=size, ha="right")
    style.save(figure, path)


@style.applied()
def latent_space(
    path: Path,
    points: np.ndarray,
    labels: np.ndarray,
    explained: Sequence[float],
    probe: Dict[str, Any],
    note: str = "",
) -> None:
    """Draw the 1st and 2nd principal components of z, with a panel for each class.

    The first `SHOWN` images of the class are blue, as is the ellipse of two standard
    deviations around the mean of all its images. The dashed ellipse is that of all
    classes.

    Args:
        points: `[n, 2]`.
        labels: `[n]`.
        explained: the components' shares of the variance.
        probe: what `latent.linear_probe` returned.

    Raises:
        CvaeError: the disk refuses.
    """
    classes = np.unique(labels)
    key = len(classes) if len(classes) % 4 < 3 else len(classes) + 1  # its panel
    down, width, height = 1 + key // 4, 51.0, 46.0
    figure, axes = style.half_figure(
        note, 13.0 + down * height, (14.0, 13.0, 4 * width, down * height)
    )
    axes.set_axis_off()
    axes.set_xlim(0.0, 4 * width)
    axes.set_ylim(-down * height, 0.0)
    clouds = {c: points[labels == c] for c in classes}
    seen = [cloud[:SHOWN] for cloud in clouds.values()] + [_ellipse(points)]
    seen += [_ellipse(cloud) for cloud in clouds.values()]
    unit = 0.47 * height / (max(np.abs(part).max() for part in seen) or 1.0)
    for number, c in enumerate(classes):
        corner = np.array([number % 4 * width, -(number // 4) * height])
        middle = corner + [0.54 * width, -0.5 * height]
        _panel(axes, middle, unit * clouds[c], unit * points)
        style.middle(axes, str(c), corner[0] + 4.0, corner[1] - 8.0)
    _key(axes, probe, key % 4 * width + 4.0, -(key // 4) * height)
    first, second = map(_percent, explained)
    across = f"1st component, {first} % of the variance"
    style.middle(axes, across, 2 * width, -down * height - 7.0)
    up = f"2nd, {second} %"
    style.middle(axes, up, -7.0, -down * height / 2.0, rotation=90)
    style.save(figure, path)


def _panel(axes, middle, own, everything):
    """Draw points and ellipse of one class, and the ellipse of all, around `middle`."""
    ink = _hex(style.tint(BLUE, 0.55))
    axes.scatter(*(middle + own[:SHOWN]).T, s=0.7, color=ink, linewidths=0)
    axes.plot(*(middle + _ellipse(own)).T, color=_hex(BLUE), linewidth=1.0)
    dashed = {"linewidth": 0.6, "dashes": (2.5, 1.5)}
    axes.plot(*(middle + _ellipse(everything)).T, color=_hex(BLACK), **dashed)


def _key(axes, probe, x, y):
    """Write what the lines are, and the accuracy of a linear classifier."""
    percent = {k: _percent(probe[k]) for k in ("accuracy", "low", "high", "chance")}
    style.middle(axes, "blue: the class", x, y - 8.0, BLUE, ha="left")
    style.middle(axes, "dashed: all", x + 53.0, y - 8.0, ha="left")
    lines = (
        "linear classifier of z:",
        f"{percent['accuracy']} % ({percent['low']} to {percent['high']})",
        f"chance: {percent['chance']} %",
    )
    for number, text in enumerate(lines, 1):
        style.middle(axes, text, x, y - 8.0 - number * LINE, ha="left")


def _percent(share):
    return style.rounded(100.0 * share, 1)


def _ellipse(cloud):
    """The path `[m, 2]` two standard deviations around the mean of `cloud` `[n, 2]`."""
    turn = np.linspace(0.0, 2.0 * np.pi, 73)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    variances, directions = np.linalg.eigh(np.cov(cloud.T, bias=True))
    radii = 2.0 * np.sqrt(np.maximum(variances, 0.0))
    return cloud.mean(0) + circle * radii @ directions.T
