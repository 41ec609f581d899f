"""Evaluate a run on a few test images, and strike this process on the way."""

import os
import sys
from pathlib import Path

import numpy as np
import tiny

from cvae import cli
from cvae.config import Config
from cvae.evaluation import evaluate, partial, sandwich, stages
from cvae.inference import estimates
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CONFIG = Config(hidden=(20,), z_dim=6)
N_IMAGES = 12
PARTICLES = 130
CHECKS = 5  # a block and a part of one
FILES = ("evaluation.json", "evaluation.npz")
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


def new_run(folder, config=CONFIG, scale=1.0, step=1):
    """A run with one checkpoint of random weights."""
    run = Run.create(folder / "run", config)
    weights = tiny.random_weights(tiny.shapes(config))
    arrays = {name + AVERAGE: np.float32(scale) * w for name, w in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(step, [0, 0.0, step])))
    return run


def partials(run):
    """The names of the files of interrupted evaluations."""
    return sorted(path.name for path in run.path.glob("*partial*"))


def without_checks(results):
    """What an evaluation without checks gives."""
    return {k: v for k, v in results.items() if k not in ("encoder", "sandwich")}


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
