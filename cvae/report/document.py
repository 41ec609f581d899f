"""A run as a paper: results.json and figures, typeset by `report/report.typ`.

The report has no numbers of its own: what it says is in those files, and what others
published in `report/published.json`.
"""

import dataclasses
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

import cvae
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError
from cvae.evaluation import tables
from cvae.inference import importance
from cvae.report import figures
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run
from cvae.storage import files
from cvae.storage.checkout import ROOT

SOURCE = ROOT / "report" / "report.typ"
PUBLISHED = SOURCE.with_name("published.json")
SUFFIXES = (".png", ".svg")  # of a figure: for the README, and for the report


def build(run: Run, output_dir: Path, dataset: Dataset) -> List[Path]:
    """Typeset the report on `run`, and return the paths of all files written.

    Into `output_dir` go report.pdf, results.json and figures/, each whole, and nothing
    before all of them are made.

    Raises:
        CvaeError: the run is not trained or evaluated, or has changed since; there is
            no typesetter, or it refuses; the disk refuses.
    """
    check_typesetter()
    evaluation, metrics = _finished(run, dataset)
    with tempfile.TemporaryDirectory(prefix="cvae-report-") as scratch:
        folder = Path(scratch)
        facts = figures.draw(run, dataset, folder / "figures", suffixes=SUFFIXES)
        found = results(run, dataset, evaluation, metrics[-1], facts)
        files.write_json(folder / "results.json", found)
        pdf = typeset(folder)
        files.write_bytes(folder / "report.pdf", pdf)
        return [_publish(folder, output_dir, name) for name in _names()]


def check_typesetter() -> None:
    """Raise `CvaeError` unless there is something that can typeset the report."""
    if _binding() is None and shutil.which("typst") is None:
        raise CvaeError(
            "there is no typst to typeset the report: `pip install typst==0.12.0 "
            "importlib_resources`, or put the command typst, "
            "0.12 or newer, on PATH"
        )


def results(
    run: Run,
    dataset: Dataset,
    evaluation: Dict[str, Any],
    last: Dict[str, Any],
    facts: Dict[str, Dict],
) -> Dict[str, Any]:
    """Return results.json: every number that the report may use.

    Args:
        last: the last row of the run's metrics.
        facts: what `figures.draw` measured.
    """
    from cvae.training import loop, muon, optimizers

    checkpoint = run.load_checkpoint(best=True)
    config, weights = run.config.to_dict(), averages(checkpoint)
    settings = [
        {
            "name": field.name,
            "value": config[field.name],
            "help": field.metadata["help"],
        }
        for field in dataclasses.fields(run.config)
    ]
    train, _, _ = loop.splits(dataset, run.config)
    return {
        "config": config,
        "settings": settings,
        "evaluation": evaluation,
        "pictures": facts,
        "published": files.read_json(PUBLISHED),
        "averaging": {"young": optimizers.YOUNG, "every": optimizers.AVERAGE_EVERY},
        "muon": {"sides": muon.SIDES, "step": muon.STEP},
        "importance": {
            "levels": importance.LEVELS,
            "margin": importance.MARGIN,
            "close": importance.CLOSE,
        },
        "last": last,
        "n_train": len(train.images),
        "n_test": len(dataset.test.images),
        "parameters": {
            "generator": _count(weights, "gen/"),
            "variational": _count(weights, "q_net/"),
        },
        "per_class": figures.PER_CLASS,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": " and ".join(dict.fromkeys(checkpoint.state.tensorflow)),
            "numpy": np.__version__,
            "zhusuan": tables.implementations(evaluation),
            "cvae": cvae.__version__,
        },
        "note": dataset.note,
    }


def typeset(folder: Path) -> bytes:
    """Return the PDF of `folder`, which holds results.json and figures/.

    Same files, same bytes: the PDF carries no date.

    Raises:
        CvaeError: typst finds a mistake; the message is typst's, on one line.
    """
    source = Path(folder) / SOURCE.name
    try:
        for part in {SOURCE, *SOURCE.parent.glob("*.typ")}:
            shutil.copyfile(str(part), str(source.with_name(part.name)))
    except OSError as error:
        raise CvaeError(
            f"cannot read {SOURCE}: {error.strerror or error}; run from a clone of "
            "the repository"
        )
    typst = _binding()
    if typst is None:
        return _without_path(_typst_command(source))
    try:
        return _without_path(typst.compile(str(source), root=str(folder)))
    except (RuntimeError, OSError) as error:
        raise _refused(str(error))


def page_count(pdf: bytes) -> int:
    """Return the number of pages that the PDF's page tree declares."""
    return max(map(int, re.findall(rb"/Type /Pages.*?/Count (\d+)", pdf, re.DOTALL)))


def _finished(run, dataset):
    """(evaluation, metrics) of a run that is trained, and evaluated since."""
    metrics, evaluation = run.metrics(), run.evaluation()
    run.evaluation_arrays()  # which the pictures need: missing or damaged is said here
    if not metrics:
        raise CvaeError(
            f"{run.path} has no metrics: train it with `python scripts/train.py --run "
            f"{run.path} "
            "--resume`"
        )
    if evaluation["dataset"] != dataset.name:
        raise CvaeError(
            "{} is evaluated on {}, not on {}: run `python scripts/evaluate.py --run "
            "{}`".format(run.path, evaluation["dataset"], dataset.name, run.path)
        )
    step = evaluation.get("step", metrics[-1]["step"])
    # The weights of a run that validates are those of its best step, not of its last.
    if step < metrics[-1]["step"] and not run.config.validate:
        raise CvaeError(
            f"{run.path} was evaluated at step {step:,}, and trained on since: run "
            "`python "
            f"scripts/evaluate.py --run {run.path}`"
        )
    return evaluation, metrics


def _count(weights, scope):
    return int(sum(a.size for name, a in weights.items() if name.startswith(scope)))


def _names():
    drawn = [name + suffix for name in figures.NAMES for suffix in SUFFIXES]
    return ["figures/" + name for name in drawn] + ["results.json", "report.pdf"]


def _publish(folder, output_dir, name):
    """Copy one file whole to where it belongs; return its path there."""
    path = Path(output_dir) / name
    with files.whole_file(path) as scratch:
        shutil.copyfile(str(folder / name), str(scratch))
    return path


def _binding():
    """The module typst, or None where it is not installed."""
    try:
        import typst

        if sys.version_info < (3, 9):
            # The binding looks in the standard library for what is newer than this
            # Python; its requirement importlib_resources has it.
            import importlib.resources

            import importlib_resources

            importlib.resources.files = importlib_resources.files
            importlib.resources.as_file = importlib_resources.as_file
    except ImportError:
        return None
    return typst


def _typst_command(source):
    pdf = source.with_name("typeset.pdf")
    command = ["typst", "compile", "--root", str(source.parent), str(source), str(pdf)]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
    except OSError as error:
        raise _refused(str(error))
    if done.returncode:
        raise _refused(done.stdout)
    return pdf.read_bytes()


def _without_path(pdf):
    """The PDF, its document ID (a hash of the source's path) that of its content."""
    ids = re.search(rb"/ID \[\(([^)]+)\) \(([^)]+)\)\]", pdf)
    return pdf.replace(*ids.groups()) if ids else pdf


def _refused(message):
    """A `CvaeError` of typst's first complaint and its place, on one line."""
    complaint = re.search(r"^(?:error: )?(.*)", message).group(1)
    place = re.search(r"([^\s/]+\.typ):(\d+)", message)
    where = " ({} line {})".format(*place.groups()) if place else ""
    return CvaeError(f"typst cannot typeset the report: {complaint.strip()}{where}")
