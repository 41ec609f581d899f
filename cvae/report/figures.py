"""A run's pictures by name: arrays from the run and the data, drawn and measured."""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Sequence

import numpy as np

from cvae.data.binarize import binarize
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError, shown, suggest
from cvae.evaluation import latent
from cvae.evaluation.learning import nearest_neighbours
from cvae.plotting import grids, lines, panels
from cvae.plotting.grids import Block
from cvae.plotting.style import BLACK, BLUE
from cvae.report.inputs import Inputs
from cvae.runs.run import Run

PER_CLASS = 10  # images of each class in a grid of samples or reconstructions
WITHIN, ACROSS = 4, 3  # interpolations within a class, and between two
STEPS = 8  # images between two ends of an interpolation
EXTREMES = 5  # images of each class at either end
NEIGHBOURS = 9  # training images beside a sample
COMPARED = 100  # samples of each class whose nearest neighbours are measured


class Picture(NamedTuple):
    """`draw(path)` writes it; `facts` are the numbers measured on the way."""

    draw: Callable[[Path], None]
    facts: Dict[str, Any]


def _curves(inputs):
    metrics = inputs.run.metrics()
    return Picture(partial(lines.curves, metrics=metrics, note=inputs.note), {})


def _samples(inputs):
    return _grid(inputs, "samples")


def _same_style(inputs):
    return _grid(inputs, "same_style")


def _grid(inputs, function):
    images = inputs.decoded(function, inputs.classes, PER_CLASS, inputs.seed)
    arrays = {"images": images, "row_labels": inputs.classes}
    return Picture(partial(grids.sample_grid, note=inputs.note, **arrays), {})


def _reconstructions(inputs):
    fewest = min(len(inputs.of_class(c)) for c in inputs.classes)
    n = min(PER_CLASS, fewest)
    chosen = np.concatenate([inputs.of_class(c)[:n] for c in inputs.classes])
    bits, labels = inputs.bits[chosen], inputs.labels[chosen]
    means = inputs.decoded("reconstruct", bits, labels)
    shape = (len(inputs.classes), n, -1)
    draw = partial(
        grids.reconstruction_grid,
        originals=bits.reshape(shape),
        reconstructions=means.reshape(shape),
        row_labels=inputs.classes,
        note=inputs.note,
    )
    return Picture(draw, {})


def _transfer(inputs):
    chosen = [inputs.of_class(c)[0] for c in inputs.classes]
    classes = range(inputs.run.config.n_classes)
    bits = inputs.bits[chosen]
    draw = partial(
        grids.transfer_grid,
        originals=bits,
        decoded=inputs.decoded("transfer", bits, inputs.labels[chosen], classes),
        labels=inputs.classes,
        classes=classes,
        note=inputs.note,
    )
    return Picture(draw, {})


def _interpolations(inputs):
    """Pairs of the first two test digits of a class, or the first of two classes.

    The class cannot be interpolated: what lies between digits of two classes is drawn
    once as the one class, once as the other.
    """
    firsts = {c: inputs.of_class(c) for c in inputs.classes}
    within = _evenly(inputs.classes, WITHIN)
    half = len(inputs.classes) // 2
    pairs = _evenly(list(zip(inputs.classes[:half], inputs.classes[-half:])), ACROSS)
    ends = [(firsts[c][0], firsts[c][:2][-1]) for c in within]
    ends += [(firsts[a][0], firsts[b][0]) for a, b in pairs for _ in "ab"]
    decoded_as = within + [c for pair in pairs for c in pair]
    groups = [
        ("within a class", len(within)),
        ("across classes, decoded as one and as the other", 2 * len(pairs)),
    ]
    ends = np.array(ends)
    bits, labels = inputs.bits[ends], inputs.labels[ends]
    draw = partial(
        grids.interpolation_grid,
        ends=bits,
        between=inputs.decoded("interpolate", bits, labels, decoded_as, STEPS),
        row_labels=[f"as {c}" for c in decoded_as],
        groups=[group for group in groups if group[1]],
        note=inputs.note,
    )
    return Picture(draw, {})


def _extremes(inputs):
    """The test images of each class by log p(x | y), from the likeliest down."""
    value = inputs.log_likelihood
    shape = (2, len(inputs.classes), EXTREMES)
    images = np.full(shape + (inputs.bits.shape[1],), np.nan)
    numbers = np.full(shape, np.nan)
    for row, c in enumerate(inputs.classes):
        own = inputs.of_class(c)
        own = own[np.argsort(-value[own], kind="stable")]
        for end, chosen in enumerate((own[:EXTREMES], own[EXTREMES:][-EXTREMES:])):
            images[end, row, : len(chosen)] = inputs.bits[chosen]
            numbers[end, row, : len(chosen)] = value[chosen]
    blocks = [
        Block(heading, *arrays, BLACK)
        for heading, *arrays in zip(("most likely", "least likely"), images, numbers)
    ]
    draw = partial(
        grids.ranked_grid,
        blocks=blocks,
        row_labels=inputs.classes,
        places=0,
        note=inputs.note,
    )
    return Picture(draw, {})


def _mistakes(inputs):
    worst = inputs.evaluation["classifier"]["mistakes"]
    draw = partial(
        grids.captioned_grid,
        images=inputs.bits[[mistake["image"] for mistake in worst]],
        captions=["{class} -> {predicted}".format(**mistake) for mistake in worst],
        note=inputs.note,
    )
    return Picture(draw, {})


def _confusion(inputs):
    counts = inputs.evaluation["classifier"]["confusion"]
    return Picture(partial(panels.confusion, counts=counts, note=inputs.note), {})


def _latent_kl(inputs):
    found = inputs.evaluation["latent"]
    parts = {name: found[name] for name in ("kl", "activity", "threshold")}
    return Picture(partial(lines.latent_kl, note=inputs.note, **parts), {})


def _latent_space(inputs):
    train, labels = inputs.train, inputs.labels
    train_z = inputs.encoded(binarize(train.images), train.labels)
    z = inputs.encoded(inputs.bits, labels)
    points, explained = latent.principal_components(z)
    probe = latent.linear_probe(train_z, train.labels, z, labels)
    facts = dict(probe, explained=[float(share) for share in explained])
    draw = partial(
        panels.latent_space,
        points=points,
        labels=labels,
        explained=explained,
        probe=probe,
        note=inputs.note,
    )
    return Picture(draw, facts)


def _neighbours(inputs):
    """Generated images beside the training images that are nearest by L2, in grey.

    How near is near: beside the samples' median distance are that of test images, and
    of their reconstructions, which are as smooth as samples and copy nothing.
    """
    train = np.float32(inputs.train.images) / 255
    n = min(COMPARED, min(len(inputs.of_class(c)) for c in inputs.classes))
    samples = inputs.decoded("samples", inputs.classes, n, inputs.seed)
    chosen = np.concatenate([inputs.of_class(c)[:n] for c in inputs.classes])
    test = np.float32(inputs.dataset.test.images[chosen]) / 255
    again = inputs.decoded("reconstruct", inputs.bits[chosen], inputs.labels[chosen])
    shown, which = nearest_neighbours(samples[:, 0], train, min(NEIGHBOURS, len(train)))
    flat = samples.reshape(-1, samples.shape[-1])
    to_train, test_to_train, again_to_train = (
        float(np.median(nearest_neighbours(images, train, 1)[0]))
        for images in (flat, test, again)
    )
    nothing = np.full((len(samples), 1), np.nan)
    draw = partial(
        grids.ranked_grid,
        blocks=[
            Block("drawn", samples[:, :1], nothing, BLUE),
            Block("nearest training images", train[which], shown),
        ],
        row_labels=inputs.classes,
        places=1,
        note=inputs.note,
    )
    facts = {
        "samples": len(flat),
        "to_train": to_train,
        "test_to_train": test_to_train,
        "reconstructed_test_to_train": again_to_train,
    }
    return Picture(draw, facts)


def _growth(inputs):
    found = inputs.evaluation
    ais = found.get("ais", {"images": 0})
    draw = partial(
        lines.growth,
        levels=found["growth"],
        bound=found["bound"],
        ais=ais["log_likelihood"] if ais["images"] == found["n_images"] else None,
        note=inputs.note,
    )
    return Picture(draw, {})


def _evenly(values, n):
    """At most `n` of `values`, evenly spread, with the first and the last."""
    chosen = np.linspace(0, len(values) - 1, min(n, len(values)))
    return [values[int(round(index))] for index in chosen]


PICTURES = {
    "curves": _curves,
    "samples": _samples,
    "same_style": _same_style,
    "reconstructions": _reconstructions,
    "transfer": _transfer,
    "interpolations": _interpolations,
    "extremes": _extremes,
    "mistakes": _mistakes,
    "confusion": _confusion,
    "latent_kl": _latent_kl,
    "latent_space": _latent_space,
    "neighbours": _neighbours,
    "growth": _growth,
}
NAMES = tuple(PICTURES)


def draw(
    run: Run,
    dataset: Dataset,
    folder: Path,
    names: Sequence[str] = NAMES,
    suffixes: Sequence[str] = (".png", ".svg"),
) -> Dict[str, Dict[str, Any]]:
    """Draw the pictures `names` to `folder`/name + suffix; return each one's facts.

    Nothing is written before all arrays are made.

    Raises:
        CvaeError: there is no such picture; the run has no checkpoint, no metrics or
            no evaluation, or is of other data; the disk refuses.
    """
    for name in names:
        if name not in PICTURES:
            raise CvaeError(f"there is no {shown(name)}: {suggest(name, NAMES)}")
    with contextlib.closing(Inputs(run, dataset)) as inputs:
        made = {name: PICTURES[name](inputs) for name in names}
    for name, picture in made.items():
        for suffix in suffixes:
            picture.draw(Path(folder) / (name + suffix))
    return {name: picture.facts for name, picture in made.items()}
