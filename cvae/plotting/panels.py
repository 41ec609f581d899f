"""Draw confusion matrices and latent spaces: `.png` for screens, `.svg` for print."""

from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

from cvae.plotting import style
from cvae.plotting.labels import ARROW, Label, fitted, literal, look
from cvae.plotting.labels import width as measured
from cvae.plotting.style import AXIS, BLACK, BLUE, HAIRLINE, LINE, SMALL, VERMILLION
from cvae.plotting.style import hexadecimal as _hex

SHOWN = 200  # images of a class in the latent space
SHORT = 9.0  # points of a label that needs no room of its own

# Of the confusion matrix:
BESIDE = 12  # classes, at most, where it stands beside another figure
COUNTED = 26  # classes, at most, where its cells have numbers
HIGHEST = 340.0  # points of its side: mistakes have to fit beneath it on a page
NAME = 50.0  # points of a name, at most; for more classes 30
LISTED = 20  # of the most frequent errors
LIST = 105.0  # points of their list


def is_wide(n_classes: int) -> bool:
    """Return whether the confusion matrix takes the whole width of a page."""
    return n_classes > BESIDE


def is_counted(n_classes: int) -> bool:
    """Return whether its cells have numbers, and its rows the rates of errors."""
    return n_classes <= COUNTED


@style.applied()
def confusion(
    path: Path, counts: np.ndarray, note: str = "", names: Sequence[str] = ()
) -> None:
    """Draw the classifier's confusion matrix: true classes down, predicted across.

    Errors are shaded by their number; the diagonal is not, and zeros are blank. The
    error rate of each class is at the right. Where there are too many classes for
    numbers in cells, the most frequent errors are listed there instead.

    Args:
        counts: whole numbers `[K, K]`.
        names: of the classes; without any, they are numbered.

    Raises:
        CvaeError: the disk refuses.
    """
    counts = np.asarray(counts)
    n = len(counts)
    classes = _labels(range(n), names)
    size = min(style.TEXT_SIZE, 300.0 / n)  # of the labels
    texts = fitted(classes, NAME if is_counted(n) else 0.6 * NAME, size)
    longest = max(measured(text, size) for text in texts)
    extra = max(0.0, longest - SHORT)  # points for long labels, beside and above
    right = 27.0 if is_counted(n) else LIST
    full = style.WIDTH if is_wide(n) else style.HALF
    cell = min(17.0, HIGHEST / n, (full - 24.0 - right - extra) / n)
    side = n * cell
    left = 22.0 + extra
    if is_wide(n):
        left += max(0.0, 0.5 * (full - 2.0 - left - side - right))
    up = side + 26.0 + extra
    figure, axes = style.sized_figure(full, note, up, (left, 1.0, side, side))
    axes.set_xlim(0, n)
    axes.set_ylim(n, 0)
    axes.set_axis_off()
    for line in range(n + 1):
        for ends in (([0, n], [line, line]), ([line, line], [0, n])):
            axes.plot(*ends, color=_hex(HAIRLINE), linewidth=0.5, clip_on=False)
    errors = counts * (1 - np.eye(n, dtype=int))
    _cells(axes, counts, errors, cell)
    shares = [""] * n
    if is_counted(n):
        totals = counts.sum(1)
        shares = [
            f"{_percent(errors[c].sum() / totals[c])} %" if totals[c] else ""
            for c in range(n)
        ]
    _sides(axes, texts, shares, cell, size)
    style.middle(axes, "predicted", n / 2.0, -(18.0 + extra) / cell)
    style.middle(axes, "true", -(17.0 + extra) / cell, n / 2.0, rotation=90)
    if is_counted(n):
        style.middle(axes, "errors", n + 27.0 / cell, -0.4, size=size, ha="right")
    else:
        _list(axes, errors, classes, cell, style.is_raster(path))
    style.save(figure, path)


def _cells(axes, counts, errors, cell):
    """Shade the cells, and write their numbers if there are few classes."""
    strength = errors / max(1, errors.max())
    if not is_counted(len(counts)):
        strength = np.sqrt(strength)  # without numbers, single errors are to be seen
    size = min(SMALL, 0.5 * cell, 1.9 * cell / len(str(counts.max())))
    for row, column in np.argwhere(counts):
        ink = _hex(style.tint(VERMILLION, strength[row, column]))
        across = [column + 0.03, column + 0.97]
        axes.fill_between(across, row + 0.03, row + 0.97, color=ink, linewidth=0)
        if not is_counted(len(counts)):
            continue
        ink = AXIS if row == column else BLACK
        number = str(counts[row, column])
        style.middle(axes, number, column + 0.5, row + 0.5, ink, size)


def _sides(axes, texts, shares, cell, size):
    """Write the classes beside and above the matrix, and shares of errors at right."""
    longest = max(measured(text, size) for text in texts)
    beside, above = (-0.4, {}), (-0.4, {})
    if longest > SHORT:
        beside = -3.0 / cell, {"ha": "right"}
    if longest > min(SHORT, cell):
        above = -2.0 / cell, {"rotation": 90, "va": "bottom"}
    for c, (text, share) in enumerate(zip(texts, shares)):
        for (x, y), others in (
            ((beside[0], c + 0.5), beside[1]),
            ((c + 0.5, above[0]), above[1]),
        ):
            others = dict(others, **look(text))
            style.middle(axes, literal(text), x, y, size=size, **others)
        if share:
            right = len(texts) + 27.0 / cell
            style.middle(axes, share, right, c + 0.5, size=size, ha="right")


def _list(axes, errors, classes, cell, raster):
    """List the most frequent errors to the right of the matrix."""
    n = len(errors)
    line = (LINE - 1.0) / cell
    most = min(LISTED, int(n / line) - 1)
    order = np.argsort(-errors.ravel(), kind="stable")[:most]
    pairs = [divmod(int(place), n) for place in order if errors.ravel()[place]]
    texts = fitted(classes, 0.33 * LIST, SMALL)
    style.middle(axes, "most frequent errors", n + 8.0 / cell, 0.5 * line, ha="left")
    for number, (true, predicted) in enumerate(pairs, 1):
        pair = texts[true] + texts[predicted]
        text = f"{texts[true]} {ARROW} {texts[predicted]}: {errors[true, predicted]:,}"
        text = style.spelled(literal(text), raster)
        at = n + 8.0 / cell, (number + 0.5) * line
        style.middle(axes, text, *at, size=SMALL, ha="left", **look(pair))


def _labels(numbers, names):
    return [Label(int(c), names[c] if len(names) else str(c)) for c in numbers]


@style.applied()
def latent_space(
    path: Path,
    points: np.ndarray,
    labels: np.ndarray,
    explained: np.ndarray,
    probe: Dict[str, Any],
    note: str = "",
    names: Sequence[str] = (),
) -> None:
    """Draw the 1st and 2nd principal components of z, with a panel for each class.

    The first `SHOWN` images of the class are blue, as is the ellipse of two standard
    deviations around the mean of all its images. The dashed ellipse is that of all
    classes.

    Args:
        points: `[n, 2]`.
        labels: `[n]`.
        explained: the components' shares of the variance, `[2]`.
        probe: what `latent.linear_probe` returned.
        names: of all classes; without any, they are numbered.

    Raises:
        CvaeError: the disk refuses.
    """
    classes = np.unique(labels)
    n, room = len(classes), 4 * 51.0
    across = 4 if n <= 14 else 6 if n <= 30 else 8  # panels in a row
    width, height = room / across, 184.0 / across
    size = style.TEXT_SIZE if across == 4 else SMALL
    texts = fitted(_labels(classes, names), width - 2.0, size)
    is_long = max(measured(text, size) for text in texts) > SHORT
    head = LINE if is_long else 0.0  # above a panel
    height += head
    if across == 4:
        key = n if n % 4 < 3 else n + 1  # its panel
        down = (1 + key // 4) * height
        corner = key % 4 * width + 4.0, -(key // 4) * height
    else:
        corner = 4.0, -np.ceil(n / across) * height
        down = 46.0 - corner[1]
    figure, axes = style.half_figure(note, 13.0 + down, (14.0, 13.0, room, down))
    axes.set_axis_off()
    axes.set_xlim(0.0, room)
    axes.set_ylim(-down, 0.0)
    clouds = {c: points[labels == c] for c in classes}
    seen = [cloud[:SHOWN] for cloud in clouds.values()] + [_ellipse(points)]
    seen += [_ellipse(cloud) for cloud in clouds.values()]
    largest = max(np.abs(part).max() for part in seen) or 1.0
    unit = 0.47 * (height - head) / largest
    for number, (c, text) in enumerate(zip(classes, texts)):
        x, y = number % across * width, -(number // across) * height
        middle = np.array([x + 0.54 * width, y - head - 0.5 * (height - head)])
        _panel(axes, middle, unit * clouds[c], unit * points)
        place: Dict[str, Any] = {"ha": "left"} if is_long else {}
        x += 0.0 if is_long else 4.0
        place.update(look(text))
        style.middle(axes, literal(text), x, y - 8.0, size=size, **place)
    _key(axes, probe, *corner)
    first, second = map(_percent, explained)
    beneath = f"1st component, {first} % of the variance"
    style.middle(axes, beneath, room / 2, -down - 7.0)
    beside = f"2nd, {second} %"
    style.middle(axes, beside, -7.0, -down / 2.0, rotation=90)
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
