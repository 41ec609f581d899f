"""The pretrained run: weights in half precision, small enough for the repository.

It is a run with one checkpoint, which holds only the averaged weights: all that
sampling, evaluation and figures need, and nothing to train on.
"""

import itertools
import os
import shutil
from pathlib import Path
from typing import Optional

import numpy as np

from cvae.errors import CvaeError, note
from cvae.runs.checkpoints import AVERAGE, Checkpoint
from cvae.runs.run import KEPT, PRETRAINED, RUNS, Run, find, newest
from cvae.storage import files
from cvae.storage.checkout import shipped

HERE = shipped("data/pretrained")
RESULTS = ("metrics.jsonl", "evaluation.json", "evaluation.npz")


def find_or_unpack(path: Optional[Path] = None) -> Run:
    """Return the run at `path`, by default the newest, or else the pretrained one.

    The pretrained run is a copy in `runs/`. If the repository has other weights by now,
    it is copied again, and the copy before is renamed. Notes go to stderr.

    Raises:
        CvaeError: there is no run at `path`, or none at all.
    """
    path, copy = path or newest(), RUNS / PRETRAINED
    if not HERE.is_dir() or (path and path.resolve() != copy.resolve()):
        return find(path)
    if not (copy / "config.json").exists():
        _copy(HERE, copy)
    elif _is_older(copy):
        kept = _free_name(copy)
        os.rename(str(copy), str(kept))
        _copy(HERE, copy)
        note(f"{copy} now has the new weights of {HERE}; the run before is {kept}")
    if path is None:
        note(f"there is no run yet: using the pretrained weights, {copy}")
    return Run(copy)


def export(run: Run, path: Path) -> None:
    """Write `run` to `path` with its averaged weights in half precision.

    Raises:
        CvaeError: the run has no checkpoint or no evaluation, a weight is too large for
            half precision, or the disk refuses.
    """
    checkpoint = run.load_checkpoint(best=True)
    run.evaluation_arrays()  # raises if they are missing, damaged or old
    arrays = {
        name: array.astype(np.float16)
        for name, array in checkpoint.arrays.items()
        if name.endswith(AVERAGE)
    }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CvaeError(f"{name} is too large for half precision: train again")
    files.write_json(path / "config.json", run.config.to_dict())
    for name in RESULTS:
        with files.whole_file(path / name) as scratch:
            shutil.copyfile(str(run.path / name), str(scratch))
    Run(path).save_checkpoint(Checkpoint(arrays, checkpoint.state), keep=1)


def _copy(source, target):
    """Copy a run, `config.json` last: without it, the copy is not yet a run."""
    names = [p.relative_to(source) for p in sorted(source.rglob("*")) if p.is_file()]
    for name in sorted(names, key=lambda name: str(name) == "config.json"):
        with files.whole_file(target / name) as scratch:
            shutil.copyfile(str(source / name), str(scratch))


def _is_older(copy):
    """Return whether `copy` has other weights than `HERE`, and was not trained here."""
    return not Run(copy).events_dir.exists() and _index(copy) != _index(HERE)


def _index(path):
    """Return the index of the checkpoints in a run, with their SHA-256."""
    try:
        return files.read_json(path / "checkpoints" / "index.json")
    except CvaeError:  # a person deleted or edited it
        return None


def _free_name(copy):
    names = (copy.with_name(f"{KEPT}{i}") for i in itertools.count(1))
    return next(name for name in names if not name.exists())
