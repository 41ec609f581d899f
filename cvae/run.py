"""The run directory: the only code that knows the names of files in it.

runs/<name>/config.json  metrics.jsonl  checkpoints/  events (TensorBoard)
            evaluation.json  samples.npz  figures/
"""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from cvae import files
from cvae.config import Config
from cvae.errors import CvaeError, nearest

RUNS = Path("runs")
LATEST = "latest"
AVERAGE = "/ExponentialMovingAverage"  # what TensorFlow appends to an averaged name


class Checkpoint(NamedTuple):
    """Everything that training changes: TensorFlow's arrays and the loop's state."""

    arrays: Dict[str, np.ndarray]
    state: Dict[str, Any]


class Run:
    """A run directory that exists and has a valid `config.json`."""

    def __init__(self, path: Path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise CvaeError(_no_run(self.path))
        if not self._file("config.json").exists():
            raise CvaeError(
                "{} is not a run: it has no config.json; train one with "
                "`python scripts/train.py --run {}`".format(self.path, self.path)
            )
        self.config = Config.from_dict(files.read_json(self._file("config.json")))

    @classmethod
    def create(cls, path: Path, config: Config) -> "Run":
        """Make a new run directory and point `runs/latest` at it.

        Raises:
            CvaeError: the directory already holds a run.
        """
        path = Path(path)
        if (path / "config.json").exists():
            raise CvaeError(
                "{} already holds a run: continue it with --resume, or choose "
                "another --run".format(path)
            )
        files.write_json(path / "config.json", config.to_dict())
        run = cls(path)
        run._become_latest()
        return run

    def lock(self):
        """Hold the run for this process until the returned file is closed.

        Raises:
            CvaeError: another process trains this run.
        """
        handle = files.lock_file(self._file(".lock"))
        if handle is None:
            raise CvaeError(
                "another process is training {}: wait for it, stop it, or choose "
                "another --run".format(self.path)
            )
        return handle

    # Metrics

    def append_metrics(self, row: Dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        with self._file("metrics.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, allow_nan=False) + "\n")
            out.flush()
            os.fsync(out.fileno())

    def metrics(self) -> List[Dict[str, Any]]:
        """Return the rows of `metrics.jsonl`, oldest first, but not a cut last line.

        Raises:
            CvaeError: a line before the last is damaged.
        """
        path = self._file("metrics.jsonl")
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        rows = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last \n is cut
            try:
                row = json.loads(line)
                rows.append({**row, "step": int(row["step"])})
            except (ValueError, TypeError, KeyError):
                raise CvaeError(
                    "{} is damaged at line {}; delete that line".format(path, number)
                )
        return rows

    def trim_metrics(self, step: int) -> None:
        """Drop what was measured after `step`: the resumed run measures it again."""
        kept = [json.dumps(row) + "\n" for row in self.metrics() if row["step"] <= step]
        files.write_bytes(self._file("metrics.jsonl"), "".join(kept).encode("utf-8"))

    # Checkpoints

    def save_checkpoint(self, checkpoint: Checkpoint, best: bool = False) -> None:
        """Write the latest (and `best`) checkpoint, keeping the one before it."""
        folder = self._file("checkpoints")
        name = "step-{:09d}.npz".format(checkpoint.state["step"])
        with files.whole_file(folder / name) as scratch, scratch.open("wb") as out:
            state = np.array(json.dumps(checkpoint.state, allow_nan=False))
            np.savez(out, **{_STATE: state}, **checkpoint.arrays)
        entry = {"file": name, "sha256": _sha256(folder / name)}
        index = self._index()
        recent = [e for e in index.get("recent", []) if e["file"] != name]
        index["recent"] = ([entry] + recent)[:2]
        if best:
            index["best"] = entry
        files.write_json(folder / "index.json", index)
        entries = index["recent"] + ([index["best"]] if "best" in index else [])
        named = {"index.json"}.union(entry["file"] for entry in entries)
        for path in folder.iterdir():  # older ones, and what a killed process left
            if path.name not in named:
                path.unlink()

    def load_checkpoint(self, best: bool = False, warn=print) -> Checkpoint:
        """Return the latest whole checkpoint, or the best one.

        A damaged one is named through `warn`, and the one before it is used.

        Raises:
            CvaeError: there is none, or none is whole.
        """
        index = self._index()
        entries = [index["best"]] if best and "best" in index else []
        entries = entries or index.get("recent", [])
        for entry in entries:
            path = self._file("checkpoints") / entry["file"]
            try:
                if _sha256(path) == entry["sha256"]:
                    return _read_checkpoint(path)
                problem = "its checksum is wrong"
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                problem = str(error)
            warn("warning: {} is damaged ({}); passing it over".format(path, problem))
        state = "no whole checkpoint left" if entries else "no checkpoint yet"
        raise CvaeError(
            "{} has {}; train it with `python scripts/train.py`, or choose another "
            "--run".format(self.path, state)
        )

    def weights(self, warn=print) -> Dict[str, np.ndarray]:
        """Return the averaged weights of the best checkpoint, or else of the latest.

        Names are those of the model's variables. There is a best checkpoint only in a
        run with `validate`.
        """
        return averages(self.load_checkpoint(best=True, warn=warn))

    def has_checkpoint(self) -> bool:
        """Return whether a checkpoint was ever written."""
        return bool(self._index().get("recent"))

    def _index(self):
        path = self._file("checkpoints") / "index.json"
        return files.read_json(path) if path.exists() else {}

    # Results

    def write_evaluation(self, results: Dict[str, Any]) -> Path:
        """Write `evaluation.json`."""
        files.write_json(self._file("evaluation.json"), results)
        return self._file("evaluation.json")

    def evaluation(self) -> Dict[str, Any]:
        """Return `evaluation.json`.

        Raises:
            CvaeError: it is missing or damaged.
        """
        if not self._file("evaluation.json").exists():
            raise CvaeError(
                "{} is not evaluated yet: run `python scripts/evaluate.py --run "
                "{}`".format(self.path, self.path)
            )
        return files.read_json(self._file("evaluation.json"))

    @property
    def samples_path(self) -> Path:
        """Where the generated arrays go."""
        return self._file("samples.npz")

    @property
    def events_dir(self) -> Path:
        """Where TensorBoard's event files go."""
        return self._file("events")

    @property
    def figures_dir(self) -> Path:
        """Where figures go."""
        return self._file("figures")

    def _file(self, name):
        return self.path / name

    def _become_latest(self):
        link = self.path.parent / LATEST
        if self.path.name == LATEST or (link.exists() and not link.is_symlink()):
            return
        scratch = link.with_name(".{}.{}".format(LATEST, os.getpid()))
        os.symlink(self.path.name, str(scratch))
        os.replace(str(scratch), str(link))


_STATE = "__state__"


def averages(checkpoint: Checkpoint) -> Dict[str, np.ndarray]:
    """Return the averaged weights in `checkpoint`, by their variables' names."""
    return {
        name[: -len(AVERAGE)]: array
        for name, array in checkpoint.arrays.items()
        if name.endswith(AVERAGE)
    }


def find(path: Optional[Path] = None) -> Run:
    """Return the run at `path`, by default the newest (`runs/latest`).

    Raises:
        CvaeError: there is none.
    """
    if path is None and not (RUNS / LATEST).exists():
        raise CvaeError(
            "there is no run yet: train one with `python scripts/train.py`, or name "
            "one with --run"
        )
    return Run((RUNS / LATEST).resolve() if path is None else path)


def check_arrays(arrays, shapes):
    """Raise `CvaeError` unless `arrays` has every name of `shapes`, in that shape."""
    for name, shape in shapes.items():
        found = list(arrays[name].shape) if name in arrays else "missing"
        if found != list(shape):
            raise CvaeError(
                "{} is {} in the checkpoint, {} in this model: it is of another "
                "architecture; choose its own run".format(name, found, list(shape))
            )


def _no_run(path):
    siblings = path.parent.iterdir() if path.parent.is_dir() else []
    runs = sorted(p.name for p in siblings if (p / "config.json").exists())
    hint = nearest(path.name, runs) if runs else "train one with scripts/train.py"
    return "there is no run {}: {}".format(path, hint)


def _read_checkpoint(path):
    with np.load(str(path), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return Checkpoint(arrays, json.loads(str(arrays.pop(_STATE))))


def _sha256(path):
    digest = hashlib.sha256()
    with Path(path).open("rb") as data:
        for chunk in iter(lambda: data.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
