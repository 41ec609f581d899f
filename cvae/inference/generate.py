"""Images given y: samples, the same style in all classes, reconstruction, transfer.

Every function raises `CvaeError` for arguments that the model cannot take.
"""

from typing import Iterable

import numpy as np

from cvae.data import checks
from cvae.errors import CvaeError
from cvae.inference.trained import Generator, Model

MAX_ROWS = 10**6  # of each class
MAX_SEED = 2**32 - 1
_BITS = MAX_SEED  # keys the noise of x; classes, which key the draws of z, are below it


def samples(
    model: Generator, classes: Iterable[int], per_class: int, seed: int
) -> np.ndarray:
    """Generate x for each y: Bernoulli means, float32 `[classes, per_class, x_dim]`.

    z is drawn from the prior and keyed by (`seed`, class). A class's samples do not
    depend on the other classes, and the first of them do not depend on their number.
    """
    classes = checks.check_classes(classes, model.config.n_classes)
    z = [_prior([seed, c], per_class, model.config.z_dim) for c in classes]
    return _decode_grid(model, classes, np.stack(z))


def same_style(
    model: Generator, classes: Iterable[int], columns: int, seed: int
) -> np.ndarray:
    """Generate x for each y from one z a column: `[classes, columns, x_dim]` means."""
    classes = checks.check_classes(classes, model.config.n_classes)
    z = _prior([seed], columns, model.config.z_dim)
    return _decode_grid(model, classes, np.stack([z] * len(classes)))


def reconstruct(model: Model, bits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Decode the mean of q(z | x, y): means of x for bits, both `[n, x_dim]`."""
    mean = _posterior_mean(model, bits, labels)
    return model.decode(labels, mean)


def transfer(
    model: Model, bits: np.ndarray, labels: np.ndarray, classes: Iterable[int]
) -> np.ndarray:
    """Decode the posterior mean of z given each class (Kingma et al. 2014, fig. 1).

    Returns:
        Means of x, `[n, classes, x_dim]`, for bits `[n, x_dim]` of classes `labels`.
    """
    classes = checks.check_classes(classes, model.config.n_classes)
    mean = _posterior_mean(model, bits, labels)
    z = np.stack([mean] * len(classes))  # [classes, n, d]
    return np.moveaxis(_decode_grid(model, classes, z), 0, 1)


def interpolate(
    model: Model,
    bits: np.ndarray,
    labels: np.ndarray,
    decoded_as: Iterable[int],
    steps: int,
) -> np.ndarray:
    """Decode `steps` points on the straight line between two posterior means of z.

    The class cannot be interpolated, as y is one of K: the caller names it.

    Args:
        bits: `[n, 2, x_dim]`, pairs of images of the classes `labels` `[n, 2]`.
        decoded_as: the class of each pair's images, `[n]`.

    Returns:
        Means of x, `[n, steps, x_dim]`, from the reconstructions of one image to the
        other's, if those are of the class `decoded_as`.
    """
    bits, labels = np.asarray(bits), np.asarray(labels)
    if bits.ndim != 3 or bits.shape[1] != 2 or labels.shape != bits.shape[:2]:
        raise CvaeError(
            f"bits have shape {bits.shape} and labels {labels.shape}, not (n, 2, "
            f"{model.config.x_dim}) and (n, 2): give pairs of images"
        )
    classes = checks.check_classes(decoded_as, model.config.n_classes)
    if len(classes) != len(bits):
        raise CvaeError(
            f"there are {len(bits)} pairs of images and {len(classes)} classes to "
            "decode them as: give one class for each pair"
        )
    steps = checks.check_whole("steps", steps, 1, MAX_ROWS)
    rows = bits.reshape(-1, bits.shape[-1]), labels.reshape(-1)
    mean = _posterior_mean(model, *rows)
    start, end = np.moveaxis(mean.reshape(len(bits), 2, 1, -1), 1, 0)
    share = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    return _decode_grid(model, classes, (1 - share) * start + share * end)


def draw_bits(means: np.ndarray, seed: int) -> np.ndarray:
    """Draw uint8 bits from Bernoulli(`means`), of the same shape."""
    means = checks.check_means(means)
    uniform = _random([seed, _BITS]).random_sample(means.shape)
    return (uniform < means).astype(np.uint8)


def _posterior_mean(model, bits, labels):
    mean, _ = model.encode(bits, labels)
    if not np.isfinite(mean).all():
        raise CvaeError(
            "the model gives values that are not finite: its training diverged; train "
            f"again with a --learning-rate below {model.config.learning_rate:g}"
        )
    return mean


def _prior(key, n, z_dim):
    n = checks.check_whole("the number of images", n, 1, MAX_ROWS)
    return _random(key).standard_normal((n, z_dim)).astype(np.float32)


def _random(key):
    """Return NumPy's generator, the same in every version, of a key (seed, stream)."""
    checks.check_whole("seed", key[0], 0, MAX_SEED)
    return np.random.RandomState(key)


def _decode_grid(model, classes, z):
    """Decode z `[classes, n, d]`, row by row of its class."""
    labels = np.repeat(np.asarray(classes, np.int32), z.shape[1])
    means = model.decode(labels, z.reshape(-1, z.shape[2]))
    return means.reshape(z.shape[:2] + (-1,))
