"""Run the scripts in every combination of two odd environments, and compare the ends.

python tests/soak/environments.py                # what `make soak-environments` runs
python tests/soak/environments.py --cases 40 --seed 3
python tests/soak/environments.py --only 'sample, no home, no stdout'

A case is a script on a tiny run; worlds.py has how it may end.
"""

import _paths  # noqa: F401

import argparse
import collections
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import environments
from worlds import COMMANDS, Stage

from cvae.backend import threads
from cvae.progress import Progress

STOPS = ("SIGINT", "SIGTERM", "SIGHUP")
SITES = {
    "train": ("a block of steps", "an evaluation", "a checkpoint", "a line of metrics"),
    "sample": (),
    "evaluate": ("an evaluation",),
    "draw": (),
    "report": (),
}
EVERYWHERE = ("a renaming", "an fsync")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, help="how many; left out, all")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--only", metavar="CASE", help="one case, as printed")
    parser.add_argument("--mnist-dir", type=Path)
    arguments = parser.parse_args()
    chance, began = random.Random(arguments.seed), time.monotonic()
    cases = [tuple(arguments.only.split(", "))] if arguments.only else all_of(chance)
    chance.shuffle(cases)
    folder = Path(tempfile.mkdtemp(prefix="cvae-environments-"))
    failures = run(folder, arguments.mnist_dir, cases[: arguments.cases])
    if failures:
        print(f"{failures} failures; files are in {folder}")
        sys.exit(1)
    shutil.rmtree(str(folder))
    print(f"all kept their promises, {time.monotonic() - began:.0f} s")


def all_of(chance):
    """Return every case: (script, environment, environment)."""
    cases = []
    for script in COMMANDS:
        signals = [
            f"{name} before the {chance.randint(1, 3)}. {site}"
            for name in STOPS
            for site in (chance.choice(SITES[script] + EVERYWHERE),)
        ]
        pairs = itertools.combinations([*environments.NAMES, *signals], 2)
        cases += [(script, *pair) for pair in pairs if not excluded(*pair)]
    return cases


def excluded(*pair):
    """Whether two environments cannot be had at once, or undo each other."""
    streams = {"no stdout", "no stderr", "no streams", "no reader", "ASCII"}
    streams.add(environments.FULL_OUTPUT)
    homes = {"no home", "closed home"}
    users = {"no home", "no permission"}
    kinds = [streams, homes, users, {"no stdin", "no streams"}]
    return any(set(pair) <= kind for kind in kinds) or all(
        name.startswith("SIG") for name in pair
    )


def run(folder, mnist_dir, cases):
    """Run `cases`, print a tally and each failure; return the number of failures."""
    stage = Stage(folder, mnist_dir or os.environ.get("MNIST_DIR"), COMMANDS)
    tally, failures = collections.Counter(), 0
    ends = threads.each(lambda case, go_on: stage.play(case), cases)
    with Progress(len(cases), unit="case", label="environments") as progress:
        for case, (end, fault) in zip(cases, ends):
            progress.advance(1)
            tally[f"{case[0]}: {end}"] += 1
            if fault:
                failures += 1
                name = ", ".join(case)
                progress.note(f"FAILED  {name}: {fault}")
                progress.note(f"  python {sys.argv[0]} --only '{name}'")
    for end, count in sorted(tally.items()):
        print(f"{count:5}  {end}")
    return failures


if __name__ == "__main__":
    main()
