"""Evaluate a run on a few test images, and strike this process on the way."""

import os
import sys
from pathlib import Path

import tiny

from cvae import cli
from cvae.evaluation import ais, evaluate, partial
from cvae.runs.run import Run

N_IMAGES = 12
SHORT_AIS = {"TEMPERATURES": 20, "TUNING_TEMPERATURES": 5}


def dataset(mnist_dir):
    """The real data's first images."""
    return tiny.dataset(tiny.whole(str(mnist_dir)), n_train=50, n_test=N_IMAGES)


def main():
    """Take RUN MNIST_DIR PARTICLES AIS SIGNAL COUNT from the command line.

    The signal strikes when rows are added for the COUNT-th time, and saved.
    """
    path, mnist_dir, particles, n_ais, number, count = sys.argv[1:]
    partial.SAVE_SECONDS = 0.0
    for name, value in SHORT_AIS.items():
        setattr(ais, name, value)
    _strike(int(number), int(count))
    data = dataset(Path(mnist_dir))
    evaluate.evaluate_run(Run(path), data, int(particles), int(n_ais))


def _strike(number, count):
    add, calls = partial.Partial.add, []

    def struck(self, stage, rows):
        add(self, stage, rows)
        calls.append(stage)
        if len(calls) == count:
            os.kill(os.getpid(), number)

    partial.Partial.add = struck


if __name__ == "__main__":
    cli.run_main(main)
