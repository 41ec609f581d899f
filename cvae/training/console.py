"""Training with a console: what is trained, a progress bar, epochs, how it ended."""

import contextlib
from typing import Any, Dict, Iterator, Optional

from cvae import zs
from cvae.backend import compat
from cvae.config import Config
from cvae.data.dataset import Dataset
from cvae.progress import Progress, clock
from cvae.runs.run import Run
from cvae.storage.checkout import command
from cvae.training import loop


def train_with_console(run: Run, dataset: Dataset) -> int:
    """Train as `loop.train` does and print it; return the exit status.

    Settings and results go to stdout, progress to stderr.
    """
    for line in _description(run, dataset):
        print(line)
    _, _, held_out = loop.splits(dataset, run.config)
    try:
        with _Console(held_out) as console:
            last = loop.train(run, dataset, console)
    except loop.Interrupted as stop:
        print(
            "stopped, nothing is lost; continue with\n"
            f"  {command('train')} --resume --run {run.path}"
        )
        return stop.status
    print(
        f"trained   {last['epoch']:.1f} epochs, {last['step']:,} steps, "
        f"{clock(last['seconds'])} minutes"
    )
    print(
        f"bound     {last[held_out + '_bound']:.3f} nats on the {held_out} images, "
        f"{last['train_bound']:.3f} in the last epoch's training"
    )
    return 0


class _Console(loop.Watcher, contextlib.ExitStack):
    """Shows progress and epochs on stderr, until it is closed."""

    def __init__(self, held_out: str):
        super().__init__()
        self._bound = f"{held_out}_bound"
        self._held_out = held_out

    def began(self, done: int, planned: Optional[int]) -> None:
        self._progress = self.enter_context(Progress(planned, done))

    def advanced(self, n_images: int, planned: Optional[int], bound: float) -> None:
        self._progress.advance(n_images, planned, f"bound {bound:.2f}")

    def ended_epoch(self, row: Dict[str, Any]) -> None:
        parts = [f"epoch {row['epoch']:6.1f}", f"train {row['train_bound']:8.3f}"]
        if self._bound in row:
            parts.append(f"{self._held_out} {row[self._bound]:8.3f} nats")
        self._progress.note("  ".join([*parts, self._progress.summary()]))


def _description(run: Run, dataset: Dataset) -> Iterator[str]:
    config = run.config
    yield f"run       {run.path}"
    n_train, n_test = len(dataset.train.images), len(dataset.test.images)
    yield (
        f"data      {dataset.name}: {n_train:,} training images, {n_test:,} test images"
    )
    if dataset.classes:
        yield f"classes   {', '.join(dataset.classes)}"
    if dataset.note:
        yield f"note      {dataset.note}"
    yield f"library   TensorFlow {compat.VERSION}, {zs.IMPLEMENTATION}"
    yield f"model     {', '.join(_parts_of_model(config))}"
    yield (
        f"plan      {', '.join(_parts_of_plan(config))}; batch {config.batch_size}, "
        f"{config.optimizer.capitalize()} {config.learning_rate:g}, "
        f"{config.schedule} rate, seed {config.seed}"
    )


def _parts_of_model(config: Config) -> Iterator[str]:
    yield f"{config.n_classes} classes"
    yield f"z in R^{config.z_dim}"
    if config.network == "conv":
        maps = "-".join(map(str, config.channels))
        yield f"feature maps {maps} x {config.blocks} blocks"
    yield f"hidden layers {'-'.join(map(str, config.hidden))} {config.activation}"
    if config.film:
        yield "scaled and shifted by class"
    yield f"k = {config.particles}"


def _parts_of_plan(config: Config) -> Iterator[str]:
    if config.epochs:
        yield f"{config.epochs:g} epochs"
    if config.minutes:
        yield f"at most {config.minutes:g} minutes"
    if config.iwae_share:
        yield (
            f"importance-weighted with k = {config.iwae_particles} in the last "
            f"{100.0 * config.iwae_share:g} %"
        )
