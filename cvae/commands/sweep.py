"""Train a preset with several seeds, or several values of settings, side by side.

cvae sweep --preset quick --seeds 0-4
cvae sweep --epochs 5 --seeds 0-2 --vary learning-rate 1e-3 2e-3
cvae sweep --seeds 0-9 --backend dask --address tcp://10.0.0.1:8786

The runs are in runs/sweep. After an interruption, run the same command again: trained
runs are not trained again, the others are resumed. A time budget is of each run, and
runs that share cores get through fewer epochs in it: compare with --epochs.
"""

import functools
import itertools
import re
from pathlib import Path

from cvae.backend.workers import BACKENDS
from cvae.cli import options
from cvae.config import preset
from cvae.data.load import load
from cvae.data.prepare import fitted
from cvae.errors import CvaeError
from cvae.runs.run import RUNS, Member
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
    parser.add_argument(
        "--seeds",
        type=options.numbers,
        default="0-4",
        metavar="A-B",
        help="seeds of the runs, like 0-4 or 1,5,7",
    )
    parser.add_argument(
        "--vary",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a setting and its values; may be given several times",
    )
    parser.add_argument(
        "--output",
        type=options.path,
        default=Path(RUNS) / "sweep",
        metavar="DIR",
        help="directory of the runs",
    )
    options.add_mnist_dir(parser)
    options.add_side(parser)
    options.add_workers(parser, BACKENDS[1:], "one for each two cores")
    options.add_settings(parser)


def main(arguments):
    """Train all runs, and print the table."""
    where = options.workers(arguments)
    groups = _fitted(_groups(arguments), arguments)
    files.check_place(arguments.output)
    from cvae.training import sweep  # TensorFlow, once the rest is right

    members = [member for group in groups.values() for member in group]
    rows = iter(sweep.train_with_progress(members, arguments.mnist_dir, where))
    found = {n: list(itertools.islice(rows, len(g))) for n, g in groups.items()}
    print(sweep.table(found))


def _fitted(groups, arguments):
    """Return the groups with settings that fit their data."""
    read, places = functools.lru_cache(maxsize=None)(load), []
    for first, *_ in groups.values():
        options = first.config.test_share, first.config.class_names
        place = first.config.dataset, arguments.mnist_dir, arguments.side
        places.append((*place, *options))
    return {
        name: [one._replace(config=fitted(one.config, read(*place))) for one in group]
        for place, (name, group) in zip(places, groups.items())
    }


def _groups(arguments):
    """Return the runs, path and settings, of each combination of values by its name."""
    given, name = options.settings(arguments), arguments.preset or "default"
    if "seed" in given:
        raise CvaeError("a sweep's seeds are those of --seeds: leave out --seed")
    varied = [options.values_of(*one) for one in arguments.vary]
    names = [setting for setting, _ in varied]
    for setting in names:
        if setting in given or names.count(setting) > 1 or setting == "seed":
            raise CvaeError(f"{options.spelt(setting)} is given twice: choose one")
    groups = {}
    for values in itertools.product(*(texts.items() for _, texts in varied)):
        changes = dict(zip(names, (value for _, value in values)))
        label = " ".join(
            [name, *(f"{n}={text}" for n, (text, _) in zip(names, values))]
        )
        groups[label] = [
            Member(
                arguments.output / f"{re.sub('[ /]+', '-', label)}-seed-{seed}",
                preset(name, **dict(given, **changes, seed=seed)),
            )
            for seed in arguments.seeds
        ]
    return groups
