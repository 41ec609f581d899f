"""Train the default preset or evaluate in this process; print the memory it took.

    python tests/helpers/footprint.py train RUN MNIST_DIR
    python tests/helpers/footprint.py evaluate MNIST_DIR

The output is JSON: megabytes of resident memory at each peak, which only Linux reports.
"""

import json
import sys
from pathlib import Path

import tiny

from cvae.config import preset
from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.inference import importance
from cvae.inference.trained import Model
from cvae.runs.run import Run
from cvae.training import loop

EPOCHS, STEPS = 4, 8  # epochs of so few steps take seconds
N_IMAGES, PARTICLES = 2, (4000, 4000, 40000)  # the first allocates what is kept
ROWS = 500  # small arrays: how many there are at a time is chance


def main():
    """Train or evaluate; print the peaks, that of the imports first."""
    peaks = [peak()]
    do, *rest = sys.argv[1:]
    {"train": train, "evaluate": evaluate}[do](peaks, *map(Path, rest))
    print(json.dumps(peaks))


def train(peaks, path, mnist_dir):
    """Append the peak of each epoch, from one row of metrics to the next."""
    dataset = mnist.load("mnist", mnist_dir)
    config = preset("default", minutes=None, evaluate_every=1)
    epochs = EPOCHS * STEPS * config.batch_size / len(dataset.train.images)
    config = preset("default", epochs=epochs, minutes=None, evaluate_every=1)
    append_metrics = Run.append_metrics

    def measured(run, row):
        append_metrics(run, row)
        peaks.append(peak())

    Run.append_metrics = measured
    loop._Loop._epoch_end = lambda _, step: (step // STEPS + 1) * STEPS
    loop.train(Run.create(path, config), dataset)
    peaks.append(peak())  # of the last checkpoint


def evaluate(peaks, mnist_dir):
    """Append the peak of importance sampling with each number of particles."""
    importance.ROWS = ROWS
    # Narrow layers do not change the draws, whose memory it is about.
    config = preset("default", hidden=(50, 50))
    test = mnist.load("mnist", mnist_dir).test
    bits, labels = binarize(test.images[:N_IMAGES]), test.labels[:N_IMAGES]
    with Model(config, tiny.random_weights(tiny.shapes(config))) as model:
        for particles in PARTICLES:
            model.log_likelihood(bits, labels, particles)
            peaks.append(peak())


def peak():
    """Return the most megabytes that this process held since the last call.

    `getrusage` would start from the peak of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    Path("/proc/self/clear_refs").write_text("5")
    return 1024 * int(fields["VmHWM"].split()[0]) / 1e6


if __name__ == "__main__":
    main()
