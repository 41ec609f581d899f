"""Train runs halfway, or finish those that were stopped; for a process of its own.

The environment variable ZHUSUAN chooses the implementation.
"""

import sys
from pathlib import Path

import tiny
from kept_graphs import KeptGraphs
from on_other_stack import stop_in_the_middle

from cvae.data import mnist
from cvae.evaluation import evaluate
from cvae.runs.run import Run
from cvae.training import held_out, loop
from cvae.training.step import Trainer


def main():
    """Take MNIST_DIR RUN... from the command line."""
    graphs = KeptGraphs()
    loop.Trainer, held_out.Model = graphs.trainer, graphs.model
    dataset = tiny.dataset(mnist.load("mnist", Path(sys.argv[1])))
    for path in map(Path, sys.argv[2:]):
        if path.exists():
            loop.train(Run(path), dataset)
            evaluate.evaluate_run(Run(path), dataset, particles=10, ais=0)
        else:
            _train_half(Run.create(path, tiny.CONFIG), dataset)


def _train_half(run, dataset):
    steps = Trainer.steps
    stop_in_the_middle()
    try:
        loop.train(run, dataset)
    except loop.Interrupted:
        return
    finally:
        Trainer.steps = steps
    raise AssertionError("the training was not stopped")


if __name__ == "__main__":
    main()
