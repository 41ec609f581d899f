"""The model card of a run, README.md with the metadata that model hubs read."""

import dataclasses
import json
import re
from typing import Any, List, Sequence

import cvae
from cvae.config import Config
from cvae.evaluation import tables
from cvae.report import words
from cvae.report.numbers import (
    duration,
    interval,
    number,
    percent,
    setting,
    whole,
    with_error,
)
from cvae.runs.checkpoints import SHARED
from cvae.runs.dataset_file import label_of
from cvae.runs.run import Run

# As in CITATION.cff, which is not a part of the installed package.
TITLE = "cvae: a class-conditional variational autoencoder on MNIST"
AUTHORS = "The cvae authors"
LICENCE = "MIT"

PICTURES = {  # of the card, and what they show
    "samples.png": "Pixel means, each of a z of its own from the prior.",
    "same-style.png": "Pixel means; the images of a column share one z.",
    "draws.png": "Draws of x, whose means are those of the first picture.",
    "interpolations.png": "Straight lines between the posterior means of two draws.",
}
TASK = "unconditional-image-generation"  # hubs have no other name for it
HUB_NAMES = {
    "mnist": "ylecun/mnist",
    "mnist-5k": "ylecun/mnist",
    "fashion-mnist": "zalando-datasets/fashion_mnist",
}
LIKELIHOODS = {  # of an evaluation
    "bound": "Bound on log p(x|y)",
    "log_likelihood": "log p(x|y)",
    "marginal": "log p(x)",
}
PARTS = {
    "reconstruction": "Reconstruction, a part of the bound",
    "kl": "KL divergence from the prior, the other part",
    "train_bound": "Bound on training images",
}


def card(run: Run, name: str) -> str:
    """Return the model card of `run`, with what its files have measured.

    Args:
        name: of the model.

    Raises:
        CvaeError: a file of the run is missing or damaged.
    """
    evaluation, facts = run.evaluation(), run.data.to_dict()
    parts = [
        _front_matter(name, facts, evaluation),
        f"# {_plain(words.title(facts))}",
        *_pictures(),
        _about(run),
        _data(run.config, facts),
        _training(run, run.load_checkpoint(best=True).state),
        _results(evaluation),
        _limits(evaluation),
        _rights(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(name, facts, evaluation):
    """Return the metadata in YAML, of which JSON is a part."""
    place = HUB_NAMES.get(facts["name"], label_of(facts["name"]))
    metrics = [
        {"type": kind, "name": f"{text}, nats per image", "value": value["mean"]}
        for kind, text in LIKELIHOODS.items()
        for value in (evaluation[kind],)
    ]
    rate = evaluation["classifier"]["error_rate"]
    metrics.append({"type": "error_rate", "name": "Error rate", "value": rate})
    dataset = {"type": place, "name": words.name_of(facts), "split": "test"}
    results = [{"task": {"type": TASK}, "dataset": dataset, "metrics": metrics}]
    values = {
        "license": LICENCE.lower(),
        "library_name": "cvae",
        "pipeline_tag": TASK,
        "tags": ["cvae", "variational-autoencoder", "zhusuan", "tensorflow"],
        "datasets": [place],
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": label_of(name), "results": results}],
    }
    lines = [f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in values.items()]
    return "\n".join(["---", *lines, "---"])


def _pictures():
    return [f"![{text}]({name})\n\n*{text}*" for name, text in PICTURES.items()]


def _about(run):
    config = run.config
    network = {"mlp": "dense layers", "conv": "residual convolutions"}[config.network]
    n_weights = sum(array.size for array in run.weights().values())
    return f"""## What it is

A variational autoencoder that generates images of a chosen class y:

    y       ~ Discrete(π),  π_j = 1/K,  K = {config.n_classes}
    z       ~ N(0, I_d),  d = {config.z_dim}
    x | y,z ~ Bernoulli(NN_θ(y, z)),  x in {{0,1}}^{config.x_dim}

NN_θ, and the encoder that gives q(z | x, y) a mean and a diagonal covariance, have
{network} and {whole(n_weights)} weights together. `{SHARED}` has them in half
precision, by the names of TensorFlow's variables. This folder is a run of the package
cvae {cvae.__version__}:

    cvae sample --run FOLDER --per-class 10
    cvae evaluate --run FOLDER

```python
from cvae.inference import generate
from cvae.inference.trained import Model
from cvae.runs.run import Run

run = Run("FOLDER")
with Model(run.config, run.weights()) as model:
    images = generate.samples(model, classes=[0], per_class=10, seed=0)
```"""


def _data(config, facts):
    rows = [["Name", _plain(words.name_of(facts))]]
    rows.append(["Classes", ", ".join(map(_plain, facts["classes"]))])
    rows.append(["Pixels", whole(config.x_dim)])
    for text, key in (("Training images", "n_train"), ("Test images", "n_test")):
        if facts[key]:  # unknown in an older run
            rows.append([text, whole(facts[key])])
    if facts["sha256"]:
        rows.append(["SHA-256 of the arrays", f"`{facts['sha256']}`"])
    table = _table(["Fact", "Value"], rows)
    return "\n\n".join(["## Data", *filter(None, [_plain(facts["note"])]), table])


def _training(run, state):
    done = [f"{whole(state.step)} steps"]
    if run.metrics():
        done.append(f"{number(run.metrics()[-1]['epoch'], 1)} epochs")
    done.append(duration(state.seconds))
    versions = " and ".join(dict.fromkeys(state.tensorflow))
    makers = " and ".join(dict.fromkeys(state.zhusuan))
    values = run.config.to_dict()
    fields = [f for f in dataclasses.fields(Config) if f.metadata["option"]]
    rows = [
        [f"`{f.name}`", _plain(setting(values[f.name])), _plain(f.metadata["help"])]
        for f in fields
        if f.name not in ("dataset", "class_names")
    ]
    return (
        f"## Training\n\n{', '.join(done)}, on TensorFlow {versions} with {makers}.\n\n"
        + _table(["Setting", "Value", "Meaning"], rows)
    )


def _results(evaluation):
    rows = [
        [_plain(text), with_error(evaluation[kind]), _particles(evaluation[kind])]
        for kind, text in {**LIKELIHOODS, **PARTS}.items()
    ]
    found = evaluation["classifier"]
    rate = f"{percent(found['error_rate'])} (95 %: {interval(found)})"
    rows.append(["Error rate by Bayes' rule", rate, f"up to {_particles(found)}"])
    text = (
        f"Means and standard errors over {whole(evaluation['n_images'])} test images, "
        "in nats per image. Importance sampling from a Gaussian at the mode of the "
        "posterior estimates log p(x\\|y) and log p(x), with this number of particles "
        "for each image and class. Test images are binarized once, with a fixed seed. "
        f"Evaluated with {tables.implementations(evaluation)}."
    )
    head = ["Quantity", "Value", "Particles"]
    return f"## Results\n\n{text}\n\n{_table(head, rows)}"


def _particles(found):
    return whole(found["particles"]) if "particles" in found else ""


def _limits(evaluation):
    gap = ""
    if "sandwich" in evaluation:
        found = evaluation["sandwich"]
        gap = (
            f"\n- On {whole(found['images'])} images that are drawn from the model, "
            f"estimates of log p(x\\|y) from below and from above differ by "
            f"{with_error(found['gap'])} nats."
        )
    return f"""## Limits

- It knows the classes and the kind of images above, and nothing else. Its class
  probabilities are for such images only.
- Pixels are independent given z: means look blurred, and draws of x are noisy.
- Estimates by importance sampling are low in expectation.{gap}
- The standard errors are over images. They contain neither the variation between seeds
  of training nor, if the evaluation came first, the rounding of the weights.
- All likelihoods are of binarized images, and depend on the binarization."""


def _rights(facts):
    data = "The data have a licence of their own."
    if words.is_mnist(facts):
        data = "MNIST is by LeCun, Cortes and Burges (CC BY-SA 3.0)."
    return f"""## Licence and citation

{LICENCE}, as cvae. {data}

```bibtex
@software{{cvae,
  title = {{{TITLE}}},
  author = {{{{{AUTHORS}}}}},
  version = {{{cvae.__version__}}},
  license = {{{LICENCE}}}
}}
```"""


def _table(head: Sequence[str], rows: Sequence[List[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: Any) -> str:
    """Return a text that others chose, without the markup that is in it."""
    return re.sub(r"([\\`*_{}\[\]<>#+!|~&$])", r"\\\1", str(text))
