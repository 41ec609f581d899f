"""What the report concludes about samples, classes and z, in typst's markup.

The numbers choose the sentences, so that the report is true of every run.
report/common.typ has the symbols, and `by` and `in-text`, which cite.
"""

from typing import Any, Dict, List

import numpy as np

from cvae.report import words
from cvae.report.likelihood import difference, is_clear, of_quantity, slack
from cvae.report.numbers import number, percent, whole

SOME = 0.1  # of accuracy above chance: more is much of the class
COPIES = 0.5  # of the distance of test images: samples that are nearer may be copies


def sentences(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the sentences on samples, classes and z in results.json, by name."""
    config, measured, data = found["config"], found["evaluation"], found["data"]
    space = found["pictures"]["latent_space"]
    return {
        "copies": copies(found["pictures"]["neighbours"]),
        "error_rate": error_rate(data, measured["classifier"], found["published"]),
        "confusions": confusions(measured["classifier"], data),
        "active": active(config, measured["latent"]),
        "class_in_z": class_in_z(space),
        "transfer": transfer(space, data),
        "gaps": gaps(space, data),
        "extremes": extremes(measured["per_class"], data),
        "weaknesses": weaknesses(found),
    }


def copies(near: Dict[str, float]) -> str:
    """Return whether the samples may be copies of training images."""
    samples, to_train = whole(near["samples"]), number(near["to_train"])
    test, again = (
        number(near[key]) for key in ("test_to_train", "reconstructed_test_to_train")
    )
    distances = (
        f"the median Euclidean distance of {samples} samples from their nearest "
        f"training images is {to_train}"
    )
    if near["to_train"] < COPIES * near["test_to_train"]:
        return (
            f"They may be: {distances}, that of the test images more than twice as "
            f"much, {test}."
        )
    text = (
        f"They are not: {distances}, where a copy would be at zero and the median of "
        f"the test images is {test}."
    )
    if near["to_train"] < near["test_to_train"]:
        text += (
            " Samples are nearer than test images because they are means, without the "
            "noise of a single image: the reconstructions of these test images, which "
            f"were not trained on, are at {again}."
        )
    return text


def error_rate(data: Dict, classifier: Dict, published: Dict[str, Dict]) -> str:
    """Return how the error rate compares with that of Kingma et al. (2014)."""
    if data["name"] != "mnist":
        return ""
    semi = published["semi"]
    theirs = f'the {percent(semi["value"])} of #in-text("semi")'
    inputs = "their classifier reads grey pixels, and ours only bits drawn from them"
    if classifier["low"] > semi["value"]:
        text = f"This is clearly more than {theirs}, but {inputs}."
        if classifier["particles"] < semi["particles"]:
            text += " They also used more particles, which decide near-ties."
        return text
    if classifier["high"] < semi["value"]:
        return f"This is clearly less than {theirs}, although {inputs}."
    return f"This agrees with {theirs}, although {inputs}."


def confusions(classifier: Dict[str, Any], data: Dict[str, Any]) -> str:
    """Return which classes are confused most often, and what the mistakes show."""
    errors = np.array(classifier["confusion"])
    np.fill_diagonal(errors, 0)
    row, column = map(int, np.unravel_index(errors.argmax(), errors.shape))
    times = int(errors.max())
    worst = (
        "Panel (b) has the images of which the model is most certain that they are of "
        "another class."
    )
    if not times:
        return f"No class is taken for another (@mistaken (a)). {worst}"
    often = "once" if times == 1 else f"{whole(times)} times"
    return (
        "@mistaken (a) shows which classes are taken for which: most often, "
        f"{words.class_name(row, data)} is taken for {words.class_name(column, data)} "
        f"({often}). {worst} {words.phrase('legible', data)} Others are clear to us: a "
        "model that explains every pixel can miss the few pixels that distinguish the "
        "classes."
    )


def active(config: Dict[str, Any], latent: Dict[str, Any]) -> str:
    """Return how many dimensions of z are active, and what they contribute."""
    idle = config["z_dim"] - latent["active"]
    kl = sorted(latent["kl"], reverse=True)
    top = min(10, len(kl))
    if idle:
        text = (
            f"Of {config['z_dim']} dimensions, {latent['active']} are active; the "
            f"other {idle} stay at the prior."
        )
    else:
        text = f"All {config['z_dim']} dimensions are active."
    return text + (
        " @latent (a) shows what each contributes to the divergence of @eq-kl: the "
        f"first {top} account for {percent(sum(kl[:top]) / sum(kl), 0)} of the "
        f"{number(sum(kl))} nats."
    )


def class_in_z(space: Dict[str, Any]) -> str:
    """Return whether z encodes the class, by a linear classifier."""
    if not _finds_class(space):
        return "There is thus no sign that $zs$ encodes the class."
    amount = "Part" if _is_style(space) else "Much"
    return (
        f"{amount} of the class is thus still encoded in $zs$: the posteriors of one "
        "class together do not quite fill the prior, and those of another class fill "
        "it differently."
    )


def transfer(space: Dict[str, Any], data: Dict[str, Any]) -> str:
    """Return what carries over when z is decoded as another class."""
    if _is_style(space):
        return (
            f"{words.phrase('carries', data)}, although a style that is rare in "
            "another class may be decoded as a blur."
        )
    return (
        f"As $zs$ encodes much of the class, {words.phrase('what', data)} carries over "
        "with its style."
    )


def _finds_class(space):
    return space["low"] > space["chance"]


def _is_style(space):
    return space["accuracy"] < space["chance"] + SOME


def gaps(space: Dict[str, Any], data: Dict[str, Any]) -> str:
    """Return what a linear classifier of z shows about gaps in the prior."""
    if not _finds_class(space):
        return ""
    text = (
        "A linear classifier finds part of the class in $zs$: there are such gaps, and "
        "they differ between classes, so that a $zs$ that is common in one class is "
        "rare in another."
    )
    if not _is_style(space):
        text += (
            f" The decoder even {words.phrase('takes', data)} from $zs$ as much as "
            "from $ys$, so that a row of @samples need not "
            f"{words.phrase('show', data)}."
        )
    return text


def weaknesses(found: Dict[str, Any]) -> str:
    """Return the list of what the model does badly."""
    config, measured, data = found["config"], found["evaluation"], found["data"]
    gap = difference(measured["train_bound"], measured["bound"])
    above, idle = slack(measured), config["z_dim"] - measured["latent"]["active"]
    classifier, marginal = measured["classifier"], measured["marginal"]
    best, worst = extreme_classes(measured["per_class"])
    parts = [
        f"Its quality differs between classes: {words.of_class(worst['class'], data)} "
        f"costs {number(best['bound'] - worst['bound'])} nats more than "
        f"{words.of_class(best['class'], data)}."
    ]
    if is_clear(gap) and gap["mean"] > 0:
        parts.append(
            f"Its bound is {number(gap['mean'])} nats better on training images than "
            "on test images."
        )
    if above > 0:
        parts.append(
            f"Its encoder costs {number(above)} nats of the bound, or more, as it is "
            "not the exact posterior."
        )
    if idle > 0:
        parts.append(f"It leaves {idle} of {config['z_dim']} latent dimensions unused.")
    if classifier["errors"]:
        parts.append(
            "As a classifier, it takes a search for the mode and up to "
            f"{whole(classifier['particles'])} decodings for each class of an image, "
            f"for an error rate of {percent(classifier['error_rate'])}; a network that "
            "is trained only for $p(ys given xs)$ need not explain the pixels."
        )
    lacks = "" if config["network"] == "conv" else "no convolutions, "
    last = f"It has one layer of latent variables, {lacks}and a fixed prior"
    rows = of_quantity(found["published"], "log p(x)")
    ahead = max(row["value"] for row in rows) - marginal["mean"]
    if data["name"] == "mnist" and ahead > 0:
        last += (
            "; the best of the published models in @published, which has more of "
            f"these, is better by {number(ahead)} nats"
        )
    return " ".join([*parts, f"{last}."])


def extremes(per_class: List[Dict[str, Any]], data: Dict[str, Any]) -> str:
    """Return which classes have the highest and the lowest bound."""
    best, worst = extreme_classes(per_class)
    return (
        f"The class with the highest bound is {words.of_class(best['class'], data)} "
        f"({number(best['bound'])}), that with the lowest "
        f"{words.of_class(worst['class'], data)} ({number(worst['bound'])});"
    )


def extreme_classes(per_class: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the rows of the classes with the highest and the lowest bound."""
    order = sorted(per_class, key=lambda row: -row["bound"])
    return [order[0], order[-1]]
