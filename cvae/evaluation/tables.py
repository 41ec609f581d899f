"""Format an evaluation as text of 80 columns, for scripts/evaluate.py."""

from typing import Any, Dict

_MAIN = (
    ("bound", "bound on log p(x|y)"),
    ("reconstruction", "  reconstruction"),
    ("kl", "  KL, closed form"),
    ("kl_sampled", "  KL, sampled"),
    ("log_likelihood", "log p(x|y), {:,} particles"),
    ("marginal", "log p(x), {:,} particles"),
    ("train_bound", "bound on {:,} training images"),
)


def evaluation_table(results: Dict[str, Any]) -> str:
    """Return `results`, an `evaluation.json`, as aligned lines."""
    parts = [_main(results), _growth(results), _remarks(results)]
    if "encoder" in results:
        parts.append(_encoder(results["encoder"]))
    if "sandwich" in results:
        parts.append(_sandwich(results["sandwich"]))
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


def _main(results):
    title = f"nats per image, {results['n_images']:,} test images"
    lines = [f"{title:36} {'mean':>9}   standard error"]
    for name, label in _MAIN:
        found = results[name]
        label = label.format(found.get("particles", found.get("n_images")))
        lines.append(f"{label:36} {found['mean']:9.3f}   {found['stderr']:.3f}")
    return lines


def _growth(results):
    columns = ("log p(x|y)", "gain", "log p(x)")
    lines = [_row("particles", *columns)]
    for row in results["growth"]:
        cells = [_cell(row.get(k)) for k in ("log_likelihood", "gain", "marginal")]
        lines.append(_row(f"{row['particles']:,}", *cells))
    return lines


def _row(particles, *cells):
    return " ".join([f"{particles:>9}", *(f"{cell:>18}" for cell in cells)])


def _remarks(results):
    ess, found, latent = (results[k] for k in ("ess", "classifier", "latent"))
    rate, low, high = (100.0 * found[k] for k in ("error_rate", "low", "high"))
    return [
        f"effective sample size {ess['median']:.1f} of {ess['particles']:,} (median), "
        f"{ess['p5']:.1f} (5th percentile)",
        f"no mode found         {results['fallback']['pairs']:,} images and classes, "
        "estimated by the encoder's proposal",
        f"Bayes classifier      {found['errors']:,} errors: {rate:.2f} % (95 %: "
        f"{low:.2f} to {high:.2f})",
        f"  near-ties           decided by {found['particles']:,} particles a class",
        f"log loss              {_cell(found['log_loss'])} nats",
        f"active units          {latent['active']} of {len(latent['kl'])}",
        f"implementation        {implementations(results)}",
    ]


def _encoder(found):
    last, ess = found["growth"][-1], found["ess"]
    title = f"proposals compared, {found['images']:,} test images"
    return [
        f"{title:36} {'log p(x|y)':>18}",
        f"{'  Laplace':36} {_cell(found['laplace']):>18}",
        f"{_label('  encoder', last['particles']):36} "
        f"{_cell(last['log_likelihood']):>18}",
        f"{'  difference':36} {_cell(found['difference']):>18}",
        f"  effective sample size of the encoder's: {ess['median']:.1f} (median), "
        f"{ess['p5']:.1f} (5th percentile)",
    ]


def _sandwich(found):
    title = f"{found['images']:,} images drawn from the model"
    return [
        f"{title:36} {'log p(x|y)':>18}",
        f"{_label('  from below', found['particles']):36} {_cell(found['below']):>18}",
        f"{_label('  from above', found['steps'], 'steps'):36} "
        f"{_cell(found['above']):>18}",
        f"{'  gap':36} {_cell(found['gap']):>18}",
    ]


def _label(text, number, unit="particles"):
    return f"{text}, {number:,} {unit}"


def _per_class(rows):
    lines = [
        f"{'class':>5} {'n':>6} {'bound':>9} {'reconstr.':>9} {'KL':>7} "
        f"{'log p(x|y)':>10} {'log p(x)':>9} {'errors':>6}"
    ]
    for row in rows:
        lines.append(
            f"{row['class']:5} {row['n']:6,} {row['bound']:9.3f} "
            f"{row['reconstruction']:9.3f} {row['kl']:7.3f} "
            f"{row['log_likelihood']:10.3f} {row['marginal']:9.3f} {row['errors']:6,}"
        )
    return lines


def _cell(estimate):
    """Return mean and standard error, or nothing for None."""
    if estimate is None:
        return ""
    return f"{estimate['mean']:.3f} +- {estimate['stderr']:.3f}"
