"""`dataset.json` in a run: which data it was trained on, and the check of that."""

from pathlib import Path

from cvae.config import Config
from cvae.data.dataset import Dataset, Facts, facts_of, numbered
from cvae.data.mnist import note
from cvae.errors import CvaeError
from cvae.storage import files, schema

_FORM = {
    "name": schema.TEXT,
    "path": schema.TEXT,
    "sha256": schema.TEXT,
    "n_train": schema.WHOLE,
    "n_test": schema.WHOLE,
    "classes": [schema.TEXT],
    "values": [schema.TEXT],
    "note": schema.TEXT,
}


def read(path: Path, config: Config) -> Facts:
    """Return the facts in the file `path` of a run with this `config`.

    A run that is older than this file was trained on MNIST or a part of it.

    Raises:
        CvaeError: the file is damaged, or names another number of classes.
    """
    if not path.exists():
        classes = numbered(config.n_classes)
        return Facts(config.dataset, "", "", 0, 0, classes, (), note(config.dataset))
    values = files.read_json(path)
    schema.check(values, _FORM, str(path))
    if len(values["classes"]) != config.n_classes:
        raise CvaeError(
            f"{path} has {len(values['classes'])} classes, the run "
            f"{config.n_classes}: restore the file, or train another run"
        )
    lists = {name: tuple(values[name]) for name in ("classes", "values")}
    return Facts(**dict(values, **lists))


def keep(path: Path, run: Path, known: Facts, dataset: Dataset) -> None:
    """Write the facts of `dataset` to `path`, if they are those that `run` has.

    Args:
        known: the facts of the run so far, as `read` returns them.

    Raises:
        CvaeError: the run was trained on other data.
    """
    found = facts_of(dataset)
    check_same(run, known, found)
    if not path.exists() or found.path != known.path:
        files.write_json(path, found.to_dict())


def check_same(run: Path, known: Facts, found: Facts) -> None:
    """Raise `CvaeError` unless `found` are the facts of the data that `run` knows."""
    if known.sha256 in ("", found.sha256):
        return
    raise CvaeError(
        f"{run} was trained on {_described(known)}, which is not {_described(found)}: "
        "name the same data with --dataset, or train a new run"
    )


def _described(facts):
    place = f" in {facts.path}" if facts.path else ""
    return (
        f"{facts.name}{place} ({facts.n_train:,} and {facts.n_test:,} images, SHA-256 "
        f"{facts.sha256[:12]})"
    )
