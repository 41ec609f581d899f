"""Evaluate a run on a few test images, and strike this process on the way."""

import os
import sys
from pathlib import Path

import tiny

from cvae import cli
from cvae.evaluation import evaluate, partial, sandwich, stages
from cvae.inference import estimates
from cvae.runs.run import Run

N_IMAGES = 12
SHORT = (  # work of a second, in blocks of a few images
    (estimates, "BLOCK", 3),
    (evaluate, "ENCODER_BLOCK", 3),
    (stages, "ENCODER_PARTICLES", 40),
    (sandwich, "PARTICLES", 40),
    (sandwich, "STEPS", 20),
)


def dataset(mnist_dir, n_test=N_IMAGES):
    """The real data's first images."""
    return tiny.dataset(tiny.whole(str(mnist_dir)), n_train=50, n_test=n_test)


def main():
    """Take RUN MNIST_DIR PARTICLES CHECKS SIGNAL COUNT from the command line.

    The signal strikes when rows are added for the COUNT-th time, and saved.
    """
    path, mnist_dir, particles, checks, number, count = sys.argv[1:]
    partial.SAVE_SECONDS = 0.0
    for module, name, value in SHORT:
        setattr(module, name, value)
    _strike(int(number), int(count))
    data = dataset(Path(mnist_dir))
    evaluate.evaluate_run(Run(path), data, int(particles), int(checks))


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
