"""Train a run halfway, or finish one that was stopped; for a process of its own.

The environment variable ZHUSUAN chooses the implementation.
"""

import sys
from pathlib import Path

import tiny
from on_other_stack import stop_in_the_middle

from cvae.data import mnist
from cvae.evaluation import evaluate
from cvae.runs.run import Run
from cvae.training import loop


def main():
    """Take MNIST_DIR RUN from the command line."""
    dataset = tiny.dataset(mnist.load("mnist", Path(sys.argv[1])))
    path = Path(sys.argv[2])
    if path.exists():
        loop.train(Run(path), dataset)
        evaluate.evaluate_run(Run(path), dataset, particles=10, ais=0)
        return
    stop_in_the_middle()
    try:
        loop.train(Run.create(path, tiny.CONFIG), dataset)
    except loop.Interrupted:
        return
    raise AssertionError("the training was not stopped")


if __name__ == "__main__":
    main()
