"""A data set by its name or path."""

from pathlib import Path
from typing import Callable, Optional, Sequence

from cvae.data import catalog, mnist, paths
from cvae.data.arrays import named
from cvae.data.dataset import Dataset, facts_of
from cvae.errors import CvaeError, note, shown, suggestion

NAMES = (*mnist.DATASETS, *catalog.LISTED)


def load(
    dataset: str = "mnist",
    mnist_dir: Optional[Path] = None,
    side: Optional[int] = None,
    test_share: Optional[float] = None,
    class_names: Sequence[str] = (),
    say: Callable[[str], None] = note,
) -> Dataset:
    """Return the data set with the name or path `dataset`; its arrays are read-only.

    Args:
        dataset: one of `NAMES`, or the path of a directory with IDX files, of an .npz
            file with Keras' names, or of folders of images (docs/datasets.md).
        mnist_dir: where MNIST is, see `mnist.fetch`; for "mnist" only.
        side: pixels that images in folders are scaled to; None keeps their size.
        test_share: of each class's images to test with, for folders of images without
            test images.
        class_names: of the classes in the order of their labels; without any, those
            that are known, or the labels.
        say: takes a line for each thing that is converted.

    Raises:
        Unavailable: a published file is not on disk, and no mirror gave it.
        CvaeError: there is no such data set, it is damaged, or an option does not fit.
    """
    if mnist_dir is not None and dataset != "mnist":
        raise CvaeError(
            f"--mnist-dir is where mnist is, not {shown(dataset)}: leave it out, or "
            "give --dataset the path"
        )
    if dataset not in NAMES:
        path = Path(dataset).expanduser()
        if not path.exists():
            raise CvaeError(
                f"there is no data set {shown(dataset)}: "
                f"{suggestion(dataset, NAMES)}choose from {', '.join(NAMES)}, or give "
                "the path of one"
            )
        return _recognized(paths.load(path, side, test_share, class_names, say))
    if test_share is not None:
        raise CvaeError(f"{dataset} has test images of its own: leave out --test-share")
    if dataset in catalog.LISTED:
        found = catalog.load(dataset, say)
    else:
        found = mnist.load(dataset, mnist_dir)
    paths.check_side(found, side)
    return named(found, class_names)


def _recognized(dataset):
    """Return `dataset`, which may be MNIST, and otherwise must not be called so."""
    if facts_of(dataset).sha256 == mnist.SHA256:
        return dataset._replace(name="mnist")
    if dataset.name in NAMES:
        return dataset._replace(name=f"own-{dataset.name}")
    return dataset
