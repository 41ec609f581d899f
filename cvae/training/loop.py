"""The training loop: draw, train, evaluate, checkpoint; stop and resume."""

import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from cvae import zs
from cvae.backend import compat
from cvae.cli import STOP_SIGNALS
from cvae.config import Config
from cvae.data.dataset import Dataset, Split
from cvae.data.prepare import prepared
from cvae.errors import CvaeError, warn_once
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run, check_finite
from cvae.storage.checkout import command
from cvae.training import schedule
from cvae.training.budget import Budget
from cvae.training.held_out import HeldOut
from cvae.training.step import Trainer
from cvae.training.tensorboard import Events

BLOCK = 16  # steps a call: half a second at the default size, so a stop is prompt
SAVE_SECONDS = 20.0  # at most, between checkpoints


class Interrupted(Exception):
    """Training was asked to stop: its state is saved, `status` is the exit status."""

    def __init__(self, signal_number: int):
        super().__init__()
        self.status = 128 + signal_number


class Watcher:
    """Receives the events of a training; this one ignores them."""

    def began(self, done: int, planned: Optional[int]) -> None:
        """Training starts after `done` images of those `planned`, None if unknown."""

    def advanced(self, n_images: int, planned: Optional[int], bound: float) -> None:
        """Some steps took `n_images` more, with this mean `bound` in nats."""

    def ended_epoch(self, row: Dict[str, Any]) -> None:
        """A row of metrics was written."""


def train(
    run: Run, dataset: Dataset, watcher: Optional[Watcher] = None
) -> Dict[str, Any]:
    """Train `run` by its config on `dataset`, to the end of its plan.

    A run that has a checkpoint continues there, bit for bit as if it had never been
    stopped. Metrics, TensorBoard events and checkpoints go into the run. Return the
    last row of the metrics.

    Raises:
        CvaeError: `dataset` does not fit the config, the bound is no longer finite, or
            the disk refuses.
        Interrupted: SIGINT, SIGTERM or SIGHUP came.
    """
    given, dataset = dataset, prepared(dataset, run.config)
    with contextlib.ExitStack() as opened:
        opened.enter_context(run.lock())
        run.keep_data(given)
        stopped_by = opened.enter_context(_stop_signals())
        loop = _Loop(run, dataset, watcher or Watcher(), opened)
        while not loop.finished():
            if stopped_by:
                loop.save()
                raise Interrupted(stopped_by[0])
            loop.advance()
        if stopped_by:  # in the last steps, or in the last evaluation
            raise Interrupted(stopped_by[0])
        return loop.last_row()


def splits(dataset: Dataset, config: Config) -> Tuple[Split, Split, str]:
    """Return the training split, the held-out split and its name in the metrics.

    Held out is the test set, which chooses nothing; with `config.validate` it is the
    last sixth of the training images (MNIST: 10,000), which choose the best checkpoint.

    Raises:
        CvaeError: with `config.validate`, there is only one training image, or a class
            has all of its images in the last sixth.
    """
    if not config.validate:
        return dataset.train, dataset.test, "test"
    images, labels = dataset.train
    n = len(images) * 5 // 6
    if not n:
        raise CvaeError("one training image cannot be split: leave out validate")
    lost = np.setdiff1d(labels[n:], labels[:n])
    if lost.size:
        raise CvaeError(
            f"all training images of class {lost[0]} are among the last sixth, which "
            "validate holds out: leave it out, or put the images into another order"
        )
    return Split(images[:n], labels[:n]), Split(images[n:], labels[n:]), "validation"


class _Loop:
    """One process's part of a run."""

    def __init__(self, run, dataset, watcher, opened):
        self._run, self._config, self._watcher = run, run.config, watcher
        self._train, held_out, name = splits(dataset, run.config)
        self._held_out = opened.enter_context(HeldOut(run.config, held_out))
        self._bound_name = f"{name}_bound"
        self._n_images = len(self._train.images)
        plan = schedule.full_plan(run.config, self._n_images)
        self._budget = Budget(run.config.minutes, plan.end)
        self._state = State(0, plan, [compat.VERSION], [zs.IMPLEMENTATION])
        self._began = self._saved = time.monotonic()
        self._trainers = opened.enter_context(contextlib.ExitStack())
        if run.has_checkpoint():
            self._restore(run.load_checkpoint())
        else:
            self._take_trainer()
            if run.config.origin != "none":
                self._trainer.start_from(Run(Path(run.config.origin)).weights())
        self._state = self._state._replace(config=run.config.to_dict())
        self._saved_step = self._state.step
        run.trim_metrics(self._state.step)
        events = Events(run.events_dir, run.config, self._state)
        self._events = opened.enter_context(events)
        self._seconds_before = self._state.seconds
        self._budget.restart_pace(self._state.step, self._seconds())
        self._row_from = (self._state.step, time.monotonic())
        size = run.config.batch_size
        watcher.began(self._state.step * size, self._state.plan.images(size))

    def finished(self):
        return self._state.step >= self._state.plan.end

    def advance(self):
        """Run one block of steps, then whatever is due at the step it reached."""
        if self._budget.lacks_reserve():
            self._measure_end()
        first, plan = self._state.step, self._state.plan
        switch = schedule.iwae_start(plan, self._config)
        if first >= switch and not self._weighted:
            self._take_trainer(self._trainer.state())
            self._budget.restart_pace(first, self._seconds())  # steps take longer
        block = self._budget.block(BLOCK)
        ends = [first + block, plan.end, self._epoch_end(first), switch]
        n_steps = min(end - first for end in ends if end > first)
        order = schedule.order(first, n_steps, self._n_images, self._config)
        rates = schedule.rates(plan, first, n_steps, self._config)
        weights = schedule.kl_weights(plan, first, n_steps, self._config)
        bounds = self._trainer.steps(first, order, rates, weights)
        first_bad = first + int(np.argmin(np.isfinite(bounds)))
        check_finite(bounds, self._run, "the bound", first_bad)
        step = first + n_steps
        seconds = self._seconds()
        self._state = self._state._replace(
            step=step,
            plan=self._budget.fit(plan, step, seconds),
            seconds=seconds,
            bound_sum=sum(map(float, bounds), self._state.bound_sum),
            bound_steps=self._state.bound_steps + n_steps,
        )
        size = self._config.batch_size
        planned = self._state.plan.images(size)
        self._watcher.advanced(n_steps * size, planned, float(np.mean(bounds)))
        if self.finished() or step == self._epoch_end(first):
            self._end_epoch(float(rates[-1]))
        elif time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def save(self, best=False):
        """Write a checkpoint of this very step, unless it has one."""
        step = self._state.step
        if step == self._saved_step:  # to write over it would risk the only one
            return
        arrays = self._trainer.state()
        for name, array in arrays.items():
            check_finite(array, self._run, name, step)
        self._run.save_checkpoint(Checkpoint(arrays, self._state), best)
        self._saved_step, self._saved = step, time.monotonic()

    def last_row(self):
        """Return the last row of the metrics.

        Raises:
            CvaeError: a person deleted or edited it.
        """
        step = self._state.step
        for row in reversed(self._run.metrics()):
            if row["step"] == step and self._bound_name in row:
                return row
        raise CvaeError(
            f"{self._run.path} is trained, but its metrics.jsonl lacks the row of the "
            f"last step, {step}: restore the file, or train a new run"
        )

    def _begin_plan(self):
        """Go on from the end of a plan to the run's new one."""
        step, rows = self._state.step, self._run.metrics()
        plan = schedule.next_plan(
            self._config, self._n_images, step, self._state.seconds
        )
        reached = [rows[-1]["train_bound"]] if rows else []
        reached += [] if self._state.to_beat is None else [self._state.to_beat]
        self._state = self._state._replace(
            plan=plan, to_beat=max(reached, default=None)
        )
        warn_once(
            f"{self._run.path} goes on from the end of its plan at step {step:,}: its "
            "bits will be those of neither plan. Programs use its weights from there "
            "until the new plan has ended with a better bound"
        )

    def _beats_plan_before(self, row):
        """Return whether a new plan that ends now is worth its weights.

        Training images decide, because test images decide nothing.
        """
        if self._state.to_beat is None or not self.finished():
            return False
        if row["train_bound"] > self._state.to_beat:
            return True
        warn_once(
            f"{self._run.path} has not become better: the bound of the last epoch's "
            f"training is {row['train_bound']:.3f} nats, before the new plan it was "
            f"{self._state.to_beat:.3f}; the weights from there are kept"
        )
        return False

    def _take_trainer(self, arrays=None):
        """Open the trainer of the next step, in the state of `arrays`."""
        self._trainers.close()
        switch = schedule.iwae_start(self._state.plan, self._config)
        self._weighted = self._state.step >= switch
        trainer = Trainer(self._config, self._train, self._weighted)
        self._trainer = self._trainers.enter_context(trainer)
        if arrays:
            self._trainer.restore(arrays)

    def _end_epoch(self, rate):
        """Write a row of metrics and, when they are due, evaluate and save."""
        row = self._row(rate)
        due = self.finished() or round(row["epoch"]) % self._config.evaluate_every == 0
        began, best = time.monotonic(), False
        if due:
            bound = self._held_out.bound(self._trainer.averages())
            check_finite(bound, self._run, "the held-out bound", self._state.step)
            row[self._bound_name] = bound
            best = self._state.best is None or bound > self._state.best
            best = best and self._config.validate
            best = best or not self._config.validate and self._beats_plan_before(row)
        self._state = self._state._replace(bound_sum=0.0, bound_steps=0)
        if best and self._config.validate:
            self._state = self._state._replace(best=bound)
        self._run.append_metrics(row)
        self._events.write_row(row)
        if due:
            self._events.write_samples(self._state, self._held_out.samples)
        self._watcher.ended_epoch(row)
        if due or time.monotonic() - self._saved > SAVE_SECONDS:
            self.save(best)
        if due:
            self._budget.reserve(time.monotonic() - began)

    def _measure_end(self):
        """Estimate how long the last evaluation and checkpoint will take."""
        began = time.monotonic()
        self.save()
        saving = time.monotonic() - began
        evaluation = self._held_out.estimate_seconds(self._trainer.averages())
        self._budget.reserve(saving + evaluation)
        self._budget.restart_pace(self._state.step, self._seconds())

    def _seconds(self):
        """Return how long the run has taken, over all resumptions."""
        return self._seconds_before + time.monotonic() - self._began

    def _row(self, learning_rate):
        step, now = self._state.step, time.monotonic()
        from_step, from_time = self._row_from
        self._row_from = (step, now)
        n_images = (step - from_step) * self._config.batch_size
        return {
            "step": step,
            "epoch": round(step * self._config.batch_size / self._n_images, 4),
            "seconds": round(self._state.seconds, 3),
            "images_per_second": round(n_images / max(now - from_time, 1e-9), 1),
            "learning_rate": learning_rate,
            "train_bound": self._state.bound_sum / self._state.bound_steps,
        }

    def _epoch_end(self, step):
        """Return the first step after `step` at which an epoch is complete."""
        size = self._config.batch_size
        epoch = step * size // self._n_images + 1
        return -(-epoch * self._n_images // size)

    def _restore(self, checkpoint):
        if all(name.endswith(AVERAGE) for name in checkpoint.arrays):
            raise CvaeError(
                f"{self._run.path} cannot be trained further, it holds only averaged "
                f"weights: train a run of your own with `{command('train')} --from "
                f"{self._run.path}`"
            )
        state = checkpoint.state
        self._state = state._replace(plan=schedule.Plan(*state.plan))
        before = () if state.config is None else state.config.get("continued", ())
        if tuple(before) != self._config.continued:
            self._begin_plan()
        self._take_trainer(checkpoint.arrays)
        before = (state.tensorflow[-1], state.zhusuan[-1])
        now = (compat.VERSION, zs.IMPLEMENTATION)
        if now != before and not self.finished():
            warn_once(
                f"{self._run.path} was trained on TensorFlow {' with '.join(before)} "
                f"and continues on TensorFlow {' with '.join(now)}: its bits will "
                "match neither"
            )
            self._state = self._state._replace(
                tensorflow=[*state.tensorflow, compat.VERSION],
                zhusuan=[*state.zhusuan, zs.IMPLEMENTATION],
            )


@contextlib.contextmanager
def _stop_signals():
    """Collect the signals that ask to stop in a list, instead of dying of them.

    Only the main thread may do so; a worker of Dask trains in another.
    """
    received = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    previous = {
        number: signal.signal(number, lambda n, _: received.append(n))
        for number in STOP_SIGNALS
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
