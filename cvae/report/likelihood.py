"""What the report concludes about bound and likelihood, in typst's markup.

The numbers choose the sentences, so that the report is true of every run.
report/common.typ has the symbols, and `by` and `in-text`, which cite.
"""

import math
from typing import Any, Dict, List

from cvae.report.numbers import count, listed, number, whole, with_error
from cvae.report.words import is_mnist

FEW_DRAWS = 5  # an effective sample size below it is one of few draws


def sentences(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the sentences on the likelihoods in results.json, by name."""
    measured = found["evaluation"]
    return {
        "divergences": divergences(measured),
        "growth": growth(measured),
        "draws": draws(measured["ess"]),
        "modes": modes(measured["fallback"]),
        "proposals": proposals(measured),
        "sandwich": sandwich(measured),
        "scope": scope(found["data"]),
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


def has_checks(measured: Dict[str, Any]) -> bool:
    """Return whether the likelihoods of an evaluation were checked."""
    return "encoder" in measured and "sandwich" in measured


def growth(measured: Dict[str, Any]) -> str:
    """Return how log p(x | y) grows with the particles by either proposal."""
    levels, estimate = measured["growth"], measured["log_likelihood"]
    end = whole(estimate["particles"])
    if len(levels) == 1:
        return (
            f"With {end} particles, the estimate of $log p(xs given ys)$ is "
            f"{with_error(estimate)} (@growth (a))."
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
        f"From {whole(levels[0]['particles'])} to {end} particles, the estimate of "
        f"$log p(xs given ys)$ rises by {rise} (with the error of paired differences)."
    )
    if has_checks(measured):
        first, *_, last = measured["encoder"]["growth"]
        rise = last["log_likelihood"]["mean"] - first["log_likelihood"]["mean"]
        text += (
            f" With the encoder's proposal, it rises by {number(rise)} nats from "
            f"{whole(first['particles'])} to {whole(last['particles'])} particles "
            "(@growth (a))."
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
        f"{number(ess['median'], 1)} and the 5th percentile {number(ess['p5'], 1)} "
        f"(@growth (b)): to first order a bias of {median} and {p5} nats, and more "
        "where important values of $zs$ were never drawn. "
    )
    if ess["p5"] < FEW_DRAWS:
        return text + (
            "For at least one image in twenty the estimate thus depends on a handful "
            "of draws, and is a lower bound rather than an estimate."
        )
    return text + "Few estimates thus depend on single draws."


def modes(fallback: Dict[str, Any]) -> str:
    """Return for how many pairs of image and class no mode was found."""
    n = fallback["pairs"]
    if not n:
        return "The search for the mode converged for every image and class."
    pairs = count(n, "pair of an image and a class", "pairs of an image and a class")
    return (
        f"For {pairs}, the search for the mode did not converge, and the encoder's "
        "proposal was used."
    )


def proposals(measured: Dict[str, Any]) -> str:
    """Return how the Laplace proposal compares with the encoder's."""
    if not has_checks(measured):
        return (
            "The likelihoods of this run were not checked, neither by the encoder's "
            "proposal nor by simulated images."
        )
    encoder, gap = measured["encoder"], measured["encoder"]["difference"]
    particles = measured["log_likelihood"]["particles"]
    last, median = encoder["growth"][-1], number(encoder["ess"]["median"], 1)
    if not is_clear(gap):
        verdict = "The two agree within two standard errors."
    elif gap["mean"] > 0:
        verdict = (
            "As both are low in expectation, the higher one is the better, and the "
            "encoder's proposal misses at least this difference."
        )
    else:
        verdict = (
            "As both are low in expectation, the higher one is the better: here it is "
            "the encoder's, and Laplace's proposal misses at least this difference."
        )
    return (
        f"On {count(encoder['images'], 'test image', 'test images')}, the encoder's "
        f"proposal estimates $log p(xs given ys)$ at "
        f"{with_error(last['log_likelihood'])} with {whole(last['particles'])} "
        f"particles, and Laplace's at {with_error(encoder['laplace'])} with "
        f"{whole(particles)}: a paired difference of {with_error(gap, 3)} nats. "
        f"{verdict} The median ESS of the encoder's weights is {median}."
    )


def sandwich(measured: Dict[str, Any]) -> str:
    """Return whether the estimates from below and from above meet."""
    if not has_checks(measured):
        return ""
    found, error = measured["sandwich"], measured["log_likelihood"]["stderr"]
    gap = found["gap"]
    most = number(gap["mean"] + 2 * gap["stderr"], 3)
    if not is_clear(gap):
        verdict = (
            "is within two standard errors of zero: it gives no sign that either "
            "estimate is biased."
        )
    elif gap["mean"] < 0:
        verdict = (
            "is negative, which the expectations exclude: it is due to sampling error, "
            "of rare large weights that were not drawn, and bounds nothing."
        )
    elif gap["mean"] + 2 * gap["stderr"] < error:
        verdict = (
            f"is small: the estimate from below misses at most about {most} nats, less "
            f"than the standard error over test images, {number(error)}."
        )
    else:
        verdict = (
            f"is large: the estimate from below may miss up to about {most} nats, more "
            f"than the standard error over test images, {number(error)}."
        )
    return (
        f"On {count(found['images'], 'image', 'images')} drawn from the model itself, "
        f"the estimates are {with_error(found['below'])} from below and "
        f"{with_error(found['above'])} from above (@sandwich). Their gap of "
        f"{with_error(gap, 3)} nats {verdict}"
    )


def scope(data: Dict[str, Any]) -> str:
    """Return the warning beside published values, if the run is on a part of MNIST."""
    if data["name"] == "mnist" or not is_mnist(data):
        return ""
    return (
        "*This run does not use the whole of MNIST: its values are not comparable with "
        "the published ones.*"
    )


def comparison(found: Dict[str, Any]) -> str:
    """Return how log p(x) compares with published values, if the run is on MNIST."""
    measured, published = found["evaluation"], found["published"]
    if not is_mnist(found["data"]):
        return ""
    if found["data"]["name"] != "mnist":
        return (
            "The models of these values were trained on all of MNIST and measured on "
            f"all of its test images. Ours had {whole(found['n_train'])} training and "
            f"{whole(measured['n_images'])} held-out images, so that a comparison "
            "would be fair to neither."
        )
    own = measured["marginal"]
    near = 2 * own["stderr"]
    relations = ("above", "within two standard errors of", "below")
    groups: Dict[str, List[str]] = {relation: [] for relation in relations}
    for row in of_quantity(published, "log p(x)"):
        ahead = own["mean"] - row["value"]
        where = 0 if ahead > near else 2 if ahead < -near else 1
        name = f"{row['model']} at {number(row['value'])}"
        groups[relations[where]].append(name)
    places = [f"{where} {listed(names)}" for where, names in groups.items() if names]
    fewer = ""
    if own["particles"] < published["burda-vae"]["particles"]:
        fewer = (
            f"It takes {whole(own['particles'])} particles of Laplace's proposal, "
            "where Burda et al. took "
            f"{whole(published['burda-vae']['particles'])} of the encoder's. "
        )
        if has_checks(measured) and is_clear(measured["encoder"]["difference"]):
            fewer += _as_others_estimate(measured["encoder"]["difference"]["mean"])
    return (
        f"By $log p(xs)$, our {with_error(own)} is {', and '.join(places)}. The models "
        "differ in more than their values. Ours was given the classes in training, "
        "which the others had to find by themselves, and its networks are of another "
        f"size. {fewer}None of the sources states how the value varies from run to "
        "run. For $log p(xs given ys)$ of this model we know no published value."
    )


def _as_others_estimate(above):
    way = "lower" if above > 0 else "higher"
    return (
        "Estimated in their way, our $log p(xs given ys)$ is "
        f"{number(abs(above))} nats {way}. "
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
