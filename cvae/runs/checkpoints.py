"""The checkpoints of a run: written whole, verified when read, two of them kept.

`checkpoints/step-000000123.npz` holds everything that training changes. `index.json`
names the latest checkpoints and the best one, each with its SHA-256. A run that is made
to be shared has only averaged weights, in half precision, in `model.safetensors`.
"""

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Set

import numpy as np

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.storage import files
from cvae.storage.npz import MAX_BYTES, read_arrays, write_arrays
from cvae.storage.schema import AMOUNT, NUMBER, NUMBER_OR_NULL, TEXT, WHOLE, Form, check
from cvae.storage.tensors import read_tensors, write_tensors

AVERAGE = "/ExponentialMovingAverage"  # what TensorFlow appends to an averaged name
SHARED = "model.safetensors"  # the file's name, as hubs expect it
_STATE = "__state__"  # name of the array that holds the state as JSON


class State(NamedTuple):
    """What training has to remember besides its arrays; JSON in the checkpoint.

    Older checkpoints may lack all but the first two; they get the defaults.
    """

    step: int
    plan: Sequence[float]  # `schedule.Plan`: start, progress, end
    tensorflow: Sequence[str] = ("of unknown version",)  # that trained, in order
    zhusuan: Sequence[str] = ("cvae.zs",)  # that each of them trained with
    seconds: float = 0.0  # of training, over all resumptions
    bound_sum: float = 0.0  # over the steps since the last row of metrics
    bound_steps: int = 0
    best: Optional[float] = None  # held-out bound of the best checkpoint
    config: Optional[Dict[str, Any]] = None  # the settings of the training
    to_beat: Optional[float] = None  # training bound of the plan before, of a new plan


class Checkpoint(NamedTuple):
    """Everything that training changes: TensorFlow's arrays and the loop's state."""

    arrays: Dict[str, np.ndarray]
    state: State


def averages(checkpoint: Checkpoint) -> Dict[str, np.ndarray]:
    """Return the averaged weights in `checkpoint`, by their variables' names."""
    return {
        name[: -len(AVERAGE)]: array
        for name, array in checkpoint.arrays.items()
        if name.endswith(AVERAGE)
    }


class Checkpoints:
    """The checkpoints in the run `path`, which need not exist yet."""

    def __init__(self, path: Path):
        self._folder, self._shared = path / "checkpoints", path / SHARED
        self._index_path = self._folder / "index.json"
        self._damaged: Set[str] = set()  # names of checkpoints that were skipped

    def exist(self) -> bool:
        """Return whether a checkpoint was ever written."""
        return bool(self._index(_ignore)["recent"]) or self._shared.exists()

    def save(self, checkpoint: Checkpoint, best: bool = False, keep: int = 2) -> None:
        """Write the latest (and `best`) checkpoint; keep the `keep` latest."""
        name = f"step-{checkpoint.state.step:09d}.npz"
        state = np.array(json.dumps(checkpoint.state._asdict(), allow_nan=False))
        arrays = dict(checkpoint.arrays, **{_STATE: state})
        write_arrays(self._folder / name, arrays)
        entry = self._entry(name)
        index = self._index(_ignore)
        useless = self._damaged | {name}
        recent = [old for old in index["recent"] if old["file"] not in useless]
        index["recent"] = ([entry] + recent)[:keep]
        if best:
            index["best"] = entry
        files.write_json(self._index_path, index)
        self._delete_all_but(index)

    def keep_latest(self) -> None:
        """Make the latest checkpoint the best one, if none is."""
        index = self._index(_ignore)
        if "best" not in index:
            files.write_json(self._index_path, dict(index, best=index["recent"][0]))

    def load(self, best: bool, warn: Callable[[str], None]) -> Optional[Checkpoint]:
        """Return the best checkpoint, or else the latest; None if none is whole.

        A damaged checkpoint is named through `warn`, and the one before it is used.

        Raises:
            CvaeError: there is only `model.safetensors`, and it is damaged.
        """
        index = self._index(warn)
        if not index["recent"] and self._shared.exists():
            return read_shared(self._shared)
        entries = [index["best"]] if best and "best" in index else []
        entries += [entry for entry in index["recent"] if entry not in entries]
        for entry in entries:
            path = self._folder / entry["file"]
            try:
                if _sha256(path) != entry["sha256"]:
                    raise CvaeError(f"{path} is damaged: wrong checksum")
                return read_checkpoint(path)
            except CvaeError as error:
                warn(f"{error}; skipping it")
            self._damaged.add(entry["file"])
        return None

    def _index(self, warn):
        """Return `index.json`; if it is damaged, one of the files beside it."""
        try:
            index = files.read_json(self._index_path)
            check(index, INDEX, str(self._index_path))
            return index
        except CvaeError as error:
            entries = self._entries_on_disk()
            if entries:
                warn(f"{error}; using the checkpoints beside it")
            return {"recent": entries}

    def _entries_on_disk(self):
        """Return the index's entries for the checkpoints on disk, newest first."""
        names = [path.name for path in self._paths()]
        entries = []
        for name in sorted(filter(CHECKPOINT_NAME.fits, names), reverse=True):
            with contextlib.suppress(CvaeError):  # unreadable
                entries.append(self._entry(name))
        return entries

    def _entry(self, name):
        return {"file": name, "sha256": _sha256(self._folder / name)}

    def _paths(self):
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _delete_all_but(self, index):
        """Delete older checkpoints, and the scratch files of killed processes."""
        named = {entry["file"] for entry in index["recent"]}
        named |= {index["best"]["file"]} if "best" in index else set()
        for path in self._paths():
            ours = CHECKPOINT_NAME.fits(path.name) or _SCRATCH.fullmatch(path.name)
            if ours and path.name not in named:
                with contextlib.suppress(OSError):
                    path.unlink()


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in `path`.

    Raises:
        CvaeError: the file is damaged.
    """
    arrays = read_arrays(path)
    text = arrays.pop(_STATE, None)
    if text is None or text.dtype.kind != "U" or text.shape:
        raise CvaeError(f"{path} is damaged: it has no state")
    values = files.parse_json(str(text).encode("utf-8"), path)
    return Checkpoint(arrays, _state(values, path))


def read_shared(path: Path) -> Checkpoint:
    """Return the averaged weights in the `model.safetensors` at `path`.

    Raises:
        CvaeError: the file is damaged.
    """
    weights, beside = read_tensors(path)
    check(beside, _BESIDE, str(path))
    if beside["sha256"] != _digest(weights, beside["state"]):
        raise CvaeError(f"{path} is damaged: wrong checksum; copy it again")
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    return Checkpoint(arrays, _state(beside["state"], path))


def write_shared(path: Path, checkpoint: Checkpoint) -> None:
    """Write the averaged weights of `checkpoint` to `path`, in half precision.

    Half precision takes half of the space; a weight is rounded by at most 1 in 2,048.

    Raises:
        CvaeError: a weight is too large for half precision, or the disk refuses.
    """
    weights = {}
    for name, array in averages(checkpoint).items():
        with np.errstate(over="ignore"):
            weights[name] = array.astype(np.float16)
        if not np.isfinite(weights[name]).all():
            raise CvaeError(f"{name} is too large for half precision: train again")
    state = json.loads(json.dumps(checkpoint.state._asdict()))
    sha256 = _digest(weights, state)
    write_tensors(path, weights, {"state": state, "sha256": sha256})


def _digest(weights, state):
    """Return the SHA-256 of all weights, of their names and of the state."""
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode("utf-8"))
    for name, array in sorted(weights.items()):
        form = json.dumps([name, array.dtype.name, array.shape])
        digest.update(form.encode("utf-8"))
        digest.update(array.tobytes())
    return digest.hexdigest()


def _state(values, path):
    """Return the state with these `values`, read from `path`, after checks."""
    check(values, STATE, str(path))
    state = State(**values)
    if "zhusuan" not in values:  # of a time with a single implementation
        state = state._replace(zhusuan=["cvae.zs"] * len(state.tensorflow))
    if state.plan[0] > state.step:
        raise CvaeError(f"{path} is damaged: its plan is of a later step")
    if state.config is not None:
        try:
            Config.from_dict(state.config)
        except CvaeError as error:  # a later version's setting
            raise CvaeError(f"{path}: {error}")
    return state


def _is_plan(value):
    forms = (WHOLE, NUMBER, WHOLE)
    if not isinstance(value, list) or len(value) != len(forms):
        return False
    return all(form.fits(part) for form, part in zip(forms, value))


def _are_versions(value):
    return isinstance(value, list) and bool(value) and all(map(TEXT.fits, value))


def _is_checkpoint_name(value):
    name = re.compile(r"step-[0-9]{9,18}\.npz")
    return isinstance(value, str) and bool(name.fullmatch(value))


def _is_sha256(value):
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value))


_VERSIONS = Form("a list of versions", _are_versions)
STATE = {
    "step": WHOLE,
    "plan": Form("a plan", _is_plan),
    "tensorflow?": _VERSIONS,
    "zhusuan?": _VERSIONS,
    "seconds?": AMOUNT,
    "bound_sum?": NUMBER,
    "bound_steps?": WHOLE,
    "best?": NUMBER_OR_NULL,
    "to_beat?": NUMBER_OR_NULL,
    "config?": Form("an object or null", lambda v: v is None or isinstance(v, dict)),
}
CHECKPOINT_NAME = Form("the name of a checkpoint", _is_checkpoint_name)
_SHA256 = Form("a SHA-256", _is_sha256)
_ENTRY = {"file": CHECKPOINT_NAME, "sha256": _SHA256}
INDEX = {"recent": [_ENTRY], "best?": _ENTRY}
_BESIDE = {"state": Form("an object", lambda v: isinstance(v, dict)), "sha256": _SHA256}
_SCRATCH = re.compile(r"\.(step-[0-9]{9,18}\.npz|index\.json)\..+")


def _ignore(warning):
    """Leave it to `load` to warn of a damaged index."""


def _sha256(path):
    digest = hashlib.sha256()
    with files.open_regular(path, MAX_BYTES) as (data, _):
        for chunk in iter(lambda: data.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
