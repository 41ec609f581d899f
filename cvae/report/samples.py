"""Samples of a run as files: a labelled grid and the arrays."""

from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Tuple

from cvae.data.checks import check_classes
from cvae.errors import CvaeError
from cvae.inference import generate
from cvae.inference.trained import Generator
from cvae.plotting import grids
from cvae.plotting.labels import Label
from cvae.runs.run import Run, check_finite
from cvae.storage.npz import write_arrays

MAX_IMAGES = 20000  # in one grid


class SampleOptions(NamedTuple):
    """How to sample: bits or means of x, one z for each column or for each sample."""

    binary: bool = False
    same_style: bool = False
    seed: int = 0


def write_samples(
    run: Run,
    grid: Optional[Path],
    classes: Optional[Iterable[int]],
    per_class: int,
    options: SampleOptions,
) -> Tuple[Path, Path]:
    """Write samples of `run` as a labelled grid and as arrays; return both paths.

    The arrays are `x` `[classes, per_class, x_dim]`, `y` `[classes]` and `seed`.

    Args:
        grid: the PNG or SVG, with the arrays beside it as `.npz`; None for the run's
            own places.
        classes: None for all.

    Raises:
        CvaeError: the run has no such class or no checkpoint, the images are too many
            or not finite, or the disk refuses.
    """
    n_classes = run.config.n_classes
    every = range(n_classes) if classes is None else classes
    classes = check_classes(every, n_classes)
    if len(classes) * per_class > MAX_IMAGES:
        raise CvaeError(
            f"{len(classes):,} classes of {per_class:,} images are over "
            f"{MAX_IMAGES:,}: make --per-class smaller, or name fewer --classes"
        )
    draw = generate.same_style if options.same_style else generate.samples
    with Generator(run.config, run.weights()) as generator:
        images = draw(generator, classes, per_class, options.seed)
    check_finite(images, run)
    if options.binary:
        images = generate.draw_bits(images, options.seed)
    arrays = grid.with_suffix(".npz") if grid else run.samples_path
    grid = grid or run.figures_dir / "samples.png"
    labels = [Label(c, run.data.classes[c]) for c in classes]
    grids.sample_grid(grid, images, labels, run.data.note)
    write_arrays(arrays, {"x": images, "y": classes, "seed": options.seed})
    return grid, arrays
