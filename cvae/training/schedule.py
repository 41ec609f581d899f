"""The length of a run, its learning rates and the order of its images.

All are functions of the step, so that a resumed run repeats them. A time budget can
shorten the plan during the run; the checkpoint contains the plan.
"""

import functools
import math
from typing import NamedTuple, Optional

import numpy as np

from cvae.config import Config

ENDLESS = 10**9  # steps


class Plan(NamedTuple):
    """Progress rises linearly from `progress` at step `start` to 1 at step `end`."""

    start: int
    progress: float
    end: int

    def images(self, batch_size: int) -> Optional[int]:
        """Return how many images the plan trains on, None if it has no end yet."""
        return None if self.end == ENDLESS else self.end * batch_size

    def at(self, step: int) -> float:
        """Return the progress of the run at `step`, 0 to 1."""
        if step >= self.end:
            return 1.0
        share = (step - self.start) / (self.end - self.start)
        return self.progress + (1.0 - self.progress) * share


def full_plan(config: Config, n_images: int) -> Plan:
    """Return the plan without a time budget; endless if only that ends the run."""
    if config.epochs is None:
        return Plan(0, 0.0, ENDLESS)
    return Plan(0, 0.0, max(1, round(config.epochs * n_images / config.batch_size)))


def next_plan(config: Config, n_images: int, step: int, seconds: float) -> Plan:
    """Return the plan of a trained run that goes on, at `step` after `seconds`.

    Its progress is what it would be if it had been the plan from the start.
    """
    plan = full_plan(config, n_images)
    if plan.end == ENDLESS and config.minutes is not None:
        return Plan(step, min(1.0, seconds / (60.0 * config.minutes)), ENDLESS)
    return plan


def refit(plan: Plan, step: int, fits: int, goal: int) -> Plan:
    """Return `plan`, changed at `step` so that it ends within `fits` more steps.

    A plan that is too long is shortened at once. A plan that was shortened grows again,
    up to `goal`, the full plan's end, once it gains a fiftieth of the steps left.
    """
    end = min(goal, step + max(fits, 0))
    if plan.end <= end <= plan.end + 0.02 * (plan.end - step):
        return plan
    return Plan(step, plan.at(step), end)


def iwae_start(plan: Plan, config: Config) -> int:
    """Return the first step that maximizes the importance-weighted bound.

    That is where progress reaches 1 - `config.iwae_share`; `ENDLESS` if that is 1.
    """
    wait = 1.0 - config.iwae_share - plan.progress
    if not config.iwae_share:
        return ENDLESS
    if wait <= 0.0:
        return plan.start
    n_steps = (plan.end - plan.start) * wait / (1.0 - plan.progress)
    return plan.start + math.ceil(n_steps)


def rates(plan: Plan, first: int, n_steps: int, config: Config) -> np.ndarray:
    """Return the learning rate of `n_steps` steps from `first`, float32 `[n_steps]`."""
    steps = range(first, first + n_steps)
    decay = [_decay(plan.at(step), config) for step in steps]
    rise = [min(1.0, (step + 1) / max(1, config.warmup)) for step in steps]
    return np.array(
        [config.learning_rate * d * r for d, r in zip(decay, rise)], np.float32
    )


def kl_weights(plan: Plan, first: int, n_steps: int, config: Config) -> np.ndarray:
    """Return the weight of the KL divergence in `n_steps` steps, float32 `[n_steps]`.

    It is `config.beta`, to which it rises linearly in `config.beta_warmup` of the run.
    """
    progress = np.array([plan.at(step) for step in range(first, first + n_steps)])
    if not config.beta_warmup:
        return np.full(n_steps, config.beta, np.float32)
    rise = np.minimum(1.0, progress / config.beta_warmup)
    return (config.beta * rise).astype(np.float32)


def _decay(progress, config):
    """Return the factor of the learning rate: 1 at the start."""
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def order(first: int, n_steps: int, n_images: int, config: Config) -> np.ndarray:
    """Return the images of `n_steps` steps from `first`, int32 `[n_steps, batch]`.

    The steps read one endless stream of permutations: every epoch has every image once,
    whatever the batch size, and a batch can contain images of two epochs.
    """
    size = config.batch_size
    position, last = first * size, (first + n_steps) * size
    parts = []
    while position < last:
        epoch, offset = divmod(position, n_images)
        permutation = _permutation(config.seed, epoch, n_images)
        parts.append(permutation[offset : offset + last - position])
        position += len(parts[-1])
    return np.concatenate(parts).reshape(n_steps, size)


@functools.lru_cache(maxsize=2)  # a call can read two epochs
def _permutation(seed, epoch, n_images):
    return np.random.RandomState([seed, epoch]).permutation(n_images).astype(np.int32)
