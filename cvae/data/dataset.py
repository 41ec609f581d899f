"""A data set: two splits of images and labels, and the facts that a run keeps of it."""

import hashlib
import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.errors import CvaeError, shown, suggest


class Split(NamedTuple):
    """`images`: uint8 [n, x_dim], intensities 0 to 255; `labels`: integers [n]."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """Two splits whose labels are numbers of classes, from 0 to K - 1."""

    name: str
    train: Split
    test: Split
    note: str = ""  # that each output needs; "" where there is nothing to say
    classes: Tuple[str, ...] = ()  # their names; () stands for their numbers
    values: Tuple[str, ...] = ()  # the label of each class in the files; () for numbers
    path: str = ""  # of its files; "" for a published data set

    @property
    def n_classes(self) -> int:
        """K, the number of classes."""
        if self.classes:
            return len(self.classes)
        return 1 + max(int(split.labels.max()) for split in (self.train, self.test))


class Facts(NamedTuple):
    """What a run keeps of the data set that it was trained on."""

    name: str
    path: str
    sha256: str  # of the arrays; "" in a run that is older than this record
    n_train: int
    n_test: int
    classes: Tuple[str, ...]  # the name of each class
    values: Tuple[str, ...]
    note: str

    def numbers_of(self, names: Sequence[str]) -> List[int]:
        """Return the classes with these names; a number stands for itself.

        Raises:
            CvaeError: there is no such class.
        """
        found = []
        for name in names:
            if name in self.classes:
                found.append(self.classes.index(name))
            elif re.fullmatch("[0-9]{1,4}", name) and int(name) < len(self.classes):
                found.append(int(name))
            else:
                raise CvaeError(
                    f"there is no class {shown(name)}: {suggest(name, self.classes)}"
                )
        return found

    def to_dict(self) -> Dict[str, Any]:
        """Return the facts as JSON types."""
        lists = {name: list(getattr(self, name)) for name in ("classes", "values")}
        return dict(self._asdict(), **lists)


def facts_of(dataset: Dataset) -> Facts:
    """Return the facts of `dataset`."""
    return Facts(
        name=dataset.name,
        path=dataset.path,
        sha256=_digest(dataset),
        n_train=len(dataset.train.images),
        n_test=len(dataset.test.images),
        classes=dataset.classes or numbered(dataset.n_classes),
        values=dataset.values,
        note=dataset.note,
    )


def numbered(n_classes: int) -> Tuple[str, ...]:
    """Return the names of classes that have none: their numbers."""
    return tuple(str(c) for c in range(n_classes))


def _digest(dataset):
    """Return the SHA-256 of both splits, whatever the type of the labels."""
    digest = hashlib.sha256()
    for images, labels in (dataset.train, dataset.test):
        shape = np.array(images.shape, "<i8")
        for array in (shape, images, labels.astype("<i4")):
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
