"""The explorer of a run: one HTML file that runs the model in a browser.

Its sources in explorer/ are ES modules, a style sheet and a template. They are put
together here, with the run's weights in half precision and some test images.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from cvae.data.binarize import binarize
from cvae.data.dataset import Dataset
from cvae.data.prepare import prepared
from cvae.errors import CvaeError, note
from cvae.evaluation.summary import ACTIVE
from cvae.inference.trained import Model
from cvae.runs.run import Run, check_finite
from cvae.storage import files
from cvae.storage.checkout import shipped

SOURCE = shipped("explorer")
IMAGES = 2000  # test images, the first ones, that the directions are computed from
EXAMPLES = 30  # of them that the page shows, or one of each class if that is more
SETTINGS = (  # what network.js needs to know
    *("network", "n_classes", "x_dim", "z_dim", "hidden"),
    *("channels", "blocks", "activation", "film"),
)
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)


def write(run: Run, path: Path, dataset: Optional[Dataset]) -> None:
    """Write the page of `run` to `path`.

    Args:
        dataset: its test images give examples and the directions of z; None for a page
            without examples, whose directions are the coordinates of z.

    Raises:
        CvaeError: the run has no whole checkpoint or another architecture's, a weight
            is not finite or too large for half precision, the images are not squares,
            or the disk refuses.
    """
    weights = run.weights()
    page = dict(_facts(run), shapes=[])
    halves = []
    for name in sorted(weights):
        halves.append(_half(name, weights[name], run))
        page["shapes"].append([name, list(weights[name].shape)])
    with Model(run.config, weights) as model:  # which refuses another architecture's
        page.update(_examples(run, model, dataset))
    files.write_bytes(path, _html(page, b"".join(halves)).encode("utf-8"))


def _facts(run):
    """Return what the page needs to know of the run besides its weights."""
    config = run.config
    if config.side**2 != config.x_dim:
        raise CvaeError(
            f"images of {config.x_dim} pixels are not squares, which the explorer "
            "needs: choose another --run"
        )
    settings = {name: getattr(config, name) for name in SETTINGS}
    settings.update(side=config.side, padded=config.padded_side)
    return {"run": run.path.name, "classes": run.data.classes, "settings": settings}


def _half(name, array, run):
    """Return a weight's bytes in half precision, the least significant first."""
    check_finite(array, run, name)
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    if not np.isfinite(half).all():
        raise CvaeError(f"{name} is too large for half precision: choose another --run")
    return half.tobytes()


def _examples(run, model, dataset):
    """Return example images and the directions of z, as far as there are any."""
    config = run.config
    try:
        if dataset is None:
            raise CvaeError("there are no test images")
        dataset = prepared(dataset, config)
    except CvaeError as reason:
        note(f"the page has no examples, and coordinates of z for directions: {reason}")
        directions = [np.eye(config.z_dim), None]
        bits, labels = np.empty((0, config.x_dim), np.uint8), []
    else:
        bits = binarize(dataset.test.images[:IMAGES])
        labels = np.asarray(dataset.test.labels[:IMAGES], np.int64)
        directions = principal_directions(*model.encode(bits, labels))
        chosen = first_of_each_class(labels, EXAMPLES)
        bits, labels = bits[chosen], labels[chosen].tolist()
    return {
        "directions": [
            np.round(part, 5).tolist() for part in directions if part is not None
        ],
        "examples": {"bits": _text(np.packbits(bits, 1).tobytes()), "labels": labels},
    }


def principal_directions(
    mean: np.ndarray, logstd: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the principal directions of q(z | x, y) over images, and the KL of each.

    They are the eigenvectors `[n, d]` of the covariance of the posterior means `mean`
    `[images, d]` over the active units (Burda et al. 2016, section 5.2), sorted by
    their KL `[n]`: the mean divergence, in nats, of q from the prior in the direction.
    """
    mean, variance = mean.astype(np.float64), np.exp(2.0 * logstd.astype(np.float64))
    active = np.flatnonzero(mean.var(0) > ACTIVE)
    axes = np.zeros((len(active), mean.shape[1]))
    if len(active):
        covariance = np.cov(mean[:, active], rowvar=False).reshape([len(active)] * 2)
        axes[:, active] = np.linalg.eigh(covariance)[1].T
    axes *= np.where(axes.sum(1, keepdims=True) < 0, -1.0, 1.0)  # one sign of the two
    moments = mean @ axes.T, variance @ (axes**2).T
    kl = 0.5 * (moments[1] + moments[0] ** 2 - 1.0 - np.log(moments[1])).mean(0)
    order = np.argsort(-kl, kind="stable")
    return axes[order], kl[order]


def first_of_each_class(labels: np.ndarray, total: int) -> np.ndarray:
    """Return the indices of some `total` images: the first of each class, in turn."""
    classes = np.unique(labels)
    each = max(1, total // len(classes))
    found = [np.flatnonzero(labels == c)[:each] for c in classes]
    return np.concatenate(found)


def _html(page: Dict[str, Any], weights: bytes) -> str:
    """Return the template with all its parts in place."""
    parts = {
        "style": _read("page.css"),
        "script": bundle("page.js"),
        "worker": bundle("worker.js"),
        "page": json.dumps(page, separators=(",", ":")).replace("<", "\\u003c"),
        "weights": _text(weights),
    }
    # No request can leave the page: it may run these two parts, and nothing else.
    hashes = {
        name: _text(hashlib.sha256(parts[name].encode("utf-8")).digest())
        for name in ("style", "script")
    }
    parts["policy"] = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; worker-src blob:; "
        f"style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}' 'wasm-unsafe-eval'"
    )
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m.group(1)], _read("page.html"))


def bundle(*modules: str) -> str:
    """Return modules of explorer/ and all that they import as one script.

    A module's names are global to the script, so that no two modules may share one.
    """
    found: Dict[str, str] = {}

    def add(names: Sequence[str]) -> None:
        for name in names:
            if name not in found:
                text = _read(name)
                found[name] = ""  # its place is after those that it imports
                add(_IMPORT.findall(text))
                del found[name]
                found[name] = re.sub("(?m)^export ", "", _IMPORT.sub("", text))

    add(modules)
    return '(() => {\n"use strict";\n' + "".join(found.values()) + "})();\n"


def _read(name):
    path = SOURCE / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CvaeError(
            f"cannot read {path}: {error.strerror or error}; run from a clone of the "
            "repository"
        )


def _text(data):
    return base64.b64encode(data).decode("ascii")
