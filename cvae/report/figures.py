"""A run's figures by name: arrays from the run and the data, drawn and measured."""

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence

import numpy as np

from cvae.data.binarize import binarize
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError, shown, suggest
from cvae.evaluation import latent
from cvae.evaluation.learning import nearest_neighbours
from cvae.plotting import folding, grids, lines, panels
from cvae.plotting.grids import Block
from cvae.plotting.labels import Label
from cvae.plotting.style import BLACK, BLUE
from cvae.report import words
from cvae.report.inputs import Inputs
from cvae.runs.run import Run
from cvae.storage.checkout import command

PER_CLASS = 10  # images of each class in a grid of samples or reconstructions
WITHIN, ACROSS = 4, 3  # interpolations within a class, and between two
STEPS = 8  # images between two ends of an interpolation
EXTREMES = 5  # images of each class at either end
NEIGHBOURS = 9  # training images beside a sample
COMPARED = 1000  # samples, of all classes, whose nearest neighbours are measured


def draw(
    run: Run,
    dataset: Dataset,
    folder: Path,
    names: Sequence[str] = (),
    suffixes: Sequence[str] = (".png", ".svg"),
) -> Dict[str, Dict[str, Any]]:
    """Draw the figures `names`, by default all, and return the numbers measured.

    `folder`/name + suffix are written after all arrays have been computed.

    Args:
        names: without any, those of `names_of`.

    Returns:
        The measurements of each figure, by its name.

    Raises:
        CvaeError: there is no such figure; the run has no checkpoint, no metrics or
            no evaluation, or is of other data; the disk refuses.
    """
    for name in names:
        if name not in FIGURES:
            raise CvaeError(f"there is no {shown(name)}: {suggest(name, NAMES)}")
    with contextlib.closing(Inputs(run, dataset)) as inputs:
        names = names or names_of(inputs.evaluation)
        made = {name: FIGURES[name](inputs) for name in names}
    for name, figure in made.items():
        for suffix in suffixes:
            path = Path(folder) / (name + suffix)
            figure.draw(path, note=dataset.note, **figure.arguments)
    return {name: figure.facts for name, figure in made.items()}


def names_of(evaluation: Dict[str, Any]) -> List[str]:
    """Return the figures of a run with this evaluation: without checks, no sandwich."""
    return [name for name in NAMES if name != "sandwich" or name in evaluation]


class Figure(NamedTuple):
    """A figure to draw by `draw(path, note=..., **arguments)`."""

    draw: Callable[..., None]
    arguments: Dict[str, Any]
    facts: Dict[str, Any] = {}  # the numbers measured for it


def _curves(inputs):
    return Figure(lines.curves, {"metrics": inputs.run.metrics()})


def _samples(inputs):
    return _grid(inputs, inputs.generate.samples)


def _same_style(inputs):
    return _grid(inputs, inputs.generate.same_style)


def _grid(inputs, generate):
    images = inputs.decoded(generate, inputs.classes, PER_CLASS, inputs.seed)
    labels = inputs.labelled(inputs.classes)
    arguments = {"images": images, "row_labels": labels, "for_print": True}
    return Figure(grids.sample_grid, arguments)


def per_class(names: Sequence[str], classes: Iterable[int]) -> int:
    """Return how many samples of each of `classes` a figure has room for.

    Args:
        names: of all classes.
    """
    labels = [Label(int(c), names[c]) for c in classes]
    return folding.fold(labels, PER_CLASS, folding.HALF_PAGE).columns


def _reconstructions(inputs):
    rows = [inputs.of_class(c)[:PER_CLASS] for c in inputs.classes]
    shape = (len(rows), max(map(len, rows)), inputs.bits.shape[1])
    originals, means = np.full((2,) + shape, np.nan)
    chosen = np.concatenate(rows)
    bits, labels = inputs.bits[chosen], inputs.labels[chosen]
    there = np.arange(shape[1]) < np.array([[len(row)] for row in rows])
    originals[there] = bits
    means[there] = inputs.decoded(inputs.generate.reconstruct, bits, labels)
    arguments = {
        "originals": originals,
        "reconstructions": means,
        "row_labels": inputs.labelled(inputs.classes),
    }
    return Figure(grids.reconstruction_grid, arguments)


def _transfer(inputs):
    rows = _evenly(inputs.classes, folding.ROWS)
    n_classes = inputs.run.config.n_classes
    columns = range(n_classes) if n_classes <= folding.ROWS else rows
    chosen = [inputs.of_class(c)[0] for c in rows]
    bits, labels = inputs.bits[chosen], inputs.labels[chosen]
    arguments = {
        "originals": bits,
        "decoded": inputs.decoded(inputs.generate.transfer, bits, labels, columns),
        "labels": inputs.labelled(rows),
        "classes": inputs.labelled(columns),
        "noun": words.noun(inputs.run.data),
    }
    return Figure(grids.transfer_grid, arguments)


def _interpolations(inputs):
    """Pairs of the first two test digits of a class, or the first of two classes.

    The class cannot be interpolated: images between digits of two classes are decoded
    once as the one class and once as the other.
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
    interpolate = inputs.generate.interpolate
    arguments = {
        "ends": bits,
        "between": inputs.decoded(interpolate, bits, labels, decoded_as, STEPS),
        "row_labels": inputs.labelled(decoded_as),
        "groups": [group for group in groups if group[1]],
    }
    return Figure(grids.interpolation_grid, arguments)


def _extremes(inputs):
    """The test images of each class by log p(x | y), in decreasing order."""
    value, classes = inputs.evaluation_arrays["log_likelihood"], _rows(inputs)
    shape = (2, len(classes), EXTREMES)
    images = np.full(shape + (inputs.bits.shape[1],), np.nan)
    numbers = np.full(shape, np.nan)
    for row, c in enumerate(classes):
        own = inputs.of_class(c)
        own = own[np.argsort(-value[own], kind="stable")]
        for end, chosen in enumerate((own[:EXTREMES], own[EXTREMES:][-EXTREMES:])):
            images[end, row, : len(chosen)] = inputs.bits[chosen]
            numbers[end, row, : len(chosen)] = value[chosen]
    blocks = [
        Block(heading, *arrays, BLACK)
        for heading, *arrays in zip(("most likely", "least likely"), images, numbers)
    ]
    arguments = {"blocks": blocks, "row_labels": inputs.labelled(classes), "places": 0}
    return Figure(grids.ranked_grid, arguments)


def _mistakes(inputs):
    worst = inputs.evaluation["classifier"]["mistakes"]
    arguments = {
        "images": inputs.bits[[mistake["image"] for mistake in worst]],
        "captions": [inputs.labelled((m["class"], m["predicted"])) for m in worst],
    }
    return Figure(grids.captioned_grid, arguments)


def _confusion(inputs):
    counts = inputs.evaluation["classifier"]["confusion"]
    return Figure(panels.confusion, {"counts": counts, "names": inputs.names})


def _latent_kl(inputs):
    found = inputs.evaluation["latent"]
    names = ("kl", "activity", "threshold")
    return Figure(lines.latent_kl, {name: found[name] for name in names})


def _latent_space(inputs):
    train, labels = inputs.train, inputs.labels
    train_z = inputs.encoded(binarize(train.images), train.labels)
    z = inputs.encoded(inputs.bits, labels)
    points, explained = latent.principal_components(z)
    probe = latent.linear_probe(train_z, train.labels, z, labels)
    facts = dict(probe, explained=[float(share) for share in explained])
    arguments = {
        "points": points,
        "labels": labels,
        "explained": explained,
        "probe": probe,
        "names": inputs.names,
    }
    return Figure(panels.latent_space, arguments, facts)


def _neighbours(inputs):
    """Generated images beside the training images that are nearest by L2, in grey.

    For comparison with the samples' median distance, that of test images is measured,
    and that of their reconstructions, which are as smooth as samples but no copies.
    """
    train = np.float32(inputs.train.images) / 255
    most = max(1, COMPARED // len(inputs.classes))  # of each class
    n = min(most, min(len(inputs.of_class(c)) for c in inputs.classes))
    generate = inputs.generate
    samples = inputs.decoded(generate.samples, inputs.classes, n, inputs.seed)
    chosen = np.concatenate([inputs.of_class(c)[:n] for c in inputs.classes])
    test = np.float32(inputs.dataset.test.images[chosen]) / 255
    bits, classes = inputs.bits[chosen], inputs.labels[chosen]
    again = inputs.decoded(generate.reconstruct, bits, classes)
    shown = samples[[inputs.classes.index(c) for c in _rows(inputs)], 0]
    distances, which = nearest_neighbours(shown, train, min(NEIGHBOURS, len(train)))
    flat = samples.reshape(-1, samples.shape[-1])
    to_train, test_to_train, again_to_train = (
        float(np.median(nearest_neighbours(images, train, 1)[0]))
        for images in (flat, test, again)
    )
    nothing = np.full((len(shown), 1), np.nan)
    blocks = [
        Block("drawn", shown[:, None], nothing, BLUE),
        Block("nearest training images", train[which], distances),
    ]
    facts = {
        "samples": len(flat),
        "to_train": to_train,
        "test_to_train": test_to_train,
        "reconstructed_test_to_train": again_to_train,
    }
    labels = inputs.labelled(_rows(inputs))
    arguments = {"blocks": blocks, "row_labels": labels, "places": 1}
    return Figure(grids.ranked_grid, arguments, facts)


def _growth(inputs):
    """Both proposals, minus the Laplace proposal's last estimate of the same images.

    The encoder's are of fewer images.
    """
    found, arrays = inputs.evaluation, inputs.evaluation_arrays
    end = found["log_likelihood"]["mean"]
    laplace = [
        (level["particles"], level["log_likelihood"]["mean"] - end)
        for level in found["growth"]
    ]
    n, points = found["n_images"], []
    if "encoder" in found:
        n, end = found["encoder"]["images"], found["encoder"]["laplace"]["mean"]
        points = [
            (level["particles"], level["log_likelihood"]["mean"] - end)
            for level in found["encoder"]["growth"]
        ]
    bound = float((arrays["bound"] - arrays["log_likelihood"])[:n].mean())
    return Figure(lines.growth, {"laplace": laplace, "encoder": [(1, bound)] + points})


def _ess(inputs):
    """Both proposals on the same images, or the Laplace proposal on all images."""
    found, arrays = inputs.evaluation, inputs.evaluation_arrays
    own, shares = arrays["ess"], []
    if "encoder" in found:
        others = arrays["encoder_ess"]
        own = own[: len(others)]
        shares = [("encoder", others / found["encoder"]["ess"]["particles"])]
    laplace = ("Laplace", own / found["ess"]["particles"])
    return Figure(lines.ess, {"shares": [laplace] + shares})


def _sandwich(inputs):
    found = inputs.evaluation
    if "sandwich" not in found:
        raise CvaeError(
            f"{inputs.run.path} was evaluated without a sandwich; evaluate again: "
            f"`{command('evaluate')} --run {inputs.run.path}`"
        )
    names = ("below", "above", "gap")
    return Figure(lines.sandwich, {name: found["sandwich"][name] for name in names})


def _rows(inputs):
    """The classes in a grid that has room for `ROWS` of them."""
    return _evenly(inputs.classes, folding.ROWS)


def _evenly(values, n):
    """At most `n` of `values`, evenly spread, with the first and the last."""
    chosen = np.linspace(0, len(values) - 1, min(n, len(values)))
    return [values[int(round(index))] for index in chosen]


FIGURES = {
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
    "ess": _ess,
    "sandwich": _sandwich,
}
NAMES = tuple(FIGURES)
