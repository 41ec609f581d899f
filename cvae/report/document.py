"""A run as a paper or a page: results.json and figures, set by `report/report.typ`.

The report has no numbers of its own: they are all in results.json.
"""

import shutil
import tempfile
from pathlib import Path
from typing import List

from cvae.data.dataset import Dataset
from cvae.errors import CvaeError
from cvae.report import figures, page, typst
from cvae.report.results import results, with_text
from cvae.runs.evaluation_file import check_fresh
from cvae.runs.run import Run
from cvae.storage import files
from cvae.storage.checkout import command

SUFFIXES = (".png", ".svg")  # of a figure: for the README, and for the report


def build(
    run: Run, output_dir: Path, dataset: Dataset, form: str = "pdf"
) -> List[Path]:
    """Typeset the report on `run`, and return the paths of all files written.

    report.pdf or report.html, results.json and figures/ are written whole into
    `output_dir`, after all of them have been made.

    Args:
        form: one of `FORMS`.

    Raises:
        CvaeError: the run is not trained or evaluated, or has changed since; typst is
            not installed or fails; the disk refuses.
    """
    typst.check()
    evaluation, metrics = _finished(run, dataset)
    with tempfile.TemporaryDirectory(prefix="cvae-report-") as scratch:
        folder = Path(scratch)
        facts = figures.draw(run, dataset, folder / "figures", suffixes=SUFFIXES)
        found = results(run, dataset, evaluation, metrics[-1], facts)
        files.write_bytes(folder / f"report.{form}", FORMS[form](folder, found))
        files.write_json(folder / "results.json", found)
        names = [*_names(evaluation), f"report.{form}"]
        return [_publish(folder, output_dir, name) for name in names]


def rewrite(folder: Path) -> None:
    """Write the text of a report again, from its own measurements and figures.

    This brings report.pdf and results.json in `folder` up to date with the sources.

    Raises:
        CvaeError: results.json is missing or damaged; typst is not installed or fails.
    """
    typst.check()
    found = with_text(files.read_json(folder / "results.json"))
    with tempfile.TemporaryDirectory(prefix="cvae-report-") as scratch:
        copy = Path(scratch)
        shutil.copytree(str(folder / "figures"), str(copy / "figures"))
        files.write_bytes(copy / "report.pdf", _pdf(copy, found))
        for name in ("results.json", "report.pdf"):
            _publish(copy, folder, name)


def _finished(run, dataset):
    """(evaluation, metrics) of a run that is trained, and evaluated since."""
    metrics, evaluation = run.metrics(), run.evaluation()
    run.evaluation_arrays()  # raises if what the figures need is missing or damaged
    if not metrics:
        raise CvaeError(
            f"{run.path} has no metrics: train it with `{command('train')} --run "
            f"{run.path} --resume`"
        )
    step = run.load_checkpoint(best=True).state.step
    check_fresh(evaluation, run.path, step, dataset)
    return evaluation, metrics


def _names(evaluation):
    names = figures.names_of(evaluation)
    drawn = [name + suffix for name in names for suffix in SUFFIXES]
    return [f"figures/{name}" for name in drawn] + ["results.json"]


def _pdf(folder, found):
    files.write_json(folder / "results.json", found)
    return typst.typeset(folder)


def _html(folder, found):
    files.write_json(folder / "results.json", dict(found, on_screen=True))
    return page.page(folder, found["text"]["title"])


FORMS = {"pdf": _pdf, "html": _html}


def _publish(folder, output_dir, name):
    """Copy one file whole to where it belongs; return its path there."""
    path = Path(output_dir) / name
    with files.whole_file(path) as scratch:
        shutil.copyfile(str(folder / name), str(scratch))
    return path
