"""The run directory: the only code that knows the names of files in it.

runs/<name>/config.json  metrics.jsonl  checkpoints/  events (TensorBoard)
            evaluation.json  evaluation.npz  samples.npz  figures/
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from cvae.config import Config
from cvae.errors import CvaeError, suggest
from cvae.runs import evaluation_file
from cvae.storage import files, schema
from cvae.storage.checkout import in_checkout
from cvae.storage.npz import MAX_BYTES, read_arrays, write_arrays
from cvae.storage.schema import check

RUNS = in_checkout("runs")
LATEST = "latest"
PRETRAINED = "pretrained"  # the run that comes with the repository, copied among ours
_EVALUATION, _EVALUATION_ARRAYS = "evaluation.json", "evaluation.npz"
AVERAGE = "/ExponentialMovingAverage"  # what TensorFlow appends to an averaged name
MAX_METRICS = 1 << 28  # bytes of metrics.jsonl: a million epochs
MAX_ROW = 1 << 12  # bytes of a line of it


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
                f"{self.path} is not a run: it has no config.json; train one with "
                f"`python scripts/train.py --run {self.path}`"
            )
        self.config = _read_config(self._file("config.json"))
        self._damaged = set()  # names of checkpoints that were passed over

    @classmethod
    def create(cls, path: Path, config: Config) -> "Run":
        """Make a new run directory and point `runs/latest` at it.

        Raises:
            CvaeError: the directory already holds a run.
        """
        path = Path(path)
        if path.name in ("", ".."):
            raise CvaeError(f"{path} is no name for a run: choose another")
        with _lock(path):  # of two that make the same run at once, one does
            if (path / "config.json").exists():
                raise CvaeError(
                    f"{path} already holds a run: continue it with --resume, or choose "
                    "another --run"
                )
            files.write_json(path / "config.json", config.to_dict())
        run = cls(path)
        run._become_latest()
        return run

    @classmethod
    def create_by_date(cls, config: Config) -> "Run":
        """Make a run in `runs/` that is named by date and time.

        Of several that are made in one second, each has a name of its own.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        for number in itertools.count(1):
            path = RUNS / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            return cls.create(path, config)

    def lock(self):
        """Hold the run for this process until the returned file is closed.

        Raises:
            CvaeError: another process trains this run.
        """
        return _lock(self.path)

    # Metrics

    def append_metrics(self, row: Dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        line = json.dumps(row, allow_nan=False) + "\n"
        path = self._file("metrics.jsonl")
        try:
            with path.open("a", encoding="utf-8") as out:
                out.write(line)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise CvaeError(
                f"cannot write {path}: {error.strerror or error}; free the disk, then "
                "go on with --resume"
            )

    def metrics(self) -> List[Dict[str, Any]]:
        """Return the rows of `metrics.jsonl`, oldest first, but not a cut last line.

        Raises:
            CvaeError: a line before the last is damaged.
        """
        path = self._file("metrics.jsonl")
        if not path.exists():
            return []
        rows = []
        with files.open_regular(path, MAX_METRICS) as (stream, _):
            lines = iter(lambda: stream.readline(MAX_ROW), b"")
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n") and len(line) < MAX_ROW:
                    break  # cut while it was written
                rows.append(_metrics_row(line, path, number))
        return rows

    def trim_metrics(self, step: int) -> None:
        """Drop what was measured after `step`: the resumed run measures it again."""
        kept = [json.dumps(row) + "\n" for row in self.metrics() if row["step"] <= step]
        files.write_bytes(self._file("metrics.jsonl"), "".join(kept).encode("utf-8"))

    # Checkpoints

    def save_checkpoint(
        self, checkpoint: Checkpoint, best: bool = False, keep: int = 2
    ) -> None:
        """Write the latest (and `best`) checkpoint; the `keep` latest stay."""
        folder = self._file("checkpoints")
        name = "step-{:09d}.npz".format(checkpoint.state["step"])
        state = np.array(json.dumps(checkpoint.state, allow_nan=False))
        write_arrays(folder / name, dict(checkpoint.arrays, **{_STATE: state}))
        entry = {"file": name, "sha256": _sha256(folder / name)}
        index = self._index(warn=_say_nothing)
        useless = self._damaged | {name}
        recent = [e for e in index.get("recent", []) if e["file"] not in useless]
        index["recent"] = ([entry] + recent)[:keep]
        if best:
            index["best"] = entry
        files.write_json(folder / "index.json", index)
        entries = index["recent"] + ([index["best"]] if "best" in index else [])
        named = {"index.json"}.union(entry["file"] for entry in entries)
        for path in folder.iterdir():  # older ones, and what a killed process left
            if path.name not in named and _is_checkpoints(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()

    def load_checkpoint(self, best: bool = False, warn=print) -> Checkpoint:
        """Return the latest whole checkpoint, or the best one.

        A damaged one is named through `warn`, and the one before it is used.

        Raises:
            CvaeError: there is none, or none is whole.
        """
        index = self._index(warn)
        entries = [index["best"]] if best and "best" in index else []
        entries += [e for e in index.get("recent", []) if e not in entries]
        for entry in entries:
            path = self._file("checkpoints") / entry["file"]
            try:
                if _sha256(path) != entry["sha256"]:
                    raise CvaeError(f"{path} is damaged: wrong checksum")
                return _read_checkpoint(path)
            except CvaeError as error:
                warn(f"warning: {error}; passing it over")
            self._damaged.add(entry["file"])
        if entries:
            state = "no whole checkpoint left; delete its checkpoints/, then train"
        else:
            state = "no checkpoint yet; train"
        raise CvaeError(
            f"{self.path} has {state} it with `python scripts/train.py --resume --run "
            f"{self.path}`, or choose "
            "another --run"
        )

    def weights(self, warn=print) -> Dict[str, np.ndarray]:
        """Return the averaged weights of the best checkpoint, or else of the latest.

        Names are those of the model's variables. There is a best checkpoint only in a
        run with `validate`.
        """
        return averages(self.load_checkpoint(best=True, warn=warn))

    def has_checkpoint(self) -> bool:
        """Return whether a checkpoint was ever written."""
        return bool(self._index(warn=_say_nothing).get("recent"))

    def _index(self, warn):
        """`index.json`; where it is damaged, one made anew of the files beside it."""
        path = self._file("checkpoints") / "index.json"
        try:
            index = files.read_json(path)
            check(index, schema.INDEX, str(path))
            return index
        except CvaeError as error:
            entries = self._entries_on_disk()
            if entries:
                warn(f"warning: {error}; going by the checkpoints beside it")
            return {"recent": entries}

    def _entries_on_disk(self):
        """What `index.json` would say of the checkpoints there are, newest first."""
        folder = self._file("checkpoints")
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        entries = []
        for name in sorted(filter(schema.CHECKPOINT_NAME.fits, names), reverse=True):
            with contextlib.suppress(CvaeError):  # unreadable
                entries.append({"file": name, "sha256": _sha256(folder / name)})
        return entries

    # Results

    def write_evaluation(self, results: Dict[str, Any]) -> None:
        """Write `evaluation.json`."""
        files.write_json(self._file(_EVALUATION), results)

    def write_evaluation_arrays(self, arrays: Dict[str, np.ndarray]) -> None:
        """Write `evaluation.npz`: `step`, and a figure of each test image by name."""
        write_arrays(self._file(_EVALUATION_ARRAYS), arrays)

    def evaluation(self) -> Dict[str, Any]:
        """Return `evaluation.json`, checked against `schema.EVALUATION`.

        Raises:
            CvaeError: it is missing or damaged.
        """
        return evaluation_file.read_evaluation(self._file(_EVALUATION), self.path)

    def evaluation_arrays(self) -> Dict[str, np.ndarray]:
        """Return the figures of each test image, `evaluation.npz`.

        They are float64 `[n]`: bound, reconstruction, kl, kl_sampled, log_likelihood,
        marginal, ess; `[n, K]`: log_likelihoods, by which Bayes' rule decides; int32
        `[n, K]`: particles that each of those has; and step.

        Raises:
            CvaeError: it is missing or damaged, or of another evaluation than
                `evaluation.json`.
        """
        path = self._file(_EVALUATION_ARRAYS)
        return evaluation_file.read_arrays_of(self.evaluation(), path, self.path)

    @property
    def partial_path(self) -> Path:
        """Where an evaluation keeps what it has done until it is finished."""
        return self._file("evaluation-partial.npz")

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
        scratch = link.with_name(f".{LATEST}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):  # of a killed process
            scratch.unlink()
        try:
            os.symlink(self.path.name, str(scratch))
        except OSError:  # not on this file system: `newest` goes by the runs' age
            return
        os.replace(str(scratch), str(link))


_STATE = "__state__"


def averages(checkpoint: Checkpoint) -> Dict[str, np.ndarray]:
    """Return the averaged weights in `checkpoint`, by their variables' names."""
    return {
        name[: -len(AVERAGE)]: array
        for name, array in checkpoint.arrays.items()
        if name.endswith(AVERAGE)
    }


def newest() -> Optional[Path]:
    """Return the newest run, which `runs/latest` points at, or None if there is none.

    Where that link is missing, or the run behind it, the newest of the others counts.
    """
    link = RUNS / LATEST
    if link.exists():
        return link.resolve()
    configs = [
        path
        for path in RUNS.glob("*/config.json")
        if path.parent.name not in (LATEST, PRETRAINED)
    ]
    if not configs:
        return None
    found = max(configs, key=lambda path: (path.stat().st_mtime_ns, path)).parent
    if link.is_symlink():
        print(f"note: the run behind {link} is gone: using {found}", file=sys.stderr)
    return found


def find(path: Optional[Path] = None) -> Run:
    """Return the run at `path`, by default the newest.

    Raises:
        CvaeError: there is none.
    """
    path = path or newest()
    if path is None:
        raise CvaeError(
            "there is no run yet: train one with `python scripts/train.py`, or name "
            "one with --run"
        )
    return Run(path)


def check_finite(values: np.ndarray, run: Run) -> None:
    """Raise `CvaeError` unless all `values`, which `run`'s weights gave, are finite."""
    if not np.isfinite(values).all():
        raise CvaeError(
            f"{run.path} gives values that are not finite: its training diverged; "
            "train anew "
            f"with a --learning-rate below {run.config.learning_rate:g}"
        )


def _lock(path):
    handle = files.lock_file(path / ".lock")
    if handle is None:
        raise CvaeError(
            f"another process is training {path}: wait for it, stop it, or choose "
            "another --run"
        )
    return handle


def _is_checkpoints(name):
    """Whether a file in `checkpoints/` is ours: a checkpoint, or scratch of one."""
    left = r"\.(step-[0-9]{9,18}\.npz|index\.json)\..+"  # by a killed process
    return schema.CHECKPOINT_NAME.fits(name) or bool(re.fullmatch(left, name))


def _no_run(path):
    siblings = path.parent.iterdir() if path.parent.is_dir() else []
    runs = sorted(p.name for p in siblings if (p / "config.json").exists())
    hint = suggest(path.name, runs) if runs else "train one with scripts/train.py"
    return f"there is no run {path}: {hint}"


def _read_config(path):
    try:
        return Config.from_dict(files.read_json(path))
    except CvaeError as error:
        place = "" if str(path) in str(error) else f"{path}: "
        raise CvaeError(f"{place}{error}; restore it, or train another run")


def _metrics_row(line, path, number):
    try:
        row = files.parse_json(line, "the row")
        check(row, schema.METRICS_ROW, "the row")
    except CvaeError as error:
        raise CvaeError(
            f"{path} is damaged at line {number} ({error}); delete that line"
        )
    return row


def _read_checkpoint(path):
    arrays = read_arrays(path)
    text = arrays.pop(_STATE, None)
    if text is None or text.dtype.kind != "U" or text.shape:
        raise CvaeError(f"{path} is damaged: it has no state")
    state = files.parse_json(str(text).encode("utf-8"), path)
    check(state, schema.PROGRESS, str(path))
    # Older checkpoints do not name these; the set-up installed no other ZhuSuan then.
    state.setdefault("tensorflow", ["of unknown version"])
    state.setdefault("zhusuan", ["cvae.zs"] * len(state["tensorflow"]))
    if state["plan"][0] > state["step"]:
        raise CvaeError(f"{path} is damaged: its plan is of a later step")
    return Checkpoint(arrays, state)


def _say_nothing(warning):
    """Somebody else says it."""


def _sha256(path):
    digest = hashlib.sha256()
    with files.open_regular(path, MAX_BYTES) as (data, _):
        for chunk in iter(lambda: data.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
