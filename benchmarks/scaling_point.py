"""One point of `scaling.py`: its sizes, what they cost by count, and by measurement.

    python benchmarks/scaling_point.py SECONDS BATCH_SIZE PARTICLES WIDTH Z_DIM IMAGES

measures calls for so many seconds and prints JSON. It is a process of its own, so that
its peak memory is of nothing else.
"""

import _paths  # noqa: F401  (first: where the package is)

import json
import resource
import sys
import time
from typing import NamedTuple

import numpy as np
from peers import layers, step_flop

from cvae.config import Config
from cvae.data import mnist
from cvae.data.dataset import Split
from cvae.training import schedule

CALL_SECONDS = 0.3  # that a call lasts at most, if it is more than a step
MIN_CALLS = 3


class Point(NamedTuple):
    """The sizes that vary; by default the default settings', but a wider net's."""

    batch_size: int = Config().batch_size
    particles: int = Config().particles
    width: int = 800
    z_dim: int = Config().z_dim
    images: int = 60000

    def config(self):
        """Return the default settings of these sizes, the class concatenated alone."""
        return Config(
            batch_size=self.batch_size,
            particles=self.particles,
            hidden=(self.width,) * len(Config().hidden),
            z_dim=self.z_dim,
        )

    def flop_per_image(self):
        """Count the operations in the matrix products of a step, an image."""
        return step_flop(self.config()) // self.batch_size

    def needed_bytes(self):
        """Count what must be there at once.

        Four numbers a weight (itself, its average, Adam's two moments), the values of
        all layers for a step, the images and their labels.
        """
        config = self.config()
        sizes = [size for _, size in layers(config)]
        weights = sum(n_in * n_out for n_in, n_out in sizes)
        half = len(sizes) // 2
        encoder, decoder = (
            part[0][0] + sum(n_out for _, n_out in part)
            for part in (sizes[:half], sizes[half:])
        )
        values = self.batch_size * (encoder + decoder * self.particles)
        return 4 * 4 * weights + 4 * values + (Config().x_dim + 1) * self.images


def measure(point, seconds):
    """Time calls for `seconds`, after a warm-up, in this process.

    Returns:
        TensorFlow's version, the seconds an image of each call, and the peak resident
        memory in bytes, at the end and once TensorFlow was imported.
    """
    from cvae.backend import (
        compat,  # TensorFlow: who imports this file for `Point` stays small
    )
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
    """Of each call, with the order and the rates of its steps, as in training."""
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
    """`n` images: those of `split`, and again, each time moved in another direction.

    The directions are the nine of a pixel, none first, and then over again.
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
    """This process's; on Linux not below that of the one which started it, alas."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    print(json.dumps(measure(Point(*map(int, sys.argv[2:])), float(sys.argv[1]))))
