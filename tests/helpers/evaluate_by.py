"""Evaluate a run by the workers of a backend, one of which is killed on the way."""

import json
import sys
from pathlib import Path

import evaluate_tiny
import processes
import psutil
import pytest

from cvae import cli
from cvae.backend.workers import Workers
from cvae.evaluation import evaluate, partial
from cvae.inference import estimates
from cvae.runs.run import Run

N_IMAGES = 60
PARTICLES, CHECKS = 20, 3
BLOCKS = ((estimates, "BLOCK", 4), (evaluate, "ENCODER_BLOCK", 1))


def dataset(mnist_dir):
    """The real data's first images."""
    return evaluate_tiny.dataset(mnist_dir, N_IMAGES)


def main():
    """Take RUN MNIST_DIR BACKEND from the command line; SIGTERM strikes on the way."""
    path, mnist_dir, backend = sys.argv[1:]
    print(json.dumps(by(Run(path), Path(mnist_dir), backend, strike_program)))


def by(run, mnist_dir, backend, strike):
    """Evaluate by two workers; after the first rows, call `strike` with them.

    Return the numbers of the processes.
    """
    add, before, found = partial.Partial.add, processes.workers(), []

    def struck(self, stage, rows):
        add(self, stage, rows)
        if not found:
            found.extend(processes.workers(before))
            strike(found)

    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(partial.Partial, "add", struck)
        for module, name, value in BLOCKS:
            patch.setattr(module, name, value)
        data, workers = dataset(mnist_dir), Workers(backend, 2)
        evaluate.evaluate_run(run, data, PARTICLES, CHECKS, workers)
    return [process.pid for process in found]


def strike_program(found):
    """Interrupt this program, after it has printed the numbers of its processes."""
    print(json.dumps([process.pid for process in found]), flush=True)
    psutil.Process().terminate()


def strike_worker(found):
    """Kill the process that has worked most."""
    max(found, key=lambda process: process.cpu_times().user).kill()


if __name__ == "__main__":
    cli.run_main(main)
