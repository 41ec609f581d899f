"""Figures read back: the pixels of a PNG, its grid's cells, the texts of an SVG."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from matplotlib.image import imread

from cvae.plotting import grids, labels, lines, panels, style

NOTE = (
    "Not the full MNIST: 4,000 training and 1,000 held-out test images, so results "
    "are not comparable with those on MNIST."
)
_SVG = "{http://www.w3.org/2000/svg}"


def images(rows, columns, x_dim, seed=0):
    """Random grey values, none of which is drawn in the grey of the hairlines."""
    values = np.random.RandomState(seed).randint(0, 200, (rows, columns, x_dim))
    return 1.0 - values / 255.0


def pixels(path):
    """RGB of a PNG, uint8 `[height, width, 3]`."""
    return np.uint8(np.rint(imread(str(path))[..., :3] * 255))


def cells(path, rows, columns):
    """The grid's cells, cut out along its hairlines: `[row][column]` RGB arrays."""
    picture = pixels(path)
    frames = (style.HAIRLINE, style.AXIS)
    line = np.any([(picture == ink).all(-1) for ink in frames], 0)
    across = _inside(line.mean(1) > 0.3 * line.mean(1).max())
    down = _inside(line.mean(0) > 0.3 * line.mean(0).max())
    assert (len(across), len(down)) == (rows, columns)
    return [[picture[y, x] for x in down] for y in across]


def _inside(is_line):
    """Slices between the runs of True in `is_line`, but for gaps that are no cells."""
    positions = np.flatnonzero(is_line)
    gaps = [slice(a + 1, b) for a, b in zip(positions, positions[1:]) if b > a + 1]
    widths = [gap.stop - gap.start for gap in gaps]
    usual = np.bincount(widths).argmax()
    return [gap for gap, width in zip(gaps, widths) if width == usual]


def unscaled(cell, side):
    """One colour per image pixel; fails unless each is one solid square block."""
    scale = cell.shape[0] // side
    assert cell.shape == (side * scale, side * scale, 3)
    blocks = cell.reshape(side, scale, side, scale, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    return blocks[:, 0, :, 0]


def assert_shows(cell, image, ink=style.BLACK):
    """`cell` is `image` `[x_dim]`, in 0 to 1, pixel for pixel in `ink`."""
    side = int(round(len(image) ** 0.5))
    shade = np.reshape(image, (side, side, 1))
    expected = 255 + shade * (np.array(ink) - 255.0)
    assert abs(unscaled(cell, side).astype(float) - expected).max() <= 0.5


def texts(path):
    """(text, x, y) of every text of an SVG, in document order."""
    found = ElementTree.parse(str(path)).getroot().iter(_SVG + "text")
    return [
        (t.text, *(float(n) for n in re.findall(r"[-\d.]+", t.get("transform"))[-2:]))
        for t in found
    ]


def boxes(path):
    """(text, left, top, right, bottom) of every text of an SVG, in points.

    The width is that of the font; of the height, that of small letters is taken.
    """
    found = []
    for element in root(path).iter(_SVG + "text"):
        look, place = element.get("style"), element.get("transform")
        size = float(re.search(r"([\d.]+)px", look).group(1))
        anchor = re.search(r"text-anchor: (\w+)", look)
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", place)]
        x, y = numbers[:2] if place.startswith("translate") else numbers[1:]
        is_turned = abs(numbers[-1 if place.startswith("translate") else 0]) == 90
        letters = (element.text or "").split("\u2192")  # the arrow is as wide as high
        wide = sum(labels.width(part, size) for part in letters)
        wide, high = wide + (len(letters) - 1) * size, 0.45 * size
        start = {"middle": wide / 2, "end": wide}.get(anchor and anchor.group(1), 0.0)
        box = (x - start, y - high, x - start + wide, y)
        if is_turned:
            box = (x - high, y + start - wide, x, y + start)
        found.append((element.text, *box))
    return found


def assert_words_are_apart(path):
    """No text of an SVG leaves the figure or touches another one."""
    width, height = (float(n) for n in root(path).get("viewBox").split()[2:])
    found = [box for box in boxes(path) if box[0]]
    for text, left, top, right, bottom in found:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height, text
    edges = np.array([box[1:] for box in found])
    left, top, right, bottom = (edges[:, n, None] for n in range(4))
    touch = (left < right.T) & (right > left.T) & (top < bottom.T) & (bottom > top.T)
    touching = np.argwhere(np.triu(touch, 1))
    assert not len(touching), [[found[i][0] for i in pair] for pair in touching[:5]]


def words(path):
    return [text for text, _, _ in texts(path)]


def all_words(path):
    return " ".join(words(path))


def root(path):
    return ElementTree.parse(str(path)).getroot()


def shapes(path, tag, color):
    """Elements of an SVG that are filled or drawn in `color`."""
    look = style.hexadecimal(color)
    return [e for e in root(path).iter(_SVG + tag) if look in e.get("style", "")]


def assert_nothing_cut_off(path):
    """The outermost pixels of a PNG are white."""
    picture = pixels(path)
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert (edge == 255).all()


def metrics(last_train=-81.4, last_test=-85.03, epochs=20, first=-500.0):
    """Rows as training writes them: a bad first epoch, then slow progress."""
    rows = []
    for epoch in range(1, epochs + 1):
        left = (epochs - epoch) / 10.0
        row = {"step": 235 * epoch, "epoch": float(epoch), "seconds": 9.0 * epoch}
        row["train_bound"] = first if epoch == 1 else last_train - left
        if epoch % 5 == 0 or epoch == epochs:
            row["test_bound"] = last_test - left
        rows.append(row)
    return rows


def estimate(mean, stderr=0.2):
    return {"mean": mean, "stderr": stderr}


def levels(*points):
    """ "growth" of (particles, log p(x|y)), log p(x) 2.25 below."""
    rows, before = [], None
    for particles, value in points:
        row = {"particles": particles, "log_likelihood": estimate(value)}
        row["marginal"] = estimate(value - 2.25)
        if before is not None:
            row["gain"] = estimate(value - before, 0.01)
        before = value
        rows.append(row)
    return rows


LEVELS = levels((10, -82.1), (100, -82.02))
LAPLACE = [(10, -0.08), (100, 0.0)]
ENCODER = [(1, -2.57), (10, -1.2), (100, -0.63), (1000, -0.29), (5000, -0.17)]
SANDWICH = (estimate(-96.03), estimate(-95.99), estimate(0.04, 0.013))
COUNTS = np.array([[97, 0, 3], [1, 98, 0], [0, 12, 86]])
PROBE = {"accuracy": 0.1337, "low": 0.1272, "high": 0.1405, "chance": 0.1135}


def cloud(n=90, n_classes=3):
    """Points `[n, 2]` and labels `[n]`, of no class in particular."""
    points = np.random.RandomState(0).standard_normal((n, 2))
    return points, np.arange(n) % n_classes


def shares(n=200):
    """Effective sample sizes by two proposals, as shares of their particles."""
    draws = np.random.RandomState(0)
    laplace = 0.7 * draws.uniform(0.2, 1.0, n)
    encoder = np.minimum(1.0, np.exp(draws.normal(-4.5, 1.2, n)))
    return [("Laplace", laplace), ("encoder", encoder)]


def ranked(rows=2):
    """Two blocks, one image of the second left out, the first without numbers."""
    numbers = -np.arange(1.0, 3 * rows + 1).reshape(rows, 3) * 12.6
    right = images(rows, 3, 49, 1)
    right[-1, 2] = np.nan
    nothing = np.full((rows, 1), np.nan)
    left = grids.Block("drawn", images(rows, 1, 49), nothing, style.BLUE)
    return [left, grids.Block("nearest", right, numbers)]


# One figure of each kind, as functions of (path, note).
EVERY = {
    "samples": lambda path, note: grids.sample_grid(
        path, images(2, 3, 49), [4, 7], note
    ),
    "reconstructions": lambda path, note: grids.reconstruction_grid(
        path, images(2, 3, 49), images(2, 3, 49, 1), [4, 7], note
    ),
    "transfer": lambda path, note: grids.transfer_grid(
        path, images(1, 2, 49)[0], images(2, 3, 49, 1), [4, 7], [4, 5, 7], note
    ),
    "interpolations": lambda path, note: grids.interpolation_grid(
        path,
        images(3, 2, 49),
        images(3, 8, 49, 1),
        [4, 4, 7],
        [("within a class", 1), ("across classes", 2)],
        note,
    ),
    "extremes": lambda path, note: grids.ranked_grid(path, ranked(), [4, 7], 0, note),
    "mistakes": lambda path, note: grids.captioned_grid(
        path, images(1, 7, 49)[0], [(4, n) for n in range(7)], note
    ),
    "curves": lambda path, note: lines.curves(path, metrics(), note),
    "latent_kl": lambda path, note: lines.latent_kl(
        path, [2.0, 0.001, 3.0], [0.9, 0.0001, 0.8], 0.01, note
    ),
    "growth": lambda path, note: lines.growth(path, LAPLACE, ENCODER, note),
    "ess": lambda path, note: lines.ess(path, shares(), note),
    "sandwich": lambda path, note: lines.sandwich(path, *SANDWICH, note),
    "confusion": lambda path, note: panels.confusion(path, COUNTS, note),
    "latent_space": lambda path, note: panels.latent_space(
        path, *cloud(), [0.077, 0.075], PROBE, note
    ),
}
