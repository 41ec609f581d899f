"""A run becomes a report, or one line says why it cannot."""

import json
import os
import shutil

import pytest
import standin

from cvae.errors import CvaeError
from cvae.report import document, figures, typst
from cvae.report.results import PUBLISHED
from cvae.runs.run import Run
from cvae.storage import files


@pytest.fixture
def run(tmp_path, made):
    """A copy of a finished run."""
    path = tmp_path / "runs" / "small"
    shutil.copytree(str(made.run.path), str(path))
    return Run(path)


def test_a_run_becomes_a_report_with_its_figures_and_numbers(made):
    folder = made.run.path
    drawn = {f"{n}{s}" for n in figures.NAMES for s in (".png", ".svg")}
    assert drawn <= set(os.listdir(str(folder / "figures")))
    assert all((folder / "figures" / n).stat().st_size > 1000 for n in drawn)

    results = json.loads((folder / "results.json").read_text())
    evaluation, last = made.run.evaluation(), made.run.metrics()[-1]
    assert results["config"] == made.run.config.to_dict()
    assert results["last"] == last
    assert results["evaluation"] == evaluation
    assert results["published"] == files.read_json(PUBLISHED)
    assert set(results["pictures"]) == set(figures.NAMES)
    assert (results["n_train"], results["n_test"]) == (600, 70)
    # Each layer: one weight for each pair of units, and one bias for each output; the
    # class scales and shifts each of the 32 units.
    film = 2 * 32 * (10 + 1)
    generator, variational = 32 * (10 + 5 + 1) + 784 * 33, 32 * (784 + 10 + 1) + 10 * 33
    assert results["parameters"]["generator"] in (generator, generator + film)
    assert results["parameters"]["variational"] in (variational, variational + film)

    found = standin.words((folder / "report.pdf").read_bytes())
    bound = f"{last['test_bound']:.2f}".replace("-", "\u2212")
    assert f"test {bound}" in found  # text of the curves' SVG
    log_px = f"{evaluation['marginal']['mean']:.2f}"
    assert log_px.replace("-", "\u2212") in found


def test_a_report_is_rewritten_from_its_own_files_to_the_same_bytes(made, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copytree(str(made.run.path / "figures"), str(folder / "figures"))
    old = files.read_json(made.run.path / "results.json")
    del old["text"]
    files.write_json(folder / "results.json", old)
    document.rewrite(folder)
    for name in ("results.json", "report.pdf"):
        assert (folder / name).read_bytes() == (made.run.path / name).read_bytes()


def test_a_report_as_a_page_has_the_same_numbers_and_no_pdf(
    run, made, tmp_path, monkeypatch
):
    def draw(run, dataset, folder, **unused):
        shutil.copytree(str(made.run.path / "figures"), str(folder))
        return files.read_json(made.run.path / "results.json")["pictures"]

    monkeypatch.setattr(figures, "draw", draw)
    *_, found, page = document.build(run, tmp_path / "out", made.dataset, "html")
    assert found.read_bytes() == (made.run.path / "results.json").read_bytes()
    assert page.name == "report.html" and page.read_bytes().startswith(b"<!DOCTYPE")
    assert not (tmp_path / "out" / "report.pdf").exists()


def test_a_report_that_fails_leaves_the_one_before_untouched(
    run, made, tmp_path, monkeypatch
):
    output = tmp_path / "out"
    output.mkdir()
    (output / "report.pdf").write_text("the one before")
    (tmp_path / "broken.typ").write_text("#unheard-of()")
    monkeypatch.setattr(typst, "SOURCE", tmp_path / "broken.typ")
    monkeypatch.setattr(figures, "draw", lambda *args, **kwargs: standin.FACTS)
    with pytest.raises(CvaeError, match="^typst cannot .*$"):
        document.build(run, output, made.dataset)
    assert os.listdir(str(output)) == ["report.pdf"]
    assert (output / "report.pdf").read_text() == "the one before"


def refusal(run, dataset):
    """The one line of a report that cannot be built; nothing is written."""
    with pytest.raises(CvaeError) as caught:
        document.build(run, run.path / "out", dataset)
    assert not (run.path / "out").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_run_trained_after_its_evaluation_has_to_be_evaluated_again(run, made):
    before = run.load_checkpoint()
    later = before.state._replace(step=9999, plan=[0, 0.0, 9999])
    run.save_checkpoint(before._replace(state=later))
    assert "scripts/evaluate.py --run" in refusal(run, made.dataset)


def test_a_run_without_its_values_for_each_image_has_to_be_evaluated_again(run, made):
    (run.path / "evaluation.npz").unlink()
    assert "scripts/evaluate.py --run" in refusal(run, made.dataset)


def test_a_run_evaluated_on_other_data_is_one_line(run, made):
    other = made.dataset._replace(name="mnist-5k")
    assert "was evaluated on mnist, not on mnist-5k" in refusal(run, other)


def test_a_run_without_metrics_is_one_line(run, made):
    run.trim_metrics(0)
    assert "has no metrics" in refusal(run, made.dataset)
