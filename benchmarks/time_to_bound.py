"""Measure the bound on test images against seconds of training, beside others.

    python benchmarks/time_to_bound.py
    python benchmarks/time_to_bound.py --minutes 5

The trainings run one after the other, as each needs the whole machine:

- this trainer with its default preset, on TensorFlow 1.15 and on today's. Its rate
  follows the preset's plan; --minutes ends the plan early and does not shorten it;
- the tutorial's way (`peers/tutorial.py`) with its own recipe: nets of 500 and 500
  ReLU, batches of 128, Adam at a constant rate of 1e-3; on 1.15 and upstream's ZhuSuan;
- PyTorch, compiled, and JAX, 16 steps a call, with the tutorial's recipe.

Each ends at the last of the bounds, -90 nats, or after --minutes.

The same code evaluates all, `cvae.inference.trained.Model`: the 10,000 test
images with their fixed bits and one sample of z each, from the same random numbers.
This trainer is evaluated with its averaged weights, as in the package. Only the seconds
of training count. Loading, compiling and the first 16 steps are in the column "before",
and evaluations are not counted. An evaluation follows every second of training, later
whenever training has lasted a twentieth longer. The time to a bound is that of the
first evaluation that reaches it, so it is late by at most this interval.
"""

import _paths  # noqa: F401  (first: where the package is)

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shared
from peers import BLOCK, OURS, bound_chart, driver, recipe

from cvae import cli, config
from cvae.cli import options
from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.errors import shown
from cvae.inference.trained import Model
from cvae.storage import files
from cvae.training import schedule

LEVELS = (-100.0, -95.0, -92.0, -90.0)  # nats
EVERY, GROWTH = 1.0, 0.05  # seconds of training between evaluations; or a share


class Row(NamedTuple):
    """A name in the table, its environment, peer, recipe and ZhuSuan."""

    name: str
    python: str
    peer: str
    config: config.Config
    zhusuan: str = "builtin"  # or "real"


ROWS = (
    Row(OURS["ours"], "1.15", "ours", config.preset("default")),
    Row(OURS["ours_today"], "current", "ours", config.preset("default")),
    Row("the tutorial's way, 1.15", "1.15", "tutorial", recipe(128), "real"),
    Row("PyTorch, compiled", "peers", "pytorch-compiled", recipe(128)),
    Row("JAX, 16 steps a call", "peers", "jax-scan", recipe(128)),
)


def main():
    """Train, print the table, write JSON and chart."""
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=15.0,
        metavar="N",
        help="minutes of each training at most",
    )
    driver.add_peers(parser)
    options.add_mnist_dir(parser)
    shared.add_output_with_chart(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    dataset = mnist.load("mnist", arguments.mnist_dir)
    pythons = driver.pythons(arguments.peers)
    results = dict(driver.machine(), minutes=arguments.minutes, rows=[])
    for row in ROWS:
        found = {"name": row.name}
        try:
            found.update(_train(row, pythons[row.python], dataset, arguments))
        except driver.NotMeasured as reason:
            found["not_measured"] = str(reason)
        results["rows"].append(found)
    add_times(results)
    print(table(results))
    files.write_json(arguments.output, results)
    bound_chart.draw(arguments.output.with_suffix(".png"), results)


def _minutes(text):
    """Argparse type: minutes above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1e6:
        message = f"{shown(text)} is not a number of minutes above 0"
        raise argparse.ArgumentTypeError(message)
    return value


def _train(row, python, dataset, arguments):
    """Train one row; return its settings and the points of its curve."""
    settings, limit = row.config, 60.0 * arguments.minutes
    end = schedule.full_plan(settings, len(dataset.train.images)).end
    with contextlib.ExitStack() as stack:
        worker = stack.enter_context(
            driver.worker(python, row.peer, settings, arguments.mnist_dir, row.zhusuan)
        )
        bound = stack.enter_context(_evaluation(worker, settings, dataset.test))
        points = []
        for step, seconds in _stretches(worker, end, limit):
            points.append({"seconds": seconds, "step": step, "bound": bound()})
            point = points[-1]
            text = (
                f"{row.name}: {seconds:.1f} s, step {step:,}, bound "
                f"{point['bound']:.2f}"
            )
            print(text, file=sys.stderr, flush=True)
            if point["bound"] >= LEVELS[-1]:
                break
    return {
        "versions": worker.ready["versions"],
        "seconds_before": worker.ready["ready"],
        "planned_steps": end,
        "settings": settings.to_dict(),
        "points": points,
    }


def _stretches(worker, end, limit):
    """Train to step `end` or for `limit` seconds; yield (step, seconds) to evaluate at.

    The worker has taken `BLOCK` steps before.
    """
    step, seconds, pace = BLOCK, 0.0, None
    while step < end and seconds < limit:
        due = min(limit, seconds + max(EVERY, GROWTH * seconds))
        while step < end and seconds < due:
            blocks = max(1, round((due - seconds) / pace)) if pace else 1
            blocks = min(blocks, -(-(end - step) // BLOCK))
            taken = worker.run(BLOCK * blocks)["seconds"]
            pace = taken / blocks
            step, seconds = step + BLOCK * blocks, seconds + taken
        yield step, seconds


@contextlib.contextmanager
def _evaluation(worker, settings, test):
    """Yield a function that returns the bound on the test images, in nats."""
    bits = binarize(test.images)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "weights.npz")

        def weights():
            worker.save(path)
            with np.load(path) as arrays:
                return dict(arrays)

        with Model(settings, weights()) as model:

            def bound():
                model.load(weights())
                return float(model.bound(bits, test.labels).total.mean())

            yield bound


def add_times(results):
    """Add to each row the seconds to each of `LEVELS`, and their ratios to `OURS`.

    They are None for a level that was not reached.
    """
    reached = {}
    for row in results["rows"]:
        points = row.get("points", ())
        row["seconds_to"] = reached[row["name"]] = {
            f"{level:g}": next(
                (p["seconds"] for p in points if p["bound"] >= level), None
            )
            for level in LEVELS
        }
    for row in results["rows"]:
        for key, name in OURS.items():
            ours = reached.get(name, {})
            row[f"times_{key}"] = {
                level: seconds / ours[level] if seconds and ours.get(level) else None
                for level, seconds in row["seconds_to"].items()
            }


def table(results):
    """Return the seconds to each of `LEVELS`, in Markdown."""
    title = (
        f"At most {results['minutes']:g} minutes of training each, {results['cores']} "
        f"cores of {results['cpu']}, load {results['load']:.1f} before; seconds, and "
        "their ratio to this trainer's on 1.15 and on today's TensorFlow"
    )
    lines = [title, ""]
    levels = [f"{level:g} nats" for level in LEVELS]
    lines.append(shared.line(["", *levels, "last bound", "after", "before", "on"]))
    lines.append("|" + " --- |" * (len(LEVELS) + 5))
    lines += [shared.line(_cells(row)) for row in results["rows"]]
    return "\n".join(lines)


def _cells(row):
    if "not_measured" in row:
        reason = "not measured: " + row["not_measured"]
        return [row["name"], reason] + [""] * (len(LEVELS) + 3)
    last = row["points"][-1]
    cells = [row["name"]]
    for level, seconds in row["seconds_to"].items():
        ratios = [row[f"times_{key}"][level] for key in OURS]
        text = f"not in {last['seconds'] / 60.0:.1f} minutes"
        if seconds is not None:
            text = f"{seconds:.0f}"
            if any(ratios) and row["name"] not in OURS.values():
                found = (f"{ratio:.1f}" if ratio else "-" for ratio in ratios)
                text += f" ({', '.join(found)})"
        cells.append(text)
    cells += [f"{last['bound']:.2f}", f"{last['seconds']:.0f}"]
    return cells + [f"{row['seconds_before']:.0f}", ", ".join(row["versions"])]


if __name__ == "__main__":
    cli.run_main(main)
