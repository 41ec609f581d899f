"""Options, turns and figures with their spread, for all benchmarks."""

import time
from pathlib import Path

import numpy as np

from cvae.cli import options
from cvae.config import PRESETS


def add_repeats(parser, default, most=1000):
    """Add --repeats."""
    parser.add_argument(
        "--repeats",
        type=options.whole(1, most),
        default=default,
        metavar="N",
        help="repeats of each measurement",
    )


def add_preset(parser):
    """Add --preset, whose nets `peers.recipe` has."""
    parser.add_argument(
        "--preset",
        type=options.choice(PRESETS),
        metavar="NAME",
        help=f"train the nets of {' or '.join(PRESETS)}; left out, plain ones of ReLU",
    )


def add_output(parser, script, help_text="where the figures go"):
    """Add --output; by default the figures go beside the `script`."""
    parser.add_argument(
        "--output",
        type=options.path,
        default=Path(script).with_suffix(".json"),
        metavar="JSON",
        help=help_text,
    )


def add_output_with_chart(parser, script):
    """Add --output for figures that come with a chart."""
    text = "where the figures go; the chart goes beside it, as .png"
    add_output(parser, script, text)


def take_turns(work, repeats, cpu_seconds):
    """Return seconds of each of `work` by wall and CPU time, name to `[repeats, 2]`.

    All take turns in each repeat. The first repeat is a warm-up and not counted.

    Args:
        work: name to function.
        cpu_seconds: a function that returns the CPU time so far.
    """
    found = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, run in work.items():
            wall, cpu = time.monotonic(), cpu_seconds()
            run()
            seconds = [time.monotonic() - wall, cpu_seconds() - cpu]
            if repeat:
                found[name].append(seconds)
    return {name: np.array(seconds) for name, seconds in found.items()}


def spread(values):
    """Return median and quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "low": float(low), "high": float(high)}


def with_quartiles(spread, places=2):
    """Return the text of a `spread`: median, quartiles in brackets."""
    low, median, high = (f"{spread[k]:,.{places}f}" for k in ("low", "median", "high"))
    return f"{median} ({low}-{high})"


def line(cells):
    """Return a line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
