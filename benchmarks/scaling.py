"""Measure how time and memory of a training step grow with its sizes.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --quick --output quick.json

There are five axes through the default settings without FiLM: batch, particles, width
of all hidden layers, latent dimension, and training images (the first ones of MNIST;
more than 60,000 are all of them, moved by a pixel in each of nine directions in turn).
Each point is a new process, so that its peak memory is its own. All points take turns
in each repeat.

- Time is that of `Trainer.steps` and of the order of its images, several steps in a
  call as in training: the median over the calls of all repeats, after a warm-up. The
  table has beside it the operations of the matrix products, counted from the sizes of
  the layers.
- Memory is the peak of the process, from loading MNIST to the last step. "Own" is the
  memory beyond that of importing TensorFlow. "Needed" is a count of what must be in
  memory at once: the weights with their average and Adam's moments, the values of a
  step, the images.
- A slope is a power of the axis, by least squares of logarithms over the upper half of
  its points. A quantity grows too fast if its slope exceeds that of the arithmetic by
  over 0.1: time of an image against its operations; own memory against the operations
  of a step or, along the training images, of an epoch.
- An axis bends where the arithmetic begins to show. From that point on, the time of a
  step grows at least 0.7 times as fast as its operations, in logarithms, between any
  point and the next one with a quarter more operations. Before it, overhead dominates.
"""

import _paths  # noqa: F401  (first: where the package is)

import json
import os
import subprocess
import sys
from typing import NamedTuple, Sequence

import numpy as np
import scaling_chart
import scaling_point
import shared
from scaling_point import Point

from cvae import cli
from cvae.backend import threads
from cvae.cli import options
from cvae.data import mnist
from cvae.errors import CvaeError
from cvae.progress import Progress
from cvae.storage import files

SECONDS, QUICK_SECONDS = 1.2, 0.2  # of timed calls, for each point and repeat
FAST, APART = 0.7, 1.25  # share of the arithmetic's growth; growth that shows
TOO_FAST = 0.1


class Axis(NamedTuple):
    """Points that differ in one size, `field`."""

    name: str
    field: str
    values: Sequence[int]
    quick: Sequence[int]

    def points(self):
        """Return its `Point`s."""
        return [Point()._replace(**{self.field: value}) for value in self.values]


AXES = (
    Axis(
        "batch",
        "batch_size",
        (1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096),
        (1, 16, 256, 512),
    ),
    Axis("particles", "particles", (1, 2, 4, 8, 16, 32, 64), (1, 2, 8)),
    Axis("width", "width", (64, 128, 256, 512, 800, 1024, 2048), (64, 256, 800)),
    Axis("latent dimension", "z_dim", (2, 5, 10, 20, 40, 80, 160, 320, 640), (5, 640)),
    Axis(
        "training images",
        "images",
        (6000, 12000, 30000, 60000, 120000, 300000, 600000),
        (6000, 60000, 120000),
    ),
)


def main():
    """Measure, print the tables, write JSON and chart."""
    parser = cli.Parser(__doc__)
    shared.add_repeats(parser, 2, most=100)
    parser.add_argument(
        "--quick", action="store_true", help="measure a few points, once"
    )
    options.add_mnist_dir(parser)
    shared.add_output_with_chart(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    if arguments.mnist_dir:
        os.environ["MNIST_DIR"] = str(arguments.mnist_dir)
    mnist.fetch()  # raises here if it is missing
    if arguments.quick:
        axes = [axis._replace(values=axis.quick) for axis in AXES]
        found = _measure(axes, 1, QUICK_SECONDS)
    else:
        axes, found = AXES, _measure(AXES, arguments.repeats, SECONDS)
    results = _summary(axes, found)
    print(_text(results))
    files.write_json(arguments.output, results)
    scaling_chart.draw(arguments.output.with_suffix(".png"), results["axes"])


def _measure(axes, repeats, seconds):
    """Return the results of `scaling_point.measure`, point to a list over repeats."""
    points = list(dict.fromkeys(point for axis in axes for point in axis.points()))
    found = {point: [] for point in points}
    with Progress(repeats * len(points), unit="point") as progress:
        for point in points * repeats:
            done = subprocess.run(
                [sys.executable, scaling_point.__file__, *map(str, (seconds, *point))],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
            )
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["no message"]
                raise CvaeError(f"{point} failed: {said[-1]}")
            found[point].append(json.loads(done.stdout))
            progress.advance(1)
    return found


def _summary(axes, found):
    (version,) = {one["tensorflow"] for many in found.values() for one in many}
    measured = [_axis_summary(axis, found) for axis in axes]
    return {
        "tensorflow": version,
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "repeats": len(found[Point()]),
        "default": dict(Point()._asdict()),
        "axes": measured,
        "too_fast": [
            f"{what} along {axis['name']}"
            for axis in measured
            for what, beside in (("time", "operations"), ("memory", "work"))
            if axis["slopes"][what] - axis["slopes"][beside] > TOO_FAST
        ],
    }


def _axis_summary(axis, found):
    points = axis.points()
    rows = [_row(v, point, found[point]) for v, point in zip(axis.values, points)]
    half = slice((len(rows) - 1) // 2, None)
    curves = {
        "time": [row["seconds_per_image"]["median"] for row in rows],
        "operations": [point.flop_per_image() for point in points],
        "peak": [row["peak_bytes"] for row in rows],
        "memory": [row["own_bytes"] for row in rows],
        "work": [_work(axis, point) for point in points],
    }
    x, logs = np.log(axis.values), {k: np.log(v) for k, v in curves.items()}
    slopes = {k: _slope(x[half], v[half]) for k, v in logs.items()}
    size = np.log([point.batch_size for point in points])
    bend = _bend(logs["time"] + size, logs["operations"] + size)
    return {
        "name": axis.name,
        "rows": rows,
        "upper_half_from": axis.values[half][0],
        "slopes": slopes,
        "bend": None if bend is None else axis.values[bend],
    }


def _slope(x, y):
    return round(float(np.polyfit(x, y, 1)[0]), 2) + 0.0  # no negative zero


def _work(axis, point):
    """Return the operations of a step; along the images, those of an epoch."""
    at_once = point.images if axis.field == "images" else point.batch_size
    return at_once * point.flop_per_image()


def _row(value, point, repeats):
    seconds = np.concatenate([one["seconds_per_image"] for one in repeats])
    times = shared.spread(seconds)
    imported, peak = (
        int(np.median([one[key] for one in repeats]))
        for key in ("imported_bytes", "peak_bytes")
    )
    return {
        "value": value,
        "seconds_per_image": times,
        "calls": len(seconds),
        "flop_per_image": point.flop_per_image(),
        "gflops": point.flop_per_image() / times["median"] / 1e9,
        "peak_bytes": peak,
        "own_bytes": peak - imported,
        "needed_bytes": point.needed_bytes(),
    }


def _bend(seconds, operations):
    """Return the number of the point from which on time follows the operations.

    Both arguments are logarithms. The result is None if time never follows, or if the
    operations hardly grow.
    """
    bend = None
    for i in reversed(range(len(seconds))):
        later = np.flatnonzero(operations >= operations[i] + np.log(APART))
        if len(later):
            growth = operations[later[0]] - operations[i]
            if seconds[later[0]] - seconds[i] < FAST * growth:
                break
            bend = i
    return bend


def _text(results):
    sizes = ", ".join(f"{name} {size}" for name, size in results["default"].items())
    parts = [
        f"TensorFlow {results['tensorflow']}, {results['repeats']} repeats on "
        f"{results['cores']} cores, load {results['load']:.1f}; median (quartiles) "
        f"over the calls; default: {sizes}"
    ]
    parts += [_table(axis) for axis in results["axes"]]
    parts.append(f"Too fast: {', '.join(results['too_fast']) or 'nothing'}.")
    return "\n\n".join(parts)


def _table(axis):
    heads = "microseconds an image|MFLOP|GFLOP/s|peak MB|own MB|needed MB".split("|")
    lines = [_line(axis["name"], *heads), "|" + " ---: |" * 7]
    for row in axis["rows"]:
        micro = {k: 1e6 * v for k, v in row["seconds_per_image"].items()}
        sizes = [row[key] for key in ("peak_bytes", "own_bytes", "needed_bytes")]
        cells = [
            f"{row['value']:,}",
            shared.with_quartiles(micro, 0),
            f"{row['flop_per_image'] / 1e6:.2f}",
            f"{row['gflops']:.0f}",
            *(f"{size / 1e6:,.0f}" for size in sizes),
        ]
        lines.append(_line(*cells))
    slopes = {name: f"{slope:.2f}" for name, slope in axis["slopes"].items()}
    bend = "nowhere" if axis["bend"] is None else f"from {axis['bend']:,} on"
    text = (
        f"Slopes from {axis['upper_half_from']:,} on: time an image {slopes['time']}, "
        f"operations {slopes['operations']}; own memory {slopes['memory']} (peak "
        f"{slopes['peak']}), all operations {slopes['work']}. Time follows the "
        f"operations {bend}."
    )
    return "\n".join([*lines, "", text])


def _line(*cells):
    widths = (16, 21, 8, 8, 7, 6, 9)
    return shared.line([f"{cell:>{w}}" for cell, w in zip(cells, widths)])


if __name__ == "__main__":
    cli.run_main(main)
