"""What a run's pictures are made of: its data, model and evaluation, each made once."""

import numpy as np

from cvae.data.binarize import binarize
from cvae.data.checks import check_dataset
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run, check_finite


def _once(make):
    """A property that is made when it is first asked for."""
    name = "_" + make.__name__

    def part(self):
        if name not in vars(self):
            setattr(self, name, make(self))
        return getattr(self, name)

    return property(part, doc=make.__doc__)


class Inputs:
    """What the pictures of a run are made of."""

    def __init__(self, run: Run, dataset: Dataset):
        check_dataset(dataset, run.config.n_classes, run.config.x_dim)
        self.run, self.dataset = run, dataset
        self.note, self.seed = dataset.note, run.config.seed
        self.labels = dataset.test.labels
        self.classes = [int(c) for c in np.unique(self.labels)]  # rows of every grid

    def close(self):
        """Free the model."""
        if "_model" in vars(self):
            self._model.__exit__()

    @_once
    def bits(self):
        """The binarized test images."""
        return binarize(self.dataset.test.images)

    @_once
    def train(self):
        """The images that the run was trained on, and their labels."""
        from cvae.training import loop

        return loop.splits(self.dataset, self.run.config)[0]

    @_once
    def checkpoint(self):
        """What training left."""
        return self.run.load_checkpoint(best=True)

    @_once
    def model(self):
        """The trained model."""
        from cvae.inference.trained import Model

        return Model(self.run.config, averages(self.checkpoint))

    @_once
    def evaluation(self):
        """`evaluation.json`, if it is of these weights and test images."""
        found = self.run.evaluation()
        here = {
            "dataset": self.dataset.name,
            "n_images": len(self.labels),
            "step": self.checkpoint.state.step,
        }
        for name, value in here.items():
            if found[name] != value:
                raise CvaeError(
                    f"{self.run.path} was evaluated with {name} {found[name]}, not "
                    f"{value}: run `python "
                    f"scripts/evaluate.py --run {self.run.path}`"
                )
        return found

    @_once
    def log_likelihood(self):
        """log p(x | y) of each test image, in nats, of the same evaluation."""
        n = self.evaluation["n_images"]
        return self.run.evaluation_arrays()["log_likelihood"][:n]

    def of_class(self, c: int) -> np.ndarray:
        """Return which test images are of class `c`, as indices."""
        return np.flatnonzero(self.labels == c)

    def encoded(self, bits, labels):
        """Return the mean of q(z | x, y), `[n, d]`."""
        mean, _ = self.model.encode(bits, labels)
        check_finite(mean, self.run)
        return mean

    def decoded(self, function, *arguments):
        """Return `function(model, *arguments)`, of `cvae.inference.generate`.

        Raises:
            CvaeError: the weights give what is not finite.
        """
        from cvae.inference import generate

        images = getattr(generate, function)(self.model, *arguments)
        check_finite(images, self.run)
        return images
