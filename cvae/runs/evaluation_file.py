"""The evaluation of a run on disk: its form, and whether it can be used.

`evaluation.json` holds means, errors and counts; `evaluation.npz` holds the values of
each test image.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from cvae.errors import CvaeError
from cvae.storage import files, schema
from cvae.storage.checkout import command
from cvae.storage.npz import read_arrays
from cvae.storage.schema import AMOUNT, NUMBER, SHARE, TEXT, WHOLE, Form

_PER_IMAGE = (
    *("bound", "reconstruction", "kl", "kl_sampled"),
    *("log_likelihood", "marginal", "ess"),
)
_LARGEST = 1 << 28  # bytes of the arrays

COUNT = Form("a whole number from 1 up", lambda v: WHOLE.fits(v) and v > 0)
_ESTIMATE = {"mean": NUMBER, "stderr": AMOUNT}
_WITH_PARTICLES = dict(_ESTIMATE, particles=COUNT)
_BOUNDS = ("bound", "reconstruction", "kl", "kl_sampled")
_ESS = {"median": AMOUNT, "p5": AMOUNT, "particles": COUNT}
_ENCODER = {
    "images": COUNT,
    "growth": [{"particles": COUNT, "log_likelihood": _ESTIMATE}],
    "ess": _ESS,
    "laplace": _ESTIMATE,
    "difference": _ESTIMATE,
}
_SANDWICH = {
    "images": COUNT,
    "particles": COUNT,
    "steps": COUNT,
    "acceptance": SHARE,
    "below": _ESTIMATE,
    "above": _ESTIMATE,
    "gap": _ESTIMATE,
}
_MISTAKE = {"image": WHOLE, "class": WHOLE, "predicted": WHOLE, "log_odds": AMOUNT}
EVALUATION = {
    **{name: _ESTIMATE for name in _BOUNDS},
    "log_likelihood": _WITH_PARTICLES,
    "marginal": _WITH_PARTICLES,
    "growth": [
        {
            "particles": COUNT,
            "log_likelihood": _ESTIMATE,
            "marginal": _ESTIMATE,
            "gain?": _ESTIMATE,
        }
    ],
    "ess": _ESS,
    "fallback": {"pairs": WHOLE, "images": [WHOLE]},
    "classifier": {
        "errors": WHOLE,
        "n_images": COUNT,
        "error_rate": SHARE,
        "low": SHARE,
        "high": SHARE,
        "log_loss": _ESTIMATE,
        "particles": COUNT,
        "confusion": [[WHOLE]],
        "mistakes": [_MISTAKE],
    },
    "latent": {
        "kl": [NUMBER],
        "activity": [AMOUNT],
        "active": WHOLE,
        "threshold": NUMBER,
    },
    "encoder?": _ENCODER,
    "sandwich?": _SANDWICH,
    "train_bound": dict(_ESTIMATE, n_images=COUNT),
    "per_class": [
        {
            **{name: NUMBER for name in _BOUNDS},
            "log_likelihood": NUMBER,
            "marginal": NUMBER,
            "class": WHOLE,
            "n": COUNT,
            "errors": WHOLE,
        }
    ],
    "n_images": COUNT,
    "bits_seed": WHOLE,
    "dataset": TEXT,
    "note": TEXT,
    "step": WHOLE,
    "zhusuan": {"trained": [TEXT], "evaluated": [TEXT]},
}


def read_evaluation(path: Path, run: Path) -> Dict[str, Any]:
    """Return the evaluation in `path`, a JSON file of the directory `run`.

    Raises:
        CvaeError: the file is missing, damaged, or of an older version.
    """
    if not path.exists():
        raise CvaeError(
            f"{run} is not evaluated yet: run `{command('evaluate')} --run {run}`"
        )
    try:
        results = files.read_json(path)
        if isinstance(results, dict):  # an older one; the set-up had no other ZhuSuan
            results.setdefault(
                "zhusuan", {"trained": ["cvae.zs"], "evaluated": ["cvae.zs"]}
            )
        schema.check(results, EVALUATION, str(path))
        for name in _contradictions(results):
            raise CvaeError(f"{path} is damaged: its {name} contradicts the rest")
    except CvaeError as error:
        raise _evaluate_again(error, run)
    return results


def read_arrays_of(
    results: Dict[str, Any], path: Path, run: Path
) -> Dict[str, np.ndarray]:
    """Return the arrays in `path` that belong to the evaluation `results`.

    Raises:
        CvaeError: they are missing or damaged, or belong to another evaluation.
    """
    try:
        arrays = read_arrays(path, _LARGEST)
        n, n_classes = results["n_images"], len(results["classifier"]["confusion"])
        forms_of: Dict[str, Tuple[type, Tuple[int, ...]]]
        forms_of = {name: (np.float64, (n,)) for name in _PER_IMAGE}
        forms_of["log_likelihoods"] = (np.float64, (n, n_classes))
        forms_of["particles"] = (np.int32, (n, n_classes))
        forms_of["step"] = (np.int64, ())
        if "encoder" in results:
            forms_of["encoder_ess"] = (np.float64, (results["encoder"]["images"],))
        for name, (dtype, shape) in forms_of.items():
            array = arrays.get(name)
            if array is None or array.dtype != dtype or array.shape != shape:
                raise CvaeError(
                    f"{path} is damaged: {name} is not {np.dtype(dtype)} {list(shape)}"
                )
        unexpected = sorted(set(arrays) - set(forms_of))
        if unexpected:
            raise CvaeError(
                f"{path} is damaged: unexpected arrays {', '.join(unexpected)}"
            )
        found = [arrays[name].mean() for name in _PER_IMAGE[:-1]]
        means = [results[name]["mean"] for name in _PER_IMAGE[:-1]]
        if arrays["step"] != results["step"] or not np.allclose(found, means, 1e-9, 0):
            raise CvaeError(f"{path} is of another evaluation than evaluation.json")
    except CvaeError as error:
        raise _evaluate_again(error, run)
    return arrays


def check_fresh(
    results: Dict[str, Any], run: Path, step: int, dataset: Any = None
) -> None:
    """Check that `results` are of the weights that `run` has now and of `dataset`.

    Args:
        results: an evaluation, as `read_evaluation` returns it.
        step: of the checkpoint that an evaluation would use now,
            `run.load_checkpoint(best=True)`.
        dataset: a `cvae.data.dataset.Dataset`; None for that of the evaluation.

    Raises:
        CvaeError: they are of another data set, of other weights or of another number
            of test images.
    """
    name, n = results["dataset"], results["n_images"]
    if dataset is not None:
        name, n = dataset.name, len(dataset.test.images)
    if results["dataset"] != name:
        fault = f"was evaluated on {results['dataset']}, not on {name}"
    elif results["step"] != step:
        fault = f"was evaluated at step {results['step']:,}; it is at step {step:,} now"
    elif results["n_images"] != n:
        fault = f"was evaluated on {results['n_images']:,} test images, not on {n:,}"
    else:
        return
    raise _evaluate_again(f"{run} {fault}", run)


def _contradictions(results: Dict[str, Any]) -> Iterator[str]:
    """Yield what does not fit the rest of an evaluation whose parts have their forms.

    A check may rely on those before it: the reader stops at the first contradiction.
    """
    n, found = results["n_images"], results["classifier"]
    particles = results["log_likelihood"]["particles"]
    confusion, errors, mistakes = (
        found[name] for name in ("confusion", "errors", "mistakes")
    )
    if n != found["n_images"]:
        yield "n_images"
    if not confusion or any(len(row) != len(confusion) for row in confusion):
        yield "confusion"
    right = sum(row[i] for i, row in enumerate(confusion))
    if sum(map(sum, confusion)) != n or n - right != errors:
        yield "confusion"
    if not found["low"] <= found["error_rate"] == errors / n <= found["high"]:
        yield "error_rate"
    if not bool(errors) <= len(mistakes) <= errors:
        yield "mistakes"
    if not _are_mistakes(mistakes, n, confusion):
        yield "mistakes"
    counts = {c: sum(row) for c, row in enumerate(confusion) if sum(row)}
    if [row["class"] for row in results["per_class"]] != list(counts):
        yield "per_class"
    for row in results["per_class"]:
        own = confusion[row["class"]][row["class"]]
        if row["n"] != counts[row["class"]] or row["n"] - own != row["errors"]:
            yield "per_class"
    levels = [row["particles"] for row in results["growth"]]
    if levels != sorted(set(levels)) or levels[-1:] != [particles]:
        yield "growth"
    if not all("gain" in row for row in results["growth"][1:]):
        yield "growth"
    if results["marginal"]["particles"] != particles or found["particles"] < particles:
        yield "particles"
    if not _is_ess(results["ess"], particles):
        yield "ess"
    latent = results["latent"]
    active = sum(value > latent["threshold"] for value in latent["activity"])
    if not 0 < len(latent["kl"]) == len(latent["activity"]):
        yield "latent"
    if active != latent["active"]:
        yield "latent"
    if not bool(results["fallback"]["pairs"]) <= len(results["fallback"]["images"]):
        yield "fallback"
    if any(image >= n for image in results["fallback"]["images"]):
        yield "fallback"
    if "encoder" in results:
        found = results["encoder"]
        levels = [row["particles"] for row in found["growth"]]
        if not levels or not _is_ess(found["ess"], levels[-1]) or found["images"] > n:
            yield "encoder"
    if not all(results["zhusuan"].values()):
        yield "zhusuan"


def _are_mistakes(mistakes, n, confusion):
    """Return whether they are of different images and part of the confusion."""
    n_classes = len(confusion)
    return len({mistake["image"] for mistake in mistakes}) == len(mistakes) and all(
        mistake["image"] < n
        and max(mistake["class"], mistake["predicted"]) < n_classes
        and mistake["class"] != mistake["predicted"]
        and confusion[mistake["class"]][mistake["predicted"]]
        for mistake in mistakes
    )


def _is_ess(ess, particles):
    """Return whether the effective sample sizes are from 1 to `particles`."""
    ends = 1.0 - 1e-6, ess["p5"], ess["median"], particles * (1.0 + 1e-6)  # of rounding
    return ess["particles"] == particles and list(ends) == sorted(ends)


def _evaluate_again(fault, run):
    return CvaeError(f"{fault}; evaluate again: `{command('evaluate')} --run {run}`")
