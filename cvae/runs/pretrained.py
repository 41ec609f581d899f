"""The pretrained run: a run that is made to be shared, as the repository has it."""

import itertools
import os
import shutil
from pathlib import Path
from typing import Optional

from cvae.errors import note
from cvae.runs.checkpoints import SHARED
from cvae.runs.run import KEPT, PRETRAINED, RUNS, Run, find, newest
from cvae.storage import files
from cvae.storage.checkout import shipped

HERE = shipped("data/pretrained")


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


def _copy(source, target):
    """Copy a run, `config.json` last: without it, the copy is not yet a run."""
    names = [p.relative_to(source) for p in sorted(source.rglob("*")) if p.is_file()]
    for name in sorted(names, key=lambda name: str(name) == "config.json"):
        with files.whole_file(target / name) as scratch:
            shutil.copyfile(str(source / name), str(scratch))


def _is_older(copy):
    """Return whether `copy` has other weights than `HERE`, and was not trained here."""
    if Run(copy).events_dir.exists():
        return False
    own, new = copy / SHARED, HERE / SHARED
    return not own.is_file() or own.read_bytes() != new.read_bytes()


def _free_name(copy):
    names = (copy.with_name(f"{KEPT}{i}") for i in itertools.count(1))
    return next(name for name in names if not name.exists())
