"""What a run is worth on the test set: bounds and log p(x | y), in nats."""

from typing import Any, Callable, Dict

import numpy as np

from cvae import mnist
from cvae.inference import Model
from cvae.mnist import Dataset, check_fits
from cvae.progress import Progress
from cvae.run import Run, averages, check_finite


def evaluate_run(run: Run, dataset: Dataset, particles: int) -> Dict[str, Any]:
    """Evaluate `run` with a progress bar, write its `evaluation.json`, return it.

    Raises:
        CvaeError: the run has no checkpoint, or `dataset` has other classes or pixels.
    """
    check_fits(dataset, run.config.n_classes, run.config.x_dim)
    n_images = len(dataset.test.images)
    checkpoint = run.load_checkpoint(best=True)
    with Model(run.config, averages(checkpoint)) as model:
        with Progress(n_images, label="evaluating") as progress:
            results = evaluate(model, dataset, particles, progress.advance)
    estimates = [part for part in results.values() if isinstance(part, dict)]
    check_finite(np.array([estimate["mean"] for estimate in estimates]), run)
    results["step"] = checkpoint.state["step"]
    run.write_evaluation(results)
    return results


def evaluate(
    model: Model,
    dataset: Dataset,
    particles: int,
    tick: Callable[[int], None] = lambda n_images: None,
) -> Dict[str, Any]:
    """Return `evaluation.json` of `model` on `dataset`'s test images.

    Every figure is a mean over images with its standard error, in nats; the test
    images' bits are drawn once with a fixed seed (`mnist.binarize`). The bound and
    the likelihood are those of log p(x | y), without log π_y.

    Args:
        particles: samples of z an image for the importance-sampled log p(x | y).
        tick: hears of the number of images done since it last heard.
    """
    bits, labels = mnist.binarize(dataset.test.images), dataset.test.labels
    bound = model.bound(bits, labels)
    quantities = {
        "bound": bound.total,
        "reconstruction": bound.reconstruction,
        "kl": bound.kl,
        "kl_sampled": bound.kl_sampled,
        "log_likelihood": model.log_likelihood(bits, labels, particles, tick),
    }
    results = {name: _estimate(values) for name, values in quantities.items()}
    results["log_likelihood"]["particles"] = particles
    results["train_bound"] = _train_bound(model, dataset, len(bits))
    results["per_class"] = _per_class(quantities, labels, model.config.n_classes)
    results["n_images"] = len(bits)
    results["bits_seed"] = mnist.TEST_BITS_SEED
    results["dataset"], results["note"] = dataset.name, dataset.note
    return results


def table(results: Dict[str, Any]) -> str:
    """Return `results` as the text that scripts/evaluate.py prints."""
    names = (
        ("bound", "bound on log p(x|y)"),
        ("reconstruction", "  reconstruction"),
        ("kl", "  KL, closed form"),
        ("kl_sampled", "  KL, sampled"),
        ("log_likelihood", "log p(x|y), {} particles"),
        ("train_bound", "bound on training images"),
    )
    lines = [results["note"]] if results["note"] else []
    lines.append("{:32} {:>9}   {}".format("nats per image", "mean", "standard error"))
    for name, label in names:
        label = label.format(results[name].get("particles"))
        row = "{:32} {:9.3f}   {:.3f}"
        lines.append(row.format(label, results[name]["mean"], results[name]["stderr"]))
    lines.append("")
    columns = ("class", "n", "bound", "reconstruction", "kl", "log_likelihood")
    lines.append("{:>5} {:>6} {:>9} {:>15} {:>7} {:>15}".format(*columns))
    for row in results["per_class"]:
        values = [row[column] for column in columns]
        lines.append("{:5} {:6} {:9.3f} {:15.3f} {:7.3f} {:15.3f}".format(*values))
    return "\n".join(lines)


def _train_bound(model, dataset, n):
    images, labels = dataset.train.images[:n], dataset.train.labels[:n]
    total = model.bound(mnist.binarize(images), labels).total
    return dict(_estimate(total), n_images=len(images))


def _per_class(quantities, labels, n_classes):
    rows = []
    for c in range(n_classes):
        chosen = labels == c
        if chosen.any():
            means = {k: float(v[chosen].mean()) for k, v in quantities.items()}
            rows.append(dict(means, **{"class": c, "n": int(chosen.sum())}))
    return rows


def _estimate(values):
    values = np.asarray(values, np.float64)
    stderr = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "stderr": float(stderr)}
