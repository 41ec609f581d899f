"""Measure one point of `scaling.py`, and count what its sizes cost.

    python benchmarks/scaling_point.py SECONDS BATCH_SIZE PARTICLES WIDTH Z_DIM IMAGES

measures calls for SECONDS and prints JSON. Each point has its own process, so that the
peak memory is that of the point.
"""

import _paths  # noqa: F401  (first: where the package is)

import json
import resource
import sys
import time
from typing import NamedTuple

import numpy as np
from peers.nets import layers, step_flop

from cvae.config import Config
from cvae.data import mnist
from cvae.data.dataset import Split
from cvae.training import schedule

CALL_SECONDS = 0.3  # that a call lasts at most, if it is more than a step
MIN_CALLS = 3


class Point(NamedTuple):
    """The sizes that vary, by default those of the settings except for `width`."""

    batch_size: int = Config().batch_size
    particles: int = Config().particles
    width: int = 800
    z_dim: int = Config().z_dim
    images: int = 60000

    def config(self):
        """Return the default settings with these sizes and without FiLM."""
        return Config(
            batch_size=self.batch_size,
            particles=self.particles,
            hidden=(self.width,) * len(Config().hidden),
            z_dim=self.z_dim,
        )

    def flop_per_image(self):
        """Return the operations in the matrix products of a step, per image."""
        return step_flop(self.config()) // self.batch_size

    def needed_bytes(self):
        """Return the bytes of what must be in memory at once.

        These are four numbers for each weight (itself, its average, Adam's two
        moments), the values of all layers in a step, the images and their labels.
        """
        config = self.config()
        sizes = [layer.kernel for layer in layers(config)]
        weights = sum(n_in * n_out for n_in, n_out in sizes)
        half = len(sizes) // 2
        encoder, decoder = (
            part[0][0] + sum(n_out for _, n_out in part)
            for part in (sizes[:half], sizes[half:])
        )
        values = self.batch_size * (encoder + decoder * self.particles)
        return 4 * 4 * weights + 4 * values + (Config().x_dim + 1) * self.images


def measure(point, seconds):
    """Measure calls in this process for `seconds`, after a warm-up.

    Returns:
        TensorFlow's version, the seconds per image of each call, and the peak resident
        memory in bytes, at the end and after the import of TensorFlow.
    """
    # Imports TensorFlow, which a process that needs only `Point` does without.
    from cvae.backend import compat
    from cvae.training.loop import BLOCK
    from cvae.training.step import Trainer

    imported = _peak_bytes()
    images = moved(mnist.load().train, point.images)
    with Trainer(point.config(), images) as trainer:
        times = _seconds_per_image(trainer, point, seconds, BLOCK)
    return {
        "tensorflow": compat.VERSION,
        "seconds_per_image": times,
        "imported_bytes": imported,
        "peak_bytes": _peak_bytes(),
    }


def _seconds_per_image(trainer, point, seconds, most_steps):
    """Return those of each call, with order and rates of its steps as in training."""
    config, step = point.config(), 0
    plan = schedule.full_plan(config, point.images)

    def call(n_steps):
        nonlocal step
        began = time.monotonic()
        order = schedule.order(step, n_steps, point.images, config)
        trainer.steps(step, order, schedule.rates(plan, step, n_steps, config))
        step += n_steps
        return (time.monotonic() - began) / n_steps

    call(1)
    n_steps = int(np.clip(CALL_SECONDS / call(1), 1, most_steps))
    call(n_steps)
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < MIN_CALLS:
        times.append(call(n_steps) / point.batch_size)
    return times


def moved(split, n):
    """Return `n` images: those of `split`, repeated with a move by a pixel.

    Each repeat has another of nine directions (the first is no move), in turn.
    """
    images = np.empty((n, split.images.shape[1]), np.uint8)
    side = int(images.shape[1] ** 0.5)
    for number, start in enumerate(range(0, n, len(split.images))):
        part = split.images[: n - start].reshape(-1, side, side)
        down, right = divmod((number + 4) % 9, 3)  # 1, 1 is none
        framed = np.pad(part, ((0, 0), (1, 1), (1, 1)), "constant")
        part = framed[:, down : down + side, right : right + side]
        images[start : start + len(part)] = part.reshape(len(part), -1)
    return Split(images, np.resize(split.labels, n))


def _peak_bytes():
    """Return that of this process; on Linux it is at least that of its parent."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    print(json.dumps(measure(Point(*map(int, sys.argv[2:])), float(sys.argv[1]))))
