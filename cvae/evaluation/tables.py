"""An evaluation as the text that scripts/evaluate.py prints, 80 columns wide."""

from typing import Any, Dict, List

_MAIN = (
    ("bound", "bound on log p(x|y)"),
    ("reconstruction", "  reconstruction"),
    ("kl", "  KL, closed form"),
    ("kl_sampled", "  KL, sampled"),
    ("log_likelihood", "log p(x|y), {:,} particles"),
    ("marginal", "log p(x), {:,} particles"),
    ("train_bound", "bound on {:,} training images"),
)
_CLASSES = (
    *("bound", "reconstruction", "kl", "log_likelihood", "marginal"),
    "errors",
)


def evaluation_table(results: Dict[str, Any]) -> str:
    """Return `results`, an `evaluation.json`, as aligned lines."""
    parts = [_main(results), _growth(results), _remarks(results)]
    if "ais" in results:
        parts.append(_ais(results["ais"]))
    parts.append(_per_class(results["per_class"]))
    if results["note"]:
        parts.insert(0, [results["note"]])
    return "\n\n".join("\n".join(lines) for lines in parts)


def implementations(results: Dict[str, Any]) -> str:
    """Return which ZhuSuan trained and evaluated, one name if it was the same."""
    trained, evaluated = (
        " and ".join(results["zhusuan"][act]) for act in ("trained", "evaluated")
    )
    if trained == evaluated:
        return trained
    return f"trained with {trained}, evaluated with {evaluated}"


def _main(results) -> List[str]:
    title = "nats per image, {:,} test images".format(results["n_images"])
    lines = ["{:36} {:>9}   {}".format(title, "mean", "standard error")]
    for name, label in _MAIN:
        found = results[name]
        label = label.format(found.get("particles", found.get("n_images")))
        row = "{:36} {:9.3f}   {:.3f}"
        lines.append(row.format(label, found["mean"], found["stderr"]))
    return lines


def _growth(results):
    columns = ("particles", "log p(x|y)", "gain", "log p(x)")
    lines = ["{:>9} {:>18} {:>18} {:>18}".format(*columns)]
    for row in results["growth"]:
        cells = [_cell(row.get(k)) for k in ("log_likelihood", "gain", "marginal")]
        lines.append("{:9,} {:>18} {:>18} {:>18}".format(row["particles"], *cells))
    return lines


def _remarks(results):
    ess, found, latent = (results[k] for k in ("ess", "classifier", "latent"))
    rates = [100.0 * found[k] for k in ("error_rate", "low", "high")]
    return [
        "effective sample size {:.1f} of {:,} (median), {:.1f} (5th percentile)".format(
            ess["median"], ess["particles"], ess["p5"]
        ),
        "Bayes classifier      {:,} errors: {:.2f} % (95 %: {:.2f} to {:.2f})".format(
            found["errors"], *rates
        ),
        "  close calls         decided by {:,} particles a class".format(
            found["particles"]
        ),
        "log loss              {} nats".format(_cell(found["log_loss"])),
        "active units          {} of {}".format(latent["active"], len(latent["kl"])),
        f"implementation        {implementations(results)}",
    ]


def _ais(found):
    title = "AIS, {:,} images, {} chains x {:,} temperatures, {:.0f} % accepted".format(
        found["images"],
        found["chains"],
        found["temperatures"],
        100 * found["acceptance"],
    )
    columns = ("", "importance", "AIS", "AIS, backward", "difference")
    simulated = found["simulated"]
    rows = (
        (
            "test",
            found["importance"],
            found["log_likelihood"],
            None,
            found["difference"],
        ),
        (
            "simulated",
            *(simulated[k] for k in ("importance", "forward", "backward", "gap")),
        ),
    )
    line = "{:9} {:>17} {:>17} {:>17} {:>16}"
    lines = [title, line.format(*columns)]
    return lines + [line.format(name, *map(_cell, cells)) for name, *cells in rows]


def _per_class(rows):
    columns = ("class", "n", "bound", "reconstr.", "KL", "log p(x|y)", "log p(x)")
    line = "{:>5} {:>6} {:>9} {:>9} {:>7} {:>10} {:>9} {:>6}"
    lines = [line.format(*columns, "errors")]
    line = "{:5} {:6,} {:9.3f} {:9.3f} {:7.3f} {:10.3f} {:9.3f} {:6,}"
    for row in rows:
        lines.append(line.format(row["class"], row["n"], *(row[k] for k in _CLASSES)))
    return lines


def _cell(estimate):
    """Mean and standard error, or nothing."""
    if estimate is None:
        return ""
    return "{:.3f} +- {:.3f}".format(estimate["mean"], estimate["stderr"])
