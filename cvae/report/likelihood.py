"""What the report concludes about bound and likelihood, in typst's markup.

The numbers choose the sentences, so that the report is true of every run.
report/common.typ has the symbols, and `by` and `in-text`, which cite.
"""

import math
from typing import Any, Dict, List, NamedTuple, Optional

from cvae.report.numbers import count, listed, number, whole, with_error

FEW_DRAWS = 5  # an effective sample size below it is one of few draws


def sentences(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the sentences on the likelihoods in results.json, by name."""
    config, measured = found["config"], found["evaluation"]
    return {
        "divergences": divergences(measured),
        "growth": growth(measured),
        "draws": draws(measured["ess"]),
        "annealing": annealing(measured.get("ais")),
        "scope": scope(config),
        "comparison": comparison(found),
        "generalization": generalization(measured),
        "inference": inference(measured),
    }


def divergences(measured: Dict[str, Any]) -> str:
    """Return how the sampled divergence compares with the closed form."""
    gap = difference(measured["kl"], measured["kl_sampled"])
    if is_clear(gap):
        how = f"differs by {number(abs(gap['mean']))} nats from"
    else:
        how = f"agrees to {number(abs(gap['mean']), 3)} nats with"
    return (
        f"The sampled divergence, a part of the bound, {how} the closed form of @eq-kl."
    )


class Bias(NamedTuple):
    """A bias of `nats` at the last number of particles k, that falls as k^-power."""

    power: float
    nats: float


def remaining_bias(levels: List[Dict[str, Any]]) -> Optional[Bias]:
    """Extrapolate the bias of log p(x | y) from its gains over three levels.

    Args:
        levels: "growth" of evaluation.json.

    Returns:
        None if there are fewer than three levels, or the gains do not fall as a power
        of the particles between 0.03 and 2.
    """
    if len(levels) < 3:
        return None
    a, b, c = (float(level["particles"]) for level in levels[-3:])
    before, last = (level["gain"]["mean"] for level in levels[-2:])
    if not 0 < last < before:
        return None

    def is_flatter(power):
        gains = b**-power - c**-power, a**-power - b**-power
        return gains[0] / gains[1] > last / before

    low, high = 0.02, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_flatter(middle) else (low, middle)
    return Bias(low, last / ((c / b) ** low - 1)) if low > 0.03 else None


def growth(measured: Dict[str, Any]) -> str:
    """Return how log p(x | y) grows with the particles, and what is still missing."""
    levels, estimate = measured["growth"], measured["log_likelihood"]
    end = whole(estimate["particles"])
    if len(levels) == 1:
        return (
            f"With {end} particles, the estimate of $log p(xs given ys)$ is "
            f"{with_error(estimate)}."
        )
    last = with_error(levels[-1]["gain"], 3)
    rise = f"{last} nats"
    if len(levels) > 2:
        total = estimate["mean"] - levels[0]["log_likelihood"]["mean"]
        rise = (
            f"{number(total)} nats; the last step, from "
            f"{whole(levels[-2]['particles'])}, contributes {last} nats"
        )
    text = (
        "@growth shows the estimates against the number of particles. From "
        f"{whole(levels[0]['particles'])} to {end} particles, $log p(xs given ys)$ "
        f"rises by {rise} (the standard error is that of paired differences)."
    )
    bias = remaining_bias(levels)
    if bias:
        text += (
            " If the bias continues to fall as it did over the last three points, as "
            f"$k^(-{number(bias.power)})$, about {number(bias.nats)} nats are still "
            "missing at the end."
        )
    return text


def draws(ess: Dict[str, float]) -> str:
    """Return what the effective sample size means for the estimates."""
    median, p5 = (
        number(0.5 * (1 / ess[key] - 1 / ess["particles"]), 3)
        for key in ("median", "p5")
    )
    text = (
        f"The ESS among {whole(ess['particles'])} weights has the median "
        f"{number(ess['median'], 1)} and the 5th percentile {number(ess['p5'], 1)}. To "
        f"first order, this is a bias of {median} and {p5} nats; it is larger where "
        "important values of $zs$ were never drawn. "
    )
    if ess["p5"] < FEW_DRAWS:
        return text + (
            "For at least one image in twenty the estimate thus depends on a handful "
            "of draws, and is a lower bound rather than an estimate."
        )
    return text + "Few estimates thus depend on single draws."


def annealing(ais: Optional[Dict[str, Any]]) -> str:
    """Return how annealed importance sampling compares with importance sampling."""
    if ais is None:
        return ""
    made, gap = ais["simulated"], ais["difference"]
    forward, backward = made["forward"]["mean"], made["backward"]["mean"]
    importance = made["importance"]["mean"]
    if not is_clear(gap):
        verdict = "The two agree within two standard errors."
    elif gap["mean"] > 0:
        verdict = (
            "As both are low in expectation, the higher one is the better, and "
            "importance sampling misses at least this difference."
        )
    else:
        verdict = (
            "As both are low in expectation, the higher one is the better: here the "
            "encoder is a better proposal than annealing."
        )
    if forward <= importance <= backward:
        place = "between the two"
    elif importance < forward:
        place = f"{number(forward - importance, 3)} nats below the forward chains"
    else:
        place = (
            f"{number(importance - backward, 3)} nats above the backward chains, which "
            "is due to sampling error"
        )
    return (
        f"On {count(ais['images'], 'test image', 'test images')}, annealed importance "
        f"sampling estimates $log p(xs given ys)$ at "
        f"{with_error(ais['log_likelihood'])} and importance sampling at "
        f"{with_error(ais['importance'])}: a paired difference of "
        f"{with_error(gap, 3)} nats. {verdict} On "
        f"{count(made['images'], 'image', 'images')} drawn from the model itself, the "
        f"forward chains give {with_error(made['forward'])} and the backward chains "
        f"{with_error(made['backward'])}, so that the true mean is known to "
        f"{with_error(made['gap'], 3)} nats. Importance sampling gives "
        f"{with_error(made['importance'])}, {place}."
    )


def scope(config: Dict[str, Any]) -> str:
    """Return the warning beside published values, if the run is not on MNIST."""
    if config["dataset"] == "mnist":
        return ""
    return (
        "*This run does not use the whole of MNIST: its values are not comparable with "
        "the published ones.*"
    )


def comparison(found: Dict[str, Any]) -> str:
    """Return how log p(x) compares with published values."""
    measured, published = found["evaluation"], found["published"]
    if found["config"]["dataset"] != "mnist":
        return (
            "The models of these values were trained on all of MNIST and measured on "
            f"all of its test images. Ours had {whole(found['n_train'])} training and "
            f"{whole(measured['n_images'])} held-out images, so that a comparison "
            "would be fair to neither."
        )
    own = measured["marginal"]
    near = 2 * own["stderr"]
    groups = {"above": [], "within two standard errors of": [], "below": []}
    for row in of_quantity(published, "log p(x)"):
        ahead = own["mean"] - row["value"]
        where = 0 if ahead > near else 2 if ahead < -near else 1
        name = f"{row['model']} at {number(row['value'])}"
        groups[list(groups)[where]].append(name)
    places = [f"{where} {listed(names)}" for where, names in groups.items() if names]
    fewer = ""
    if own["particles"] < published["burda-vae"]["particles"]:
        fewer = (
            "It is estimated with fewer particles than Burda et al. used, which lowers "
            "it. "
        )
    return (
        f"By $log p(xs)$, our {with_error(own)} is {', and '.join(places)}. The models "
        "differ in more than their values. Ours was given the classes in training, "
        "which the others had to find by themselves, and its networks are of another "
        f"size. {fewer}None of the sources states how the value varies from run to "
        "run. For $log p(xs given ys)$ of this model we know no published value."
    )


def of_quantity(published: Dict[str, Dict], quantity: str) -> List[Dict[str, Any]]:
    """Return the entries of published.json that give `quantity`."""
    return [row for row in published.values() if row["quantity"] == quantity]


def generalization(measured: Dict[str, Any]) -> str:
    """Return whether the gap between training and test images is overfitting."""
    train, test = measured["train_bound"], measured["bound"]
    gap = difference(train, test)
    if not is_clear(gap):
        verdict = (
            f"The difference of {with_error(gap)} nats is within two standard errors: "
            "there is no sign of overfitting, and a larger network or longer training "
            "may improve the model."
        )
    elif gap["mean"] > 0:
        verdict = (
            f"The gap of {with_error(gap)} nats shows that the model fits its training "
            "images better than new ones; a smaller network, shorter training or "
            "augmented images may close it."
        )
    else:
        verdict = (
            f"The test images are even easier, by {number(-gap['mean'])} nats, so that "
            "nothing indicates overfitting."
        )
    return (
        "With bits drawn in the same way, the bound is "
        f"{with_error(train)} on {whole(train['n_images'])} training images and "
        f"{with_error(test)} on the test images. {verdict}"
    )


def inference(measured: Dict[str, Any]) -> str:
    """Return what the gap between bound and likelihood measures."""
    above = slack(measured)
    if above > 0:
        text = (
            f"The importance-sampled estimate is {number(above)} nats above the bound. "
            "As it is itself low in expectation, the divergence is at least this "
            "large, up to sampling error: it is the joint cost of the diagonal "
            "Gaussian and the shared encoder. Richer posteriors, such as the flows of "
            '#in-text("iaf"), could recover part of it. They would improve the bound, '
            "but not the samples, which do not depend on $q$."
        )
    else:
        text = (
            "The importance-sampled estimate is not above the bound: with so few "
            "particles, it does not measure this divergence."
        )
    if "ais" not in measured:
        text += (
            " The likelihoods of this run rest on importance sampling only, whose "
            "draws come from the same encoder: annealed importance sampling "
            '#by("neal", "wu", "grosse"), which does not use the encoder, was not run.'
        )
    return text


def difference(a: Dict[str, float], b: Dict[str, float]) -> Dict[str, float]:
    """Return a - b, with its standard error, of estimates on different images."""
    error = math.hypot(a["stderr"], b["stderr"])
    return {"mean": a["mean"] - b["mean"], "stderr": error}


def is_clear(estimate: Dict[str, float]) -> bool:
    """Return whether an estimate is more than two standard errors from zero."""
    return abs(estimate["mean"]) > 2 * estimate["stderr"]


def slack(measured: Dict[str, Any]) -> float:
    """Return by how many nats the estimate of log p(x | y) exceeds the bound."""
    return measured["log_likelihood"]["mean"] - measured["bound"]["mean"]
