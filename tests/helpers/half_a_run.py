"""Train a run halfway and finish one that was stopped, also in a process of its own.

ZHUSUAN=builtin python tests/helpers/half_a_run.py MNIST_DIR NEW STOPPED
"""

import sys
from pathlib import Path

import tiny
from kept_graphs import KeptGraphs
from on_other_stack import dataset_of, stop_in_the_middle

from cvae.data import mnist
from cvae.evaluation import evaluate
from cvae.runs.run import Run
from cvae.training import held_out, loop
from cvae.training.step import Trainer


def main():
    """Begin a run and finish another."""
    mnist_dir, new, stopped = map(Path, sys.argv[1:])
    graphs = KeptGraphs()
    loop.Trainer, held_out.Model = graphs.trainer, graphs.model
    dataset = dataset_of(mnist.load("mnist", mnist_dir))
    begin(new, dataset)
    finish(stopped, dataset)


def begin(path, dataset):
    """Train a new run until it is stopped in the middle."""
    steps = Trainer.steps
    stop_in_the_middle()
    try:
        loop.train(Run.create(path, tiny.CONFIG), dataset)
    except loop.Interrupted:
        return
    finally:
        Trainer.steps = steps
    raise AssertionError("the training was not stopped")


def finish(path, dataset):
    """Train it to its end and evaluate it."""
    loop.train(Run(path), dataset)
    evaluate.evaluate_run(Run(path), dataset, particles=10, checks=0)


if __name__ == "__main__":
    main()
