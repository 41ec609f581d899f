"""Observing y: generation, the same style across classes, reconstruction, transfer."""

from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from cvae.data import mnist
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.plotting import grids
from cvae.runs.run import Run, check_finite
from cvae.storage.npz import write_arrays

MAX_IMAGES = 20000  # in one grid


class SampleOptions(NamedTuple):
    """What is drawn: bits or means of x, one z a column or one a sample."""

    binary: bool = False
    same_style: bool = False
    seed: int = 0


def write_samples(
    run: Run,
    grid: Optional[Path],
    classes: Optional[Sequence[int]],
    per_class: int,
    options: SampleOptions,
) -> Tuple[Path, Path]:
    """Write samples of `run` as a labelled grid and as arrays; return both paths.

    The arrays are `x` `[classes, per_class, x_dim]`, `y` `[classes]` and `seed`.

    Args:
        grid: the PNG, with the arrays beside it as `.npz`; None for the run's own
            places.
        classes: None for all.

    Raises:
        CvaeError: the run has no such class or no checkpoint, or the disk refuses.
    """
    classes = _check_classes(classes, run.config.n_classes)
    if len(classes) * per_class > MAX_IMAGES:
        raise CvaeError(
            f"{len(classes):,} classes of {per_class:,} images are over "
            f"{MAX_IMAGES:,}: make --per-class smaller, or "
            "name fewer --classes"
        )
    draw = same_style if options.same_style else samples
    with Model(run.config, run.weights()) as model:
        images = draw(model, classes, per_class, options.seed)
    check_finite(images, run)
    if options.binary:
        images = draw_bits(images, options.seed)
    arrays = grid.with_suffix(".npz") if grid else run.samples_path
    grid = grid or run.figures_dir / "samples.png"
    grids.sample_grid(grid, images, classes, mnist.note(run.config.dataset))
    write_arrays(arrays, {"x": images, "y": classes, "seed": options.seed})
    return grid, arrays


def samples(
    model: Model, classes: Sequence[int], per_class: int, seed: int
) -> np.ndarray:
    """Generate x for each y: Bernoulli means, float32 `[classes, per_class, x_dim]`.

    z is drawn from the prior and keyed by (`seed`, class), so that a class's samples
    do not depend on which others are asked for, nor the first ones on how many.
    """
    z = [_prior([seed, c], per_class, model.config.z_dim) for c in classes]
    return _decode_grid(model, classes, np.stack(z))


def same_style(
    model: Model, classes: Sequence[int], columns: int, seed: int
) -> np.ndarray:
    """Generate x for each y from one z a column: `[classes, columns, x_dim]` means."""
    z = _prior([seed], columns, model.config.z_dim)
    return _decode_grid(model, classes, np.stack([z] * len(classes)))


def reconstruct(model: Model, bits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Decode the mean of q(z | x, y): means of x for bits, both `[n, x_dim]`."""
    mean, _ = model.encode(bits, labels)
    return model.decode(labels, mean)


def transfer(
    model: Model, bits: np.ndarray, labels: np.ndarray, classes: Sequence[int]
) -> np.ndarray:
    """Decode the posterior mean of z given each class (Kingma et al. 2014, fig. 1).

    Means of x, `[n, classes, x_dim]`, for bits `[n, x_dim]` of the classes `labels`.
    """
    mean, _ = model.encode(bits, labels)
    z = np.stack([mean] * len(classes))  # [classes, n, d]
    return np.moveaxis(_decode_grid(model, classes, z), 0, 1)


def interpolate(
    model: Model,
    bits: np.ndarray,
    labels: np.ndarray,
    decoded_as: Sequence[int],
    steps: int,
) -> np.ndarray:
    """Decode `steps` points on the straight line between two posterior means of z.

    The class cannot be interpolated, as y is one of K: it is named for each pair.

    Args:
        bits: uint8 `[n, 2, x_dim]`, pairs of images of the classes `labels` `[n, 2]`.
        decoded_as: the class of each pair's images, `[n]`.

    Returns:
        Means of x, `[n, steps, x_dim]`, from the reconstructions of one image to the
        other's, if those are of the class `decoded_as`.
    """
    mean, _ = model.encode(bits.reshape(-1, bits.shape[-1]), labels.reshape(-1))
    start, end = np.moveaxis(mean.reshape(len(bits), 2, 1, -1), 1, 0)
    share = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    return _decode_grid(model, decoded_as, (1 - share) * start + share * end)


def draw_bits(means: np.ndarray, seed: int) -> np.ndarray:
    """Draw uint8 bits from Bernoulli(`means`), of the same shape."""
    uniform = np.random.RandomState([seed, 1]).random_sample(means.shape)
    return (uniform < means).astype(np.uint8)


def _check_classes(classes, n_classes):
    classes = list(range(n_classes)) if classes is None else list(classes)
    for c in classes:
        if not 0 <= c < n_classes:
            raise CvaeError(f"there is no class {c}: choose from 0 to {n_classes - 1}")
    return classes


def _prior(seed, n, z_dim):
    return np.random.RandomState(seed).standard_normal((n, z_dim)).astype(np.float32)


def _decode_grid(model, classes, z):
    """Decode z `[classes, n, d]`, row by row of its class."""
    labels = np.repeat(np.asarray(classes, np.uint8), z.shape[1])
    means = model.decode(labels, z.reshape(-1, z.shape[2]))
    return means.reshape(z.shape[:2] + (-1,))
