"""The training loop: draw, train, evaluate, checkpoint; stop, resume, lose nothing."""

import contextlib
import signal
import time
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import zs
from cvae.backend import compat
from cvae.cli import STOP_SIGNALS
from cvae.config import Config
from cvae.data.binarize import binarize
from cvae.data.dataset import Dataset, Split
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.progress import Progress, clock
from cvae.runs.run import AVERAGE, Checkpoint, Run
from cvae.training import schedule
from cvae.training.step import Trainer

BLOCK = 16  # steps a call: half a second at the default size, so a stop is prompt
SAVE_SECONDS = 20.0  # at most, between checkpoints
RESERVE_SECONDS = 2.0  # of a time budget, for the last evaluation and checkpoint


class Interrupted(Exception):
    """Training was asked to stop: its state is saved, `status` is the exit status."""

    def __init__(self, signal_number: int):
        super().__init__()
        self.status = 128 + signal_number


def train(run: Run, dataset: Dataset) -> Dict[str, Any]:
    """Train `run` by its config on `dataset`, to the end of its plan.

    A run that has a checkpoint goes on from there, bit for bit as if never stopped.
    Writes metrics, TensorBoard events and checkpoints into the run, and returns the
    last row of the metrics.

    Raises:
        CvaeError: the bound is no longer finite, or the disk refuses.
        Interrupted: SIGINT, SIGTERM or SIGHUP came.
    """
    with contextlib.ExitStack() as opened:
        opened.enter_context(run.lock())
        stopped_by = opened.enter_context(_stop_signals())
        loop = _Loop(run, dataset, opened)
        while not loop.finished():
            if stopped_by:
                loop.save()
                raise Interrupted(stopped_by[0])
            loop.advance()
        if stopped_by:  # in the last steps, or in the last evaluation
            raise Interrupted(stopped_by[0])
    return run.metrics()[-1]


def train_and_tell(run: Run, dataset: Dataset) -> int:
    """Train as `train` does, say what is done and how to go on; return the status."""
    config = run.config
    print(f"run       {run.path}")
    print(
        f"data      {dataset.name}: {len(dataset.train.images):,} training images, "
        f"{len(dataset.test.images):,} test images"
    )
    if dataset.note:
        print(f"note      {dataset.note}")
    print(f"library   TensorFlow {compat.VERSION}, {zs.IMPLEMENTATION}")
    print(
        "model     {} classes, z in R^{}, {}hidden layers {} {}{}, k = {}".format(
            config.n_classes,
            config.z_dim,
            _convolutions(config),
            "-".join(map(str, config.hidden)),
            config.activation,
            ", scaled and shifted by class" if config.film else "",
            config.particles,
        )
    )
    print(
        "plan      {}; batch {}, {} {:g}, {} rate, seed {}".format(
            ", ".join(_parts_of_plan(config)),
            config.batch_size,
            config.optimizer.capitalize(),
            config.learning_rate,
            config.schedule,
            config.seed,
        )
    )
    try:
        last = train(run, dataset)
    except Interrupted as stop:
        print(
            "stopped, nothing is lost; go on with\n"
            f"  python scripts/train.py --resume --run {run.path}"
        )
        return stop.status
    print(
        "trained   {:.1f} epochs, {:,} steps, {} minutes".format(
            last["epoch"], last["step"], clock(last["seconds"])
        )
    )
    held_out = splits(dataset, config)[2]
    print(
        "bound     {:.3f} nats on the {} images, {:.3f} in the last epoch's "
        "training".format(last[held_out + "_bound"], held_out, last["train_bound"])
    )
    return 0


def _convolutions(config):
    if config.network != "conv":
        return ""
    maps = "-".join(map(str, config.channels))
    return f"feature maps {maps} x {config.blocks} blocks, "


def _parts_of_plan(config):
    if config.epochs:
        yield f"{config.epochs:g} epochs"
    if config.minutes:
        yield f"at most {config.minutes:g} minutes"
    if config.iwae_share:
        percent = 100.0 * config.iwae_share
        k = config.iwae_particles
        yield f"importance-weighted with k = {k} in the last {percent:g} %"


def splits(dataset: Dataset, config: Config) -> Tuple[Split, Split, str]:
    """Return the training split, the held-out split and its name in the metrics.

    Held out is the test set, by which nothing is chosen; with `config.validate` it is
    the last sixth of the training images (MNIST: 10,000), which choose the best
    checkpoint.
    """
    if not config.validate:
        return dataset.train, dataset.test, "test"
    images, labels = dataset.train
    n = len(images) * 5 // 6
    return Split(images[:n], labels[:n]), Split(images[n:], labels[n:]), "validation"


class _State(NamedTuple):
    """What the loop itself has to remember; JSON in the checkpoint."""

    step: int
    plan: schedule.Plan
    tensorflow: Sequence[str]  # the versions that trained, in order
    zhusuan: Sequence[str]  # the implementation that each of them trained with
    seconds: float = 0.0  # of training, over all resumptions
    bound_sum: float = 0.0  # over the steps since the last row of metrics
    bound_steps: int = 0
    best: Optional[float] = None  # held-out bound of the best checkpoint


class _Loop:
    """One process's part of a run."""

    def __init__(self, run, dataset, opened):
        self._run, self._config = run, run.config
        self._train, self._test, self._held_out = splits(dataset, run.config)
        self._n_images = len(self._train.images)
        self._goal = schedule.full_plan(run.config, self._n_images)
        self._state = _State(0, self._goal, [compat.VERSION], [zs.IMPLEMENTATION])
        self._began = self._saved = time.monotonic()
        self._trainers = opened.enter_context(contextlib.ExitStack())
        if run.has_checkpoint():
            self._restore(run.load_checkpoint())
        else:
            self._take_trainer()
        self._saved_step = self._state.step
        run.trim_metrics(self._state.step)
        self._opened, self._model = opened, None
        self._events = opened.enter_context(_events(run, self._state.step))
        size = run.config.batch_size
        self._progress = opened.enter_context(
            Progress(self._state.plan.images(size), self._state.step * size)
        )
        self._seconds_before = self._state.seconds
        self._pace_from = None  # (step, time) after the first block, which warms up
        self._row_from = (self._state.step, time.monotonic())

    def finished(self):
        return self._state.step >= self._state.plan.end

    def advance(self):
        """Run one block of steps, then whatever is due at the step it reached."""
        first, plan = self._state.step, self._state.plan
        switch = schedule.iwae_start(plan, self._config)
        if first >= switch and not self._weighted:
            self._take_trainer(self._trainer.state())
            self._pace_from = None  # its steps take longer
        ends = [first + BLOCK, plan.end, self._epoch_end(first), switch]
        n_steps = min(end - first for end in ends if end > first)
        order = schedule.order(first, n_steps, self._n_images, self._config)
        rates = schedule.rates(plan, first, n_steps, self._config)
        bounds = self._trainer.steps(first, order, rates)
        self._check_finite(bounds, "the bound", first + _first_bad(bounds))
        self._state = self._state._replace(
            step=first + n_steps,
            seconds=self._seconds_before + time.monotonic() - self._began,
            bound_sum=sum(map(float, bounds), self._state.bound_sum),
            bound_steps=self._state.bound_steps + n_steps,
        )
        self._keep_to_budget()
        self._progress.advance(
            n_steps * self._config.batch_size,
            self._state.plan.images(self._config.batch_size),
            f"bound {np.mean(bounds):.2f}",
        )
        if self.finished() or self._state.step == self._epoch_end(first):
            self._end_of_epoch(float(rates[-1]))
        elif time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def _take_trainer(self, arrays=None):
        """Open the trainer of the step that comes, in the state of `arrays`."""
        self._trainers.close()
        switch = schedule.iwae_start(self._state.plan, self._config)
        self._weighted = self._state.step >= switch
        trainer = Trainer(self._config, self._train, self._weighted)
        self._trainer = self._trainers.enter_context(trainer)
        if arrays:
            self._trainer.restore(arrays)

    def save(self, best=False):
        """Write a checkpoint of this very step, unless it has one."""
        step = self._state.step
        if step == self._saved_step:  # to write over it would risk the only one
            return
        arrays = self._trainer.state()
        for name, array in arrays.items():
            self._check_finite(array, name, step)
        self._run.save_checkpoint(Checkpoint(arrays, dict(self._state._asdict())), best)
        self._saved_step, self._saved = step, time.monotonic()

    def _end_of_epoch(self, rate):
        """Write a row of metrics, evaluating when it is due, and a checkpoint."""
        row = self._row(rate)
        epoch = round(row["epoch"])
        due = self.finished() or epoch % self._config.evaluate_every == 0
        best = False
        if due:
            held_out = self._held_out_bound()
            self._check_finite(held_out, "the held-out bound", self._state.step)
            row[self._held_out + "_bound"] = held_out
            best = self._state.best is None or held_out > self._state.best
        self._state = self._state._replace(bound_sum=0.0, bound_steps=0)
        if best and self._config.validate:
            self._state = self._state._replace(best=held_out)
        self._run.append_metrics(row)
        _write_events(self._events, row)
        self._progress.note(self._line(row))
        if due or time.monotonic() - self._saved > SAVE_SECONDS:
            self.save(best and self._config.validate)

    def _held_out_bound(self):
        """Return the averaged weights' mean bound on the held-out images."""
        weights = self._trainer.averages()
        if self._model is None:  # training need not wait for its graph and its bits
            self._bits = binarize(self._test.images)
            self._model = self._opened.enter_context(Model(self._config, weights))
        else:
            self._model.load(weights)
        return float(self._model.bound(self._bits, self._test.labels).total.mean())

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

    def _line(self, row):
        parts = [
            "epoch {:6.1f}".format(row["epoch"]),
            "train {:8.3f}".format(row["train_bound"]),
        ]
        name = self._held_out + "_bound"
        if name in row:
            parts.append(f"{self._held_out} {row[name]:8.3f} nats")
        return "{}  {}".format("  ".join(parts), self._progress.summary())

    def _epoch_end(self, step):
        """Return the first step after `step` at which an epoch is complete."""
        size = self._config.batch_size
        epoch = step * size // self._n_images + 1
        return -(-epoch * self._n_images // size)

    def _keep_to_budget(self):
        """Fit the plan to the minutes that are left, at the pace so far."""
        now = time.monotonic()
        if self._config.minutes is None:
            return
        if self._pace_from is None:
            self._pace_from = (self._state.step, now)
            return
        from_step, from_time = self._pace_from
        elapsed = max(now - from_time, 1e-9)  # of a coarse clock
        pace = elapsed / (self._state.step - from_step)
        left = 60.0 * self._config.minutes - self._state.seconds - RESERVE_SECONDS
        plan = schedule.refit(
            self._state.plan, self._state.step, int(left / pace), self._goal.end
        )
        self._state = self._state._replace(plan=plan)

    def _check_finite(self, values, name, step):
        if np.isfinite(values).all():
            return
        kept = (
            "the last good checkpoint is kept; " if self._run.has_checkpoint() else ""
        )
        raise CvaeError(
            f"{self._run.path}: {name} is not finite at step {step}; {kept}train anew "
            "with a "
            f"--learning-rate below {self._config.learning_rate:g}"
        )

    def _restore(self, checkpoint):
        if all(name.endswith(AVERAGE) for name in checkpoint.arrays):
            raise CvaeError(
                f"{self._run.path} holds weights to use, not a training to go on "
                "with: train a run "
                "of your own with `python scripts/train.py`"
            )
        state = _State(**checkpoint.state)
        self._state = state._replace(plan=schedule.Plan(*state.plan))
        self._take_trainer(checkpoint.arrays)
        before = state.tensorflow[-1], state.zhusuan[-1]
        now = compat.VERSION, zs.IMPLEMENTATION
        if now != before and not self.finished():
            print(
                "warning: {} was trained on TensorFlow {} with {} and continues on "
                "TensorFlow {} with {}: its bits will match neither".format(
                    self._run.path, *before, *now
                )
            )
            self._state = self._state._replace(
                tensorflow=[*state.tensorflow, compat.VERSION],
                zhusuan=[*state.zhusuan, zs.IMPLEMENTATION],
            )


def _first_bad(values):
    return int(np.argmin(np.isfinite(values)))


@contextlib.contextmanager
def _stop_signals():
    """Collect the signals that ask to stop in a list instead of dying of them."""
    received = []
    previous = {
        number: signal.signal(number, lambda n, _: received.append(n))
        for number in STOP_SIGNALS
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _events(run, step):
    """Open a TensorBoard writer; what older files say after `step` is void."""
    try:
        with tf.Graph().as_default():
            writer = tf.summary.FileWriter(str(run.events_dir))
    except tf.errors.OpError as error:
        raise CvaeError(f"cannot write {run.events_dir}: {error.message}")
    start = tf.SessionLog(status=tf.SessionLog.START)
    writer.add_session_log(start, step)
    try:
        yield writer
    finally:
        writer.close()


def _write_events(writer, row):
    for name, value in row.items():
        if name != "step":
            summary = tf.Summary.Value(tag=name, simple_value=value)
            writer.add_summary(tf.Summary(value=[summary]), row["step"])
    writer.flush()
