"""Runs of random weights with an invented evaluation, for figures to draw."""

import numpy as np

from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

STEP = 7
N_CHECKED = 20


def trained(path, config, weights):
    """A run with a checkpoint."""
    run = Run.create(path, config)
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(STEP, [0, 0.0, STEP])))
    return run


def evaluated(run, evaluation, per_image):
    """`run` with another evaluation."""
    found = Run(run.path)
    found.evaluation = lambda: evaluation
    found.evaluation_arrays = lambda: {
        "log_likelihood": per_image,
        "bound": per_image - np.linspace(2, 4, len(per_image)),
        "ess": np.linspace(50, 10, len(per_image)),
        "encoder_ess": np.linspace(5, 95, N_CHECKED),
    }
    return found
