"""What tests/system/test_stacks.py runs on the other stack's Python."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import tiny
from kept_graphs import KeptGraphs, random_weights

from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.inference.trained import Model
from cvae.runs import pretrained
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run
from cvae.training import held_out, loop
from cvae.training.step import Trainer

CONFIGS = {"dense": tiny.CONFIG, "conv": tiny.CONV}
N_IMAGES, PARTICLES = 10, 30


def dataset_of(whole):
    """Return the first images, of few test images: evaluating them is slow."""
    return tiny.dataset(whole, n_test=N_IMAGES)


def likelihoods(run, dataset, make=Model):
    """Return bound and log p(x | y) of the first test images, `[2, N_IMAGES]`."""
    labels = dataset.test.labels[:N_IMAGES]
    bits = binarize(dataset.test.images)[:N_IMAGES]
    with make(run.config, run.weights()) as model:
        return np.stack(
            [
                model.bound(bits, labels).total,
                model.log_likelihood(bits, labels, PARTICLES),
            ]
        )


def untrained(path, config):
    """Return a run of random weights: training convolutions takes seconds."""
    weights = random_weights(config)
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run = Run.create(path, config)
    run.save_checkpoint(Checkpoint(arrays, State(1, [0, 0.0, 1])))
    return run


def stop_in_the_middle():
    """Send SIGTERM to this process at its trainer's second call."""
    steps, calls = Trainer.steps, []

    def struck(*args):
        calls.append(args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return steps(*args)

    Trainer.steps = struck


def main():
    """Take MNIST_DIR FOLDER from the command line; leave runs and likelihoods there."""
    graphs = KeptGraphs()
    loop.Trainer, held_out.Model = graphs.trainer, graphs.model
    whole, folder = mnist.load("mnist", Path(sys.argv[1])), Path(sys.argv[2])
    dataset, found = dataset_of(whole), {}
    runs = {"dense": Run.create(folder / "dense", CONFIGS["dense"])}
    loop.train(runs["dense"], dataset)
    runs["conv"] = untrained(folder / "conv", CONFIGS["conv"])
    for name, run in runs.items():
        found[name] = likelihoods(run, dataset, graphs.model)
    found["pretrained"] = likelihoods(Run(pretrained.HERE), whole)
    np.savez(str(folder / "found.npz"), **found)
    stop_in_the_middle()
    try:
        loop.train(Run.create(folder / "stopped", tiny.CONFIG), dataset)
    except loop.Interrupted:
        return
    raise AssertionError("the training was not stopped")


if __name__ == "__main__":
    main()
