"""results.json: what a run measured, and the report's text that follows from it."""

import dataclasses
import math
import platform
from pathlib import Path
from typing import Any, Dict

import numpy as np

import cvae
from cvae.config import Config
from cvae.data.dataset import Dataset
from cvae.evaluation import sandwich, tables
from cvae.inference import estimates, laplace
from cvae.plotting import panels
from cvae.report import figures, findings, likelihood, method, words
from cvae.report.numbers import (
    MINUS,
    duration,
    interval,
    listed,
    number,
    percent,
    setting,
    whole,
    with_error,
)
from cvae.report.typst import SOURCE
from cvae.runs.run import Run, averages
from cvae.storage import files

PUBLISHED = SOURCE.with_name("published.json")
# Modules whose `sentences` are in typst's markup.
MARKUP = (words, method, likelihood, findings)


def results(
    run: Run,
    dataset: Dataset,
    evaluation: Dict[str, Any],
    last: Dict[str, Any],
    facts: Dict[str, Dict],
) -> Dict[str, Any]:
    """Return results.json: the measurements of a run, and the text of its report.

    Args:
        last: the last row of the run's metrics.
        facts: what `figures.draw` measured.
    """
    from cvae.training import loop, muon, optimizers

    checkpoint = run.load_checkpoint(best=True)
    weights = averages(checkpoint)
    train, _, _ = loop.splits(dataset, run.config)
    return with_text(
        {
            "config": run.config.to_dict(),
            "data": run.data.to_dict(),
            "evaluation": evaluation,
            "pictures": facts,
            "published": files.read_json(PUBLISHED),
            "averaging": {"young": optimizers.YOUNG, "every": optimizers.AVERAGE_EVERY},
            "muon": {"sides": muon.SIDES, "step": muon.STEP},
            "importance": {
                "pilot": estimates.PILOT,
                "margin": estimates.MARGIN,
                "close": estimates.CLOSE,
            },
            "laplace": {
                "fractions": laplace.FRACTIONS,
                "tolerance": laplace.TOLERANCE,
                "steps": (laplace.MIN_STEPS, laplace.MAX_STEPS),
                "scale": laplace.SCALE,
                "moves": sandwich.MOVES,
            },
            "last": last,
            "n_train": len(train.images),
            "n_test": len(dataset.test.images),
            "parameters": {
                "generator": _count(weights, "gen/"),
                "variational": _count(weights, "q_net/"),
            },
            "per_class": figures.per_class(
                run.data.classes, np.unique(dataset.test.labels)
            ),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": " and ".join(dict.fromkeys(checkpoint.state.tensorflow)),
                "numpy": np.__version__,
                "zhusuan": tables.implementations(evaluation),
                "cvae": cvae.__version__,
            },
            "note": dataset.note,
        }
    )


def with_text(found: Dict[str, Any]) -> Dict[str, Any]:
    """Return the measurements `found` with "text": all that the report prints.

    These are numbers as strings, sentences in typst's markup, rows of tables, and the
    keys of works that are not cited.
    """
    # An older run's settings lack the newer ones.
    found = dict(found, config=Config.from_dict(found["config"]).to_dict())
    sentences = {}
    for part in MARKUP:
        sentences.update(part.sentences(found))
    text = {
        "title": words.title(found["data"]),
        "numbers": numbers(found),
        "sentences": sentences,
        "tables": rows(found),
        "left_out": method.left_out(found),
        "has_published": words.is_mnist(found["data"]),
        "has_paged_classes": words.is_paged(found["data"]),
        "has_wide_matrix": panels.is_wide(len(found["data"]["classes"])),
    }
    return dict(found, text=text)


def numbers(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the numbers between the report's fixed words, as it prints them."""
    config, measured, drawn = found["config"], found["evaluation"], found["pictures"]
    classifier, space = measured["classifier"], drawn["latent_space"]
    particles = measured["log_likelihood"]["particles"]
    best, worst = findings.extreme_classes(measured["per_class"])
    log_k = number(math.log(config["n_classes"]), 3)
    nats = -measured["reconstruction"]["mean"]
    return {
        "duration": duration(found["last"]["seconds"]),
        "n_train": whole(found["n_train"]),
        "n_images": whole(measured["n_images"]),
        "n_train_bound": whole(measured["train_bound"]["n_images"]),
        "per_class": whole(found["per_class"]),
        "x_dim": str(config["x_dim"]),
        "z_dim": str(config["z_dim"]),
        "n_classes": str(config["n_classes"]),
        "log_k": log_k,
        "minus_log_k": MINUS + log_k,
        "log_2": number(math.log(2)),
        "optimizer": config["optimizer"].capitalize(),
        "tensorflow": found["versions"]["tensorflow"],
        "generator_weights": whole(found["parameters"]["generator"]),
        "encoder_weights": whole(found["parameters"]["variational"]),
        "pilot": whole(found["importance"]["pilot"]),
        "margin": setting(found["importance"]["margin"]),
        "fractions": listed([setting(f) for f in found["laplace"]["fractions"]]),
        "tolerance": setting(found["laplace"]["tolerance"]),
        "min_steps": whole(found["laplace"]["steps"][0]),
        "max_steps": whole(found["laplace"]["steps"][1]),
        "scale": setting(found["laplace"]["scale"]),
        "particles": whole(particles),
        "marginal_particles": whole(measured["marginal"]["particles"]),
        "bound": with_error(measured["bound"]),
        "reconstruction": with_error(measured["reconstruction"]),
        "kl": with_error(measured["kl"]),
        "kl_sampled": with_error(measured["kl_sampled"]),
        "likelihood": with_error(measured["log_likelihood"]),
        "marginal": with_error(measured["marginal"]),
        "train_bound": with_error(measured["train_bound"]),
        "reconstruction_nats": number(nats),
        "pixel_nats": number(nats / config["x_dim"], 3),
        "kl_nats": number(measured["kl"]["mean"]),
        "kl_bits": whole(measured["kl"]["mean"] / math.log(2)),
        "bound_range": number(best["bound"] - worst["bound"]),
        "reconstruction_range": number(
            best["reconstruction"] - worst["reconstruction"]
        ),
        "n_classified": whole(classifier["n_images"]),
        "errors": whole(classifier["errors"]),
        "error_rate": percent(classifier["error_rate"]),
        "error_interval": interval(classifier),
        "log_loss": with_error(classifier["log_loss"], 3),
        "threshold": setting(measured["latent"]["threshold"]),
        "probe_train": whole(space["n_train"]),
        "probe_test": whole(space["n_test"]),
        "probe": percent(space["accuracy"], 1),
        "probe_interval": interval(space, 1),
        "chance": percent(space["chance"], 1),
        "first_component": percent(space["explained"][0], 0),
        "second_component": percent(space["explained"][1], 0),
        **_of_checks(found),
    }


def _of_checks(found):
    if not likelihood.has_checks(found["evaluation"]):
        return {}
    made = found["evaluation"]["sandwich"]
    return {
        "moves": listed([setting(share) for share in found["laplace"]["moves"]]),
        "chain_steps": whole(made["steps"]),
        "sandwich_particles": whole(made["particles"]),
        "acceptance": percent(made["acceptance"], 0),
    }


def rows(found: Dict[str, Any]) -> Dict[str, Any]:
    """Return the rows of the report's tables, cell by cell as it prints them."""
    published, data = found["published"], found["data"]
    return {
        "settings": _settings(found),
        "classes": _classes(found["evaluation"]["per_class"], data),
        "published": {
            quantity: [
                _published(row) for row in likelihood.of_quantity(published, quantity)
            ]
            for quantity in ("log p(x)", "error rate")
        },
        "ours": _ours(found),
    }


def _settings(found):
    """Rows of name, value and meaning, without settings that few runs have."""
    values = dict(found["config"])
    # The report has names, not places on a disk; a table of its own has the classes.
    values["dataset"] = words.shortened(found["data"]["name"], words.IN_TEXT)
    values["origin"] = words.shortened(Path(values["origin"]).name, words.IN_TEXT)
    n_names = len(values["class_names"])
    values["class_names"] = f"{n_names} names" if n_names else None
    rare = ("class_names", "test_share", "origin", "continued")
    return [
        [field.name, setting(values[field.name]), field.metadata["help"]]
        for field in dataclasses.fields(Config)
        if field.name not in rare or values[field.name] not in (None, [], "none")
    ]


def _classes(per_class, data):
    """Rows by name, a cell for each class; these are columns where classes have names.

    Digits need no other name.
    """
    classes = [row["class"] for row in per_class]
    cells = {"digit" if words.is_mnist(data) else "number": list(map(str, classes))}
    texts = {"name": words.is_named(data), "label": words.is_mapped(data)}
    for (key, there), found in zip(texts.items(), (data["classes"], data["values"])):
        if there:
            cells[key] = [words.cell(found[c]) for c in classes]
    places = {"n": 0, "reconstruction": 1, "kl": 1, "bound": 1}
    places.update(log_likelihood=1, marginal=1, errors=0)
    for name, p in places.items():
        cells[name] = [number(row[name], p) for row in per_class]
    return cells


def _published(row):
    is_rate = row["quantity"] == "error rate"
    particles = row["particles"]
    return {
        "model": row["model"],
        "work": row["work"],
        "value": percent(row["value"]) if is_rate else number(row["value"]),
        "binarization": row["binarization"],
        "particles": "–" if particles is None else whole(particles),
        "differs": row["differs"],
    }


def _ours(found):
    """What the table of published values has of this run, by quantity."""
    config, measured = found["config"], found["evaluation"]
    classifier = measured["classifier"]
    convolutions = "convolutions; " if config["network"] == "conv" else ""
    differs = {
        "log p(x)": (
            f"classes in training; one stochastic layer; {convolutions}"
            f"{config['z_dim']} latents; diagonal Gaussian posterior"
        ),
        "log p(x|y)": "the same; the class of the test image is given",
        "error rate": (
            f"classifies binarized images; 95 % interval {interval(classifier)}"
        ),
    }
    values = {
        "log p(x)": measured["marginal"],
        "log p(x|y)": measured["log_likelihood"],
        "error rate": classifier,
    }
    return {
        quantity: {
            "model": "This report",
            "value": (
                percent(classifier["error_rate"])
                if quantity == "error rate"
                else with_error(value)
            ),
            "binarization": config["binarize"],
            "particles": whole(value["particles"]),
            "differs": differs[quantity],
        }
        for quantity, value in values.items()
    }


def _count(weights, scope):
    return int(sum(a.size for name, a in weights.items() if name.startswith(scope)))
