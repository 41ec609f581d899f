"""`dataset.json` in a run: which data it was trained on, and the check of that."""

import re
from pathlib import Path
from typing import Any, Optional, Tuple

from cvae.config import Config
from cvae.data.arrays import aligned
from cvae.data.dataset import Dataset, Facts, facts_of, numbered
from cvae.data.load import NAMES, load
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


def load_for(
    run: Any,
    mnist_dir: Optional[Path] = None,
    dataset: Optional[str] = None,
    other: bool = False,
) -> Tuple[Dataset, bool]:
    """Return the data of `run`, a `cvae.runs.run.Run`, and whether it knows them.

    Args:
        mnist_dir: where MNIST is, see `cvae.data.load.load`.
        dataset: the name or path of the data, if it is not that of the run.
        other: whether these may be data that the run was not trained on.

    Raises:
        CvaeError: the data are missing, damaged, or not those of the run.
    """
    facts, config = run.data, run.config
    place = dataset or facts.path or config.dataset
    if place not in NAMES and not dataset and not Path(place).exists():
        raise CvaeError(
            f"{run.path} was trained on {place}, which is gone: name its new place "
            "with --dataset"
        )
    options = config.side, config.test_share, config.class_names
    found = load(place, mnist_dir, *options, say=lambda line: None)
    now = facts_of(found)
    if other and facts.sha256 not in ("", now.sha256):
        return aligned(found, facts), False
    check_same(run.path, facts, now)
    # A copy at another place is still the data set with the name that the run knows.
    classes = facts.classes if facts.classes != numbered(len(facts.classes)) else ()
    return found._replace(name=facts.name, classes=classes, values=facts.values), True


def label_of(name: str) -> str:
    """Return the `name` of a data set as part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", name)


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
