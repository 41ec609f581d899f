"""results.json, figures and text of a report on an invented run."""

import copy
import io
import re

import pypdf

from cvae.config import Config
from cvae.data import mnist
from cvae.data.dataset import Facts, numbered
from cvae.report import figures, typst
from cvae.report.results import PUBLISHED, with_text
from cvae.storage import files

NOTE = mnist.MNIST_5K_NOTE
ROOT = typst.SOURCE.parent.parent
SOURCES = [path.read_text("utf-8") for path in typst.SOURCE.parent.glob("*.typ")]


def estimate(mean, stderr, **more):
    return dict(mean=mean, stderr=stderr, **more)


def data(name="mnist", classes=None, values=(), note=""):
    """The facts of a data set as results.json has them; without names, of digits."""
    classes = numbered(10) if classes is None else classes
    return Facts(name, "", "", 0, 0, tuple(classes), tuple(values), note).to_dict()


def evaluation(n_classes=10, **changes):
    """evaluation.json as scripts/evaluate.py writes it, without checks."""
    per_class = [
        {
            "class": c,
            "n": 980 + c,
            "bound": -80.0 - 3.1 * ((7 * c + 3) % 10),
            "reconstruction": -55.0 - 3.0 * ((7 * c + 3) % 10),
            "kl": 25.0 + 0.1 * c,
            "kl_sampled": 25.1 + 0.1 * c,
            "log_likelihood": -78.0 - 3.1 * ((7 * c + 3) % 10),
            "marginal": -80.2 - 3.1 * ((7 * c + 3) % 10),
            "errors": 7 + 2 * c,
        }
        for c in range(n_classes)
    ]
    confusion = [
        [960 if a == b else (a + 2 * b) % 5 for b in range(n_classes)]
        for a in range(n_classes)
    ]
    confusion[n_classes // 2 - 1][n_classes - 1] = 23
    return dict(
        {
            "dataset": "mnist",
            "note": "",
            "step": 16407,
            "n_images": 10000,
            "bits_seed": 20210501,
            "bound": estimate(-85.0312, 0.2134),
            "reconstruction": estimate(-60.4119, 0.1907),
            "kl": estimate(24.6114, 0.0512),
            "kl_sampled": estimate(24.6193, 0.0603),
            "train_bound": estimate(-81.7036, 0.2098, n_images=10000),
            "log_likelihood": estimate(-82.3718, 0.2088, particles=100),
            "marginal": estimate(-84.6571, 0.2091, particles=100),
            "growth": [
                level(10, -82.4548),
                level(100, -82.3718, 0.083),
            ],
            "ess": {"median": 43.91, "p5": 14.517, "particles": 100},
            "fallback": {"pairs": 0, "images": []},
            "classifier": {
                "errors": 123,
                "n_images": 10000,
                "error_rate": 0.0123,
                "low": 0.010316,
                "high": 0.014658,
                "log_loss": estimate(0.04731, 0.00269),
                "particles": 1000,
                "confusion": confusion,
                "mistakes": [
                    {"image": 18, "class": 3, "predicted": 8, "log_odds": -21.5}
                ],
            },
            "latent": {
                "kl": [0.005 * n + 0.000001 * n**4 for n in range(40)],
                "activity": [0.02 * n for n in range(40)],
                "active": 33,
                "threshold": 0.01,
            },
            "per_class": per_class,
        },
        **changes,
    )


def level(particles, mean, gain=None):
    """An entry of evaluation.json's growth."""
    found = {
        "particles": particles,
        "log_likelihood": estimate(mean, 0.21),
        "marginal": estimate(mean - 2.28, 0.21),
    }
    return found if gain is None else dict(found, gain=estimate(gain, 0.0047))


def checks(difference=0.1691, stderr=0.0295, gap=0.0404, gap_stderr=0.0125):
    """evaluation.json's "encoder" and "sandwich"."""
    laplace = -79.5547
    return {
        "encoder": {
            "images": 200,
            "growth": [
                {"particles": k, "log_likelihood": estimate(laplace - below, 1.6721)}
                for k, below in ((10, 1.1963), (100, 0.6312), (5000, difference))
            ],
            "ess": {"median": 48.05, "p5": 3.885, "particles": 5000},
            "laplace": estimate(laplace, 1.6316),
            "difference": estimate(difference, stderr),
        },
        "sandwich": {
            "images": 300,
            "particles": 1000,
            "steps": 600,
            "acceptance": 0.697,
            "below": estimate(-96.0261, 1.9077),
            "above": estimate(-96.0261 + gap, 1.909),
            "gap": estimate(gap, gap_stderr),
        },
    }


FACTS = {
    "latent_space": {
        "accuracy": 0.1629,
        "low": 0.1558,
        "high": 0.1703,
        "chance": 0.1135,
        "explained": [0.0713, 0.0588],
        "n_train": 60000,
        "n_test": 10000,
    },
    "neighbours": {
        "samples": 1000,
        "to_train": 4.8731,
        "test_to_train": 6.1394,
        "reconstructed_test_to_train": 4.9127,
    },
}


def facts(name, **changes):
    """What figures measured, with `changes` in those of the figure `name`."""
    found = copy.deepcopy(FACTS)
    found[name].update(changes)
    return found


def measurements(config=None, note="", facts=FACTS, of=None, **changes):
    """results.json of an invented run, without its text.

    `of` are the facts of its data.
    """
    config = config or Config(epochs=70.0)
    of = of or data(config.dataset, note=note)
    return {
        "config": config.to_dict(),
        "data": of,
        "evaluation": evaluation(len(of["classes"]), note=note, **changes),
        "pictures": facts,
        "published": files.read_json(PUBLISHED),
        "averaging": {"young": 1024, "every": 16},
        "muon": {"sides": [16, 128], "step": 0.2},
        "importance": {"pilot": 6, "margin": 20.0, "close": 4.0},
        "laplace": {
            "fractions": [1.0, 0.3, 0.0],
            "tolerance": 0.7,
            "steps": [3, 12],
            "scale": 1.07,
            "moves": [1.0, 0.4],
        },
        "last": {"step": 16407, "epoch": 70.0032, "seconds": 581.3},
        "n_train": 60000,
        "n_test": 10000,
        "parameters": {"generator": 862384, "variational": 885680},
        "per_class": 10,
        "versions": {
            "python": "3.7.16",
            "tensorflow": "1.15.0",
            "numpy": "1.18.5",
            "zhusuan": "cvae.zs",
            "cvae": "1.0.0",
        },
        "note": note,
    }


def results(*args, **kwargs):
    """results.json of an invented run."""
    return with_text(measurements(*args, **kwargs))


# Width and height in points of a real report's figures.
SIZES = {
    "curves": (453, 152),
    "samples": (214, 205),
    "same_style": (214, 205),
    "reconstructions": (450, 216),
    "transfer": (220, 206),
    "interpolations": (217, 209),
    "extremes": (222, 295),
    "mistakes": (225, 209),
    "confusion": (221, 196),
    "latent_kl": (221, 150),
    "latent_space": (221, 98),
    "neighbours": (222, 295),
    "growth": (221, 106),
    "ess": (221, 106),
    "sandwich": (221, 86),
}


def draw(folder, note="", names=figures.NAMES):
    """An empty frame in the place and size of each figure, with `note` at its foot."""
    folder.mkdir(parents=True)
    for name in names:
        width, height = SIZES[name]
        if note:
            height += 22 if width > 400 else 32  # two or three lines of it
        (folder / f"{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" '
            f'height="{height}pt" viewBox="0 0 {width} {height}"><rect width="{width}" '
            f'height="{height}" fill="none" stroke="grey"/><text x="9" y="20" '
            f'font-size="8" font-family="New Computer Modern">{name} {note}'
            "</text></svg>"
        )


def typeset(folder, results):
    files.write_json(folder / "results.json", results)
    return typst.typeset(folder)


def reader(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


class Words:
    """A text in which a phrase is found however spaces and hyphens fall.

    A PDF has no spaces, only distances, and pypdf takes kerning for some of them.
    """

    def __init__(self, text):
        self.lines = text  # as they are
        self.letters = re.sub(r"[\s-]", "", text)

    def __contains__(self, phrase):
        return self.count(phrase) > 0

    def count(self, phrase):
        return self.letters.count(Words(phrase).letters)


def words(pdf, pages=slice(None)):
    found = [page.extract_text() for page in reader(pdf).pages[pages]]
    return Words(" ".join(re.sub(r"\s\d+\s*$", "", text) for text in found))
