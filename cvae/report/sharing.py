"""A run as a folder that model hubs take, and that every program takes as a run."""

import shutil
import tempfile
from pathlib import Path
from typing import List

import numpy as np

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import generate
from cvae.inference.trained import Model
from cvae.plotting import folding, grids
from cvae.plotting.labels import Label
from cvae.report import card
from cvae.runs.checkpoints import SHARED, write_shared
from cvae.runs.evaluation_file import check_fresh
from cvae.runs.run import Run, check_finite
from cvae.storage import files

RESULTS = ("metrics.jsonl", "evaluation.json", "evaluation.npz")
PER_CLASS = 10  # images of each class in a grid
STEPS = 8  # images between two samples


def export(run: Run, folder: Path) -> List[Path]:
    """Write `run` into `folder` to be shared, and return the paths of its files.

    These are model.safetensors, with the averaged weights in half precision; settings,
    data's facts, metrics and evaluation; a model card; and the pictures that it shows.
    The folder is a run, of which places on this machine are left out. All files are
    made before the first one is written.

    Raises:
        CvaeError: the run has no checkpoint or no evaluation of it, a weight is too
            large for half precision, `folder` has checkpoints, or the disk refuses.
    """
    checkpoint, evaluation = run.load_checkpoint(best=True), run.evaluation()
    run.evaluation_arrays()  # raises if they are missing, damaged or old
    check_fresh(evaluation, run.path, checkpoint.state.step)
    if (folder / "checkpoints").exists():
        raise CvaeError(
            f"{folder} has checkpoints, which come before exported weights: choose "
            "another --output"
        )
    config = _without_places(run)
    state = checkpoint.state._replace(config=config.to_dict())
    with tempfile.TemporaryDirectory(prefix="cvae-export-") as scratch:
        made = Path(scratch)
        write_shared(made / SHARED, checkpoint._replace(state=state))
        files.write_json(made / "config.json", config.to_dict())
        files.write_json(made / "dataset.json", run.data._replace(path="").to_dict())
        for name in RESULTS:
            if (run.path / name).exists():
                shutil.copyfile(str(run.path / name), str(made / name))
        shared = Run(made)
        _draw(run, shared.weights(), made)
        text = card.card(shared, run.path.resolve().name)
        files.write_bytes(made / "README.md", text.encode("utf-8"))
        names = [path.name for path in made.iterdir() if path.name != "config.json"]
        names = [*sorted(names), "config.json"]  # without which it is not yet a run
        for name in names:
            with files.whole_file(folder / name) as copy:
                shutil.copyfile(str(made / name), str(copy))
    return [folder / name for name in names]


def _without_places(run: Run) -> Config:
    """Return the settings of `run` with names in place of paths."""
    settings = dict(run.config.to_dict(), origin=Path(run.config.origin).name)
    if run.data.path:
        settings["dataset"] = run.data.name
    return Config.from_dict(settings)


def _draw(run, weights, folder):
    """Draw the pictures of the card, of the weights that are shared."""
    config, data = run.config, run.data
    classes = range(config.n_classes)
    rows = classes[:: -(-config.n_classes // folding.ROWS)]  # where not all have room
    with Model(config, weights) as model:
        samples = generate.samples(model, classes, PER_CLASS, config.seed)
        same_style = generate.same_style(model, classes, PER_CLASS, config.seed)
        check_finite(np.concatenate([samples, same_style]), run)
        bits = generate.draw_bits(samples, config.seed)
        ends = bits[list(rows), :2]
        labels = np.repeat(rows, 2).reshape(-1, 2)
        between = generate.interpolate(model, ends, labels, rows, STEPS)
    paths = [folder / name for name in card.PICTURES]
    labels = [Label(c, data.classes[c]) for c in classes]
    for path, images in zip(paths, (samples, same_style, bits)):
        grids.sample_grid(path, images, labels, data.note)
    labels = [labels[c] for c in rows]
    groups = [("within a class", len(rows))]
    grids.interpolation_grid(paths[-1], ends, between, labels, groups, data.note)
