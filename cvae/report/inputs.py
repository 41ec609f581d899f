"""What a run's figures are drawn from: data, model and evaluation, each made once."""

from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence

import numpy as np

from cvae.data.binarize import binarize
from cvae.data.dataset import Dataset, Split
from cvae.data.prepare import prepared
from cvae.plotting.labels import Label
from cvae.runs.checkpoints import Checkpoint, averages
from cvae.runs.evaluation_file import check_fresh
from cvae.runs.run import Run, check_finite

if TYPE_CHECKING:  # TensorFlow, which few figures need
    from cvae.inference.trained import Model


def _once(make):
    """A property that is computed at its first use."""
    name = f"_{make.__name__}"

    def part(self):
        if name not in vars(self):
            setattr(self, name, make(self))
        return getattr(self, name)

    return property(part, doc=make.__doc__)


class Inputs:
    """What the figures of a run share."""

    def __init__(self, run: Run, dataset: Dataset):
        self.run, self.dataset = run, prepared(dataset, run.config)
        self.seed = run.config.seed
        self.labels = dataset.test.labels
        self.classes = [int(c) for c in np.unique(self.labels)]  # rows of every grid
        self.names = run.data.classes

    def close(self) -> None:
        """Free the model."""
        if "_model" in vars(self):
            self.model.__exit__()

    @_once
    def bits(self) -> np.ndarray:
        """The binarized test images."""
        return binarize(self.dataset.test.images)

    @_once
    def train(self) -> Split:
        """The images that the run was trained on, and their labels."""
        from cvae.training import loop

        return loop.splits(self.dataset, self.run.config)[0]

    @_once
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is evaluated."""
        return self.run.load_checkpoint(best=True)

    @_once
    def model(self) -> "Model":
        """The trained model."""
        from cvae.inference.trained import Model

        return Model(self.run.config, averages(self.checkpoint))

    @_once
    def generate(self) -> ModuleType:
        """The functions that generate images: `cvae.inference.generate`."""
        from cvae.inference import generate

        return generate

    @_once
    def evaluation(self) -> Dict[str, Any]:
        """`evaluation.json`, if it is of these weights and test images."""
        found, step = self.run.evaluation(), self.checkpoint.state.step
        check_fresh(found, self.run.path, step, self.dataset)
        return found

    @_once
    def evaluation_arrays(self) -> Dict[str, np.ndarray]:
        """`evaluation.npz`, the values of each test image, of the same evaluation."""
        _ = self.evaluation  # which raises if it is of something else
        return self.run.evaluation_arrays()

    def labelled(self, classes: Sequence[int]) -> List[Label]:
        """Return `classes` as the labels of a figure."""
        return [Label(c, self.names[c]) for c in classes]

    def of_class(self, c: int) -> np.ndarray:
        """Return the indices of the test images of class `c`."""
        return np.flatnonzero(self.labels == c)

    def encoded(self, bits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the mean of q(z | x, y), `[n, d]`."""
        mean, _ = self.model.encode(bits, labels)
        check_finite(mean, self.run)
        return mean

    def decoded(
        self, generate: Callable[..., np.ndarray], *arguments: Any
    ) -> np.ndarray:
        """Return `generate(model, *arguments)`, pixel means.

        Raises:
            CvaeError: the weights give values that are not finite.
        """
        images = generate(self.model, *arguments)
        check_finite(images, self.run)
        return images
