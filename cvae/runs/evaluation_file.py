"""A run's evaluation read back from disk, and believed only once it is checked."""

from pathlib import Path
from typing import Any, Dict

import numpy as np

from cvae.errors import CvaeError
from cvae.storage import files, schema
from cvae.storage.npz import read_arrays

_PER_IMAGE = (
    *("bound", "reconstruction", "kl", "kl_sampled"),
    *("log_likelihood", "marginal", "ess"),
)
_LARGEST = 1 << 28  # bytes of the arrays


def read_evaluation(path: Path, run: Path) -> Dict[str, Any]:
    """Return the evaluation in `path`, a JSON file of the directory `run`.

    Raises:
        CvaeError: it is missing, damaged, or of an older version.
    """
    if not path.exists():
        raise CvaeError(
            f"{run} is not evaluated yet: run `python scripts/evaluate.py --run {run}`"
        )
    try:
        results = files.read_json(path)
        if isinstance(results, dict):  # an older one; the set-up had no other ZhuSuan
            results.setdefault(
                "zhusuan", {"trained": ["cvae.zs"], "evaluated": ["cvae.zs"]}
            )
        schema.check(results, schema.EVALUATION, str(path))
        fault = _contradiction(results)
        if fault:
            raise CvaeError(f"{path} is damaged: {fault}")
    except CvaeError as error:
        raise _evaluate_again(error, run)
    return results


def read_arrays_of(
    results: Dict[str, Any], path: Path, run: Path
) -> Dict[str, np.ndarray]:
    """Return the arrays in `path` that belong to the evaluation `results`.

    Raises:
        CvaeError: they are missing or damaged, or belong to another one.
    """
    try:
        arrays = read_arrays(path, _LARGEST)
        n, n_classes = results["n_images"], len(results["classifier"]["confusion"])
        forms_of = {name: (np.float64, (n,)) for name in _PER_IMAGE}
        forms_of["log_likelihoods"] = (np.float64, (n, n_classes))
        forms_of["particles"] = (np.int32, (n, n_classes))
        forms_of["step"] = (np.int64, ())
        for name, (dtype, shape) in forms_of.items():
            array = arrays.get(name)
            if array is None or array.dtype != dtype or array.shape != shape:
                raise CvaeError(f"{path} is damaged: {name} in it")
        if len(arrays) != len(forms_of):
            raise CvaeError(f"{path} is damaged: more in it than there is")
        found = [arrays[name].mean() for name in _PER_IMAGE[:-1]]
        means = [results[name]["mean"] for name in _PER_IMAGE[:-1]]
        if arrays["step"] != results["step"] or not np.allclose(found, means, 1e-9, 0):
            raise CvaeError(f"{path} is of another evaluation")
    except CvaeError as error:
        raise _evaluate_again(error, run)
    return arrays


def _contradiction(results):
    """What does not go together in an evaluation whose parts have their forms."""
    classifier, latent = results["classifier"], results["latent"]
    confusion, n = classifier["confusion"], results["n_images"]
    n_classes = len(confusion)
    growth = [row["particles"] for row in results["growth"]]
    mistakes = classifier["mistakes"]
    holds = {
        "n_images": n == classifier["n_images"] > 0,
        "confusion": all(len(row) == n_classes for row in confusion)
        and sum(map(sum, confusion)) == n
        and n - sum(row[i] for i, row in enumerate(confusion)) == classifier["errors"],
        "error_rate": classifier["error_rate"] == classifier["errors"] / n
        and classifier["low"] <= classifier["error_rate"] <= classifier["high"],
        "mistakes": len(mistakes) <= classifier["errors"]
        and all(m["image"] < n for m in mistakes)
        and all(max(m["class"], m["predicted"]) < n_classes for m in mistakes),
        "growth": bool(growth)
        and growth == sorted(set(growth))
        and all("gain" in row for row in results["growth"][1:])
        and growth[-1] == results["log_likelihood"]["particles"],
        "per_class": all(row["class"] < n_classes for row in results["per_class"])
        and sum(row["n"] for row in results["per_class"]) == n,
        "latent": len(latent["kl"]) == len(latent["activity"]) >= latent["active"],
    }
    wrong = [name for name, right in holds.items() if not right]
    return f"its {wrong[0]} contradicts the rest" if wrong else ""


def _evaluate_again(error, run):
    return CvaeError(
        f"{error}; evaluate again: `python scripts/evaluate.py --run {run}`"
    )
