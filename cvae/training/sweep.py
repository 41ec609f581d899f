"""Train several runs side by side, for instance one for each of several seeds."""

from pathlib import Path
from typing import Any, Dict, Generator, List, Mapping, Optional, Sequence

import numpy as np

from cvae.backend import threads, workers
from cvae.backend.workers import Workers
from cvae.cli import process
from cvae.progress import Progress
from cvae.runs import dataset_file
from cvae.runs.run import Member, Run
from cvae.training import loop


def train_runs(
    members: Sequence[Member], mnist_dir: Optional[Path], where: Workers
) -> Generator[Dict[str, Any], None, None]:
    """Train the runs and yield the last row of the metrics of each, in their order.

    Runs that exist are resumed; those that are trained are not trained again. Each is
    locked while it is trained. On several machines, all must reach the same `path`s.

    Args:
        mnist_dir: where the workers find the data, see `cvae.data.load.load`.
        where: a backend with processes, by default one for each two cores, as many as
            a training keeps busy.

    Raises:
        CvaeError: a run has other settings, is in use or cannot be trained, or the
            workers cannot be used.
    """
    if where.jobs is None and where.address is None:
        where = where._replace(jobs=max(1, threads.cores() // 2))
    place = None if mnist_dir is None else Path(mnist_dir).resolve()
    tasks = [(Path(path).resolve(), config, place) for path, config in members]
    with workers.open_pool(where) as pool:
        yield from pool.each(_train, tasks)


def train_with_progress(
    members: Sequence[Member], mnist_dir: Optional[Path], where: Workers
) -> List[Dict[str, Any]]:
    """Train as `train_runs` does, print which runs are trained, return all rows."""
    rows = []
    with Progress(len(members), unit="run") as progress:
        for member, row in zip(members, train_runs(members, mnist_dir, where)):
            bound = f"{_held_out(row):.3f} nats"
            progress.note(f"trained {member.path}: bound {bound}")
            progress.advance(1)
            rows.append(row)
    return rows


def _train(task):
    path, config, mnist_dir = task
    process.silence_libraries()
    run = Run.open_or_create(path, config)
    dataset, _ = dataset_file.load_for(run, mnist_dir)
    return loop.train(run, dataset)


def table(groups: Mapping[str, Sequence[Dict[str, Any]]]) -> str:
    """Return mean and spread of the bounds of the runs of each group, as text.

    Args:
        groups: name of the common settings to the last rows of the metrics of the runs.
    """
    width = max(map(len, [*groups, "settings"]))
    lines = [
        f"{'held-out bound, nats':>{width + 44}}",
        f"{'settings':{width}}  runs      mean    spread     worst      best  epochs",
    ]
    for name, rows in groups.items():
        bounds = np.array([_held_out(row) for row in rows])
        spread = f"{bounds.std(ddof=1):9.3f}" if len(bounds) > 1 else " " * 9
        epochs = np.mean([row["epoch"] for row in rows])
        lines.append(
            f"{name:{width}}  {len(rows):4} {bounds.mean():9.3f} {spread} "
            f"{bounds.min():9.3f} {bounds.max():9.3f} {epochs:7.1f}"
        )
    return "\n".join([*lines, "", "spread: standard deviation over the runs (n - 1)"])


def _held_out(row):
    return next(row[name] for name in ("validation_bound", "test_bound") if name in row)
