"""A run: its directory, its settings, and the files that programs share in it.

runs/<name>/config.json  dataset.json  metrics.jsonl  checkpoints/
            events (TensorBoard)
            evaluation.json  evaluation.npz  samples.npz  figures/
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, TextIO

import numpy as np

from cvae.config import Config
from cvae.data.dataset import Dataset, Facts
from cvae.errors import CvaeError, note, shown, suggest, warn_once
from cvae.runs import dataset_file, evaluation_file, metrics_file
from cvae.runs.checkpoints import Checkpoint, Checkpoints, averages
from cvae.storage import files
from cvae.storage.checkout import command, in_checkout
from cvae.storage.npz import write_arrays

RUNS = in_checkout("runs")
LATEST = "latest"
PRETRAINED = "pretrained"  # the run that comes with the repository, copied to `RUNS`
KEPT = "pretrained-before-"  # and a number: copies of earlier ones
_EVALUATION, _EVALUATION_ARRAYS = "evaluation.json", "evaluation.npz"


class Run:
    """A run directory that exists and has a valid `config.json`."""

    def __init__(self, path: Path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise CvaeError(_no_run(self.path))
        if not self._file("config.json").exists():
            raise CvaeError(
                f"{self.path} is not a run: it has no config.json; train one with "
                f"`{command('train')} --run {self.path}`"
            )
        self.config = _read_config(self._file("config.json"))
        self._checkpoints = Checkpoints(self.path)

    @classmethod
    def create(cls, path: Path, config: Config) -> "Run":
        """Make a new run directory and point `runs/latest` at it.

        Raises:
            CvaeError: the directory already holds a run.
        """
        path = Path(path)
        if path.name in ("", ".."):
            raise CvaeError(f"{path} is not a valid run name: choose another --run")
        with _lock(path):  # of two processes that make the same run, one succeeds
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
    def open_or_create(cls, path: Path, config: Config) -> "Run":
        """Return the run at `path`, which is created if there is none.

        Raises:
            CvaeError: the run at `path` has other settings.
        """
        if not (path / "config.json").exists():
            return cls.create(path, config)
        run = cls(path)
        if run.config != config:
            raise CvaeError(
                f"{path} has other settings than those asked for: move it away, or "
                "delete all runs with `make clean-runs`"
            )
        return run

    @classmethod
    def create_by_date(cls, config: Config) -> "Run":
        """Make a run in `runs/` that is named by date and time.

        Runs that are made in the same second get different names.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        number = 1
        while True:
            path = RUNS / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                path.mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
        return cls.create(path, config)

    def lock(self) -> TextIO:
        """Lock the run for this process until the returned file is closed.

        Raises:
            CvaeError: another process is training this run.
        """
        return _lock(self.path)

    # Data

    @property
    def data(self) -> Facts:
        """What the run was trained on: name, path, SHA-256, counts, names of classes.

        Raises:
            CvaeError: `dataset.json` is damaged.
        """
        return dataset_file.read(self._file("dataset.json"), self.config)

    def keep_data(self, dataset: Dataset) -> None:
        """Write `dataset.json`: the run is trained on `dataset`.

        Raises:
            CvaeError: it was trained on other data before.
        """
        known = self.data
        dataset_file.keep(self._file("dataset.json"), self.path, known, dataset)

    # Metrics

    def append_metrics(self, row: Dict[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        metrics_file.append(self._metrics_path, row)

    def metrics(self) -> List[Dict[str, Any]]:
        """Return the rows of `metrics.jsonl`, oldest first, without a cut last line.

        Raises:
            CvaeError: a line before the last is damaged.
        """
        return metrics_file.read(self._metrics_path)

    def trim_metrics(self, step: int) -> None:
        """Delete the rows after `step`: the resumed run measures them again."""
        metrics_file.trim(self._metrics_path, step)

    @property
    def _metrics_path(self):
        return self._file("metrics.jsonl")

    # Checkpoints

    def save_checkpoint(
        self, checkpoint: Checkpoint, best: bool = False, keep: int = 2
    ) -> None:
        """Write the latest (and `best`) checkpoint; keep the `keep` latest."""
        self._checkpoints.save(checkpoint, best, keep)

    def load_checkpoint(
        self, best: bool = False, warn: Callable[[str], None] = warn_once
    ) -> Checkpoint:
        """Return the latest whole checkpoint, or the best one.

        A damaged one is named through `warn`, and the one before it is used.

        Raises:
            CvaeError: there is none, none is whole, or `config.json` was edited.
        """
        checkpoint = self._checkpoints.load(best, warn)
        if checkpoint is None:
            fault = "no checkpoint yet; train"
            if self.has_checkpoint():
                fault = "no whole checkpoint left; delete its checkpoints/, then train"
            raise CvaeError(
                f"{self.path} has {fault} it with `{command('train')} --resume --run "
                f"{self.path}`, or choose another --run"
            )
        self._check_settings(checkpoint.state)
        return checkpoint

    def weights(self, warn: Callable[[str], None] = warn_once) -> Dict[str, np.ndarray]:
        """Return the averaged weights of the best checkpoint, or else of the latest.

        Names are those of the model's variables. There is a best checkpoint only in a
        run with `validate`.
        """
        return averages(self.load_checkpoint(best=True, warn=warn))

    def has_checkpoint(self) -> bool:
        """Return whether a checkpoint was ever written."""
        return self._checkpoints.exist()

    def go_on(self, config: Config) -> None:
        """Give the trained run the settings of a new plan.

        What programs read is the checkpoint before until the new plan is finished and
        better.
        """
        self._checkpoints.keep_latest()
        files.write_json(self._file("config.json"), config.to_dict())
        self.config = config

    def _check_settings(self, state):
        """Refuse a `config.json` with other settings than those of the training."""
        if state.config is None:  # an older checkpoint does not name them
            return
        before, now = Config.from_dict(state.config).to_dict(), self.config.to_dict()
        known = before["continued"]
        since = now["continued"][len(known) :]
        if since and now["continued"][: len(known)] == known and state.step <= since[0]:
            # The checkpoint is of a plan that is followed by another one.
            names = ("epochs", "minutes", "continued")
            before.update((name, now[name]) for name in names)
        changes = [
            f"{name} was {shown(before[name])} and is {shown(now[name])}"
            for name in now
            if before[name] != now[name]
        ]
        if changes:
            raise CvaeError(
                f"{self._file('config.json')} was edited after the training had begun: "
                f"{', '.join(changes)}; set it back, or train a new run"
            )

    # Results

    def write_evaluation(self, results: Dict[str, Any], label: str = "") -> None:
        """Write `evaluation.json`; a `label` names data that are not the run's."""
        files.write_json(self._file(_labelled(_EVALUATION, label)), results)

    def write_evaluation_arrays(
        self, arrays: Dict[str, np.ndarray], label: str = ""
    ) -> None:
        """Write `evaluation.npz`: `step`, and arrays with a value for each image."""
        write_arrays(self._file(_labelled(_EVALUATION_ARRAYS, label)), arrays)

    def evaluation(self) -> Dict[str, Any]:
        """Return `evaluation.json` after checks of its form.

        Raises:
            CvaeError: the file is missing or damaged.
        """
        return evaluation_file.read_evaluation(self._file(_EVALUATION), self.path)

    def evaluation_arrays(self) -> Dict[str, np.ndarray]:
        """Return the values of each test image, `evaluation.npz`.

        These are float64 `[n]`: bound, reconstruction, kl, kl_sampled, log_likelihood,
        marginal, ess; float64 `[n, K]`: log_likelihoods of all classes; int32 `[n, K]`:
        particles, the number that each of those was estimated with; and step.

        Raises:
            CvaeError: the file is missing or damaged, or belongs to another evaluation
                than `evaluation.json`.
        """
        path = self._file(_EVALUATION_ARRAYS)
        return evaluation_file.read_arrays_of(self.evaluation(), path, self.path)

    @property
    def partial_path(self) -> Path:
        """Where an interrupted evaluation keeps its results so far."""
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
        except OSError:  # the file system has no links: `newest` compares times
            return
        os.replace(str(scratch), str(link))


class Member(NamedTuple):
    """A run of a sweep: where it is, or is to be made, and its settings."""

    path: Path
    config: Config


def newest() -> Optional[Path]:
    """Return the newest run, which `runs/latest` points at, or None if there is none.

    If the link or its run is missing, it is the run with the newest `config.json`.
    """
    link = RUNS / LATEST
    if link.exists():
        return link.resolve()
    configs = [
        path
        for path in RUNS.glob("*/config.json")
        if path.parent.name not in (LATEST, PRETRAINED)
        and not path.parent.name.startswith(KEPT)
    ]
    if not configs:
        return None
    found = max(configs, key=lambda path: (path.stat().st_mtime_ns, path)).parent
    if link.is_symlink():
        note(f"the run behind {link} is gone: using {found}")
    return found


def find(path: Optional[Path] = None) -> Run:
    """Return the run at `path`, by default the newest.

    Raises:
        CvaeError: there is no such run.
    """
    path = path or newest()
    if path is None:
        raise CvaeError(
            f"there is no run yet: train one with `{command('train')}`, or name one "
            "with --run"
        )
    return Run(path)


def check_finite(
    values: np.ndarray, run: Run, name: str = "a result", step: Optional[int] = None
) -> None:
    """Raise `CvaeError` unless all `values` that `run` gives are finite.

    Args:
        name: what they are.
        step: of the training, if it computes them.
    """
    if np.isfinite(values).all():
        return
    when, kept = "", ""
    if step is not None:
        when = f" at step {step}"
        kept = "the last good checkpoint is kept; " if run.has_checkpoint() else ""
    raise CvaeError(
        f"{run.path}: {name} is not finite{when}: its training diverged; {kept}train "
        f"again with a --learning-rate below {run.config.learning_rate:g}"
    )


def _labelled(name, label):
    stem, suffix = name.split(".")
    return f"{stem}-on-{label}.{suffix}" if label else name


def _lock(path):
    handle = files.lock_file(path / ".lock")
    if handle is None:
        raise CvaeError(
            f"another process is training {path}: wait for it, stop it, or choose "
            "another --run"
        )
    return handle


def _no_run(path):
    siblings = path.parent.iterdir() if path.parent.is_dir() else []
    runs = sorted(p.name for p in siblings if (p / "config.json").exists())
    hint = suggest(path.name, runs) if runs else f"train one with `{command('train')}`"
    return f"there is no run {path}: {hint}"


def _read_config(path):
    try:
        return Config.from_dict(files.read_json(path))
    except CvaeError as error:
        place = "" if str(path) in str(error) else f"{path}: "
        raise CvaeError(f"{place}{error}; restore it, or train another run")
