"""The pretrained run: weights in half precision, small enough for the repository.

It is a run like any other, whose one checkpoint holds the averaged weights alone: all
that sampling, evaluation and figures need, and nothing to train on.
"""

import shutil
from pathlib import Path
from typing import Optional

import numpy as np

from cvae.errors import CvaeError
from cvae.runs.run import AVERAGE, PRETRAINED, RUNS, Checkpoint, Run, find, newest
from cvae.storage import files
from cvae.storage.checkout import ROOT

HERE = ROOT / "data" / "pretrained"
RESULTS = ("metrics.jsonl", "evaluation.json", "evaluation.npz")


def find_or_unpack(path: Optional[Path] = None, say=print) -> Run:
    """Return the run at `path`, by default the newest; where there is none, ours.

    The pretrained run is then copied among the runs, and `say` hears of it.

    Raises:
        CvaeError: there is no run at `path`, or none at all.
    """
    path = path or newest()
    if path is None and HERE.is_dir():
        copy = RUNS / PRETRAINED
        if not (copy / "config.json").exists():
            _copy(HERE, copy)
        say(f"there is no run yet: using the pretrained weights, {copy}")
        return Run(copy)
    return find(path)


def export(run: Run, path: Path) -> None:
    """Write `run` to `path` with its averaged weights in half precision.

    Raises:
        CvaeError: the run has no checkpoint or is not evaluated, a weight is beyond
            half precision, or the disk refuses.
    """
    checkpoint = run.load_checkpoint(best=True)
    run.evaluation_arrays()  # missing, damaged or old is said here
    arrays = {
        name: array.astype(np.float16)
        for name, array in checkpoint.arrays.items()
        if name.endswith(AVERAGE)
    }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CvaeError(f"{name} is beyond half precision: train anew")
    files.write_json(path / "config.json", run.config.to_dict())
    for name in RESULTS:
        with files.whole_file(path / name) as scratch:
            shutil.copyfile(str(run.path / name), str(scratch))
    Run(path).save_checkpoint(Checkpoint(arrays, checkpoint.state), keep=1)


def _copy(source, target):
    """Copy a run whole: its config, by which it is known as one, comes last."""
    names = [p.relative_to(source) for p in sorted(source.rglob("*")) if p.is_file()]
    for name in sorted(names, key=lambda name: str(name) == "config.json"):
        with files.whole_file(target / name) as scratch:
            shutil.copyfile(str(source / name), str(scratch))
