"""How a training step's time and memory grow with its sizes, beside its arithmetic.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --quick --output quick.json

Five axes through the default settings, the class concatenated alone: batch, particles,
width of all hidden layers, latent dimension, training images (MNIST's first; more than
60,000 are all of them, moved by a pixel in each of nine directions in turn). Each point
is a new process, so that its peak memory is its own; all take turns in each repeat.

- Time is that of `Trainer.steps` and of the order of its images, some steps a call as
  in training: the median over the calls of all repeats, after a warm-up. It is beside
  the operations of the matrix products, counted from the layers' sizes.
- Memory is the peak of the process, from loading MNIST to the last step. "Own" is what
  lies beyond importing TensorFlow, "needed" what must be there at once by count: the
  weights with their average and Adam's moments, a step's values, the images.
- A slope is a power of the axis, by least squares of logarithms over the upper half of
  its points. Too fast is what grows by over 0.1 more than the arithmetic: time an image
  more than its operations, own memory more than those of a step, or, along the training
  images, of an epoch.
- An axis bends where the arithmetic begins to show: from that point on the time of a
  step grows at least 0.7 times as fast as its operations, in logarithms, between any
  point and the next whose operations are a quarter more. Before it, overhead hides it.
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

SECONDS, QUICK_SECONDS = 1.2, 0.2  # of timed calls, a point and repeat
FAST, APART = 0.7, 1.25  # share of the arithmetic's growth; growth that can be seen
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
    parser.add_argument("--quick", action="store_true", help="once, and a few points")
    options.add_mnist_dir(parser)
    shared.add_output_with_chart(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    if arguments.mnist_dir:
        os.environ["MNIST_DIR"] = str(arguments.mnist_dir)
    mnist.fetch()  # missing is said here
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
    """What `scaling_point.measure` said of each point, a list over the repeats."""
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
                said = done.stderr.strip().splitlines() or ["no word of why"]
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
            "{} along {}".format(what, axis["name"])
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
    """The operations of a step; along the images, of an epoch."""
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
    """Number of the first point from which on time follows the operations, both logs.

    None where it never does, or where the operations hardly grow.
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
    title = (
        "TensorFlow {tensorflow}, {repeats} repeats on {cores} cores, load {load:.1f}; "
        "median (quartiles) over the calls; default: {sizes}"
    )
    sizes = ", ".join("{} {}".format(*item) for item in results["default"].items())
    parts = [title.format(sizes=sizes, **results)]
    parts += [_table(axis) for axis in results["axes"]]
    parts.append("Too fast: {}.".format(", ".join(results["too_fast"]) or "nothing"))
    return "\n\n".join(parts)


def _table(axis):
    line = "| {:>16} | {:>21} | {:>8} | {:>8} | {:>7} | {:>6} | {:>9} |"
    heads = "microseconds an image|MFLOP|GFLOP/s|peak MB|own MB|needed MB".split("|")
    lines = [line.format(axis["name"], *heads), "|" + " ---: |" * 7]
    for row in axis["rows"]:
        micro = {k: 1e6 * v for k, v in row["seconds_per_image"].items()}
        sizes = [row[key] for key in ("peak_bytes", "own_bytes", "needed_bytes")]
        cells = [
            "{:,}".format(row["value"]),
            "{median:.0f} ({low:.0f}-{high:.0f})".format(**micro),
            "{:.2f}".format(row["flop_per_image"] / 1e6),
            "{:.0f}".format(row["gflops"]),
            *(f"{size / 1e6:,.0f}" for size in sizes),
        ]
        lines.append(line.format(*cells))
    slopes = (
        "Slopes from {:,} on: time an image {time:.2f}, operations {operations:.2f}; "
        "own memory {memory:.2f} (peak {peak:.2f}), all operations {work:.2f}. {}."
    )
    bend = "Time follows the operations {}".format(
        "nowhere" if axis["bend"] is None else "from {:,} on".format(axis["bend"])
    )
    lines += ["", slopes.format(axis["upper_half_from"], bend, **axis["slopes"])]
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run_main(main)
