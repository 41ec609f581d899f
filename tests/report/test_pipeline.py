"""`make report`: all stages, nothing done twice, a fall-back that is printed."""

import os
import shutil
import sys

import pytest
import tiny

from cvae.config import Config, preset
from cvae.data import mnist as mnist_module
from cvae.data.download import Unavailable
from cvae.errors import CvaeError
from cvae.evaluation import evaluate
from cvae.report import document, pipeline, samples
from cvae.storage import files
from cvae.training import console


def test_from_nothing_to_the_pdf(made):
    assert made.status == 0
    stages = ["data", "training", "samples", "evaluation", "PDF"]
    for number, stage in enumerate(stages, 1):
        assert f"[{number}/5] {stage} - at most " in made.printed
    path = made.run.path
    assert (path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert made.printed.splitlines()[-1] == str(path / "report.pdf")
    for name in ("evaluation.json", "evaluation.npz", "samples.npz"):
        assert (path / name).exists()
    folder = path.parent.parent
    assert os.listdir(str(folder)) == ["runs"]


def test_a_second_call_neither_trains_nor_evaluates(
    made, tiny_preset, monkeypatch, capsys
):
    shutil.copytree(str(made.run.path), str(tiny_preset / "runs" / "report-tiny"))
    monkeypatch.setattr(mnist_module, "load", lambda name, mnist_dir=None: made.dataset)
    monkeypatch.setattr(evaluate, "evaluate_run", None)
    built = []
    monkeypatch.setattr(
        document, "build", lambda *args: built.append(args) or args[1:2]
    )
    assert pipeline.make_report("tiny", tiny_preset / "elsewhere", None) == 0
    ((run, output, _),) = built
    assert output == tiny_preset / "elsewhere"
    assert capsys.readouterr().out.splitlines()[-1] == str(output)
    for path in (made.run.path / "checkpoints").iterdir():
        again = tiny_preset / run.path / "checkpoints" / path.name
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("lacking", ["particles", "checks", "images"])
def test_a_rougher_or_unchecked_evaluation_is_made_again(
    made, tiny_preset, monkeypatch, lacking
):
    path = tiny_preset / "runs" / "report-tiny"
    shutil.copytree(str(made.run.path), str(path))
    if lacking == "particles":
        monkeypatch.setattr(pipeline, "PARTICLES", 3)
    elif lacking == "images":
        monkeypatch.setattr(pipeline, "CHECKS", 4)
    else:
        results = files.read_json(path / "evaluation.json")
        del results["sandwich"]
        files.write_json(path / "evaluation.json", results)
    monkeypatch.setattr(mnist_module, "load", lambda name, mnist_dir=None: made.dataset)
    monkeypatch.setattr(console, "train_with_console", lambda *args: 0)
    monkeypatch.setattr(samples, "write_samples", lambda *args: [])
    asked = []
    monkeypatch.setattr(evaluate, "evaluate_run", lambda *args: asked.append(args[2:]))
    monkeypatch.setattr(document, "build", lambda *args: args[1:2])
    assert pipeline.make_report("tiny", None, None) == 0
    assert asked == [(pipeline.PARTICLES, pipeline.CHECKS)]


def test_a_missing_library_is_an_error_before_the_work(
    tiny_preset, mnist_dir, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    with pytest.raises(CvaeError, match="no scikit-learn"):
        pipeline.make_report("tiny", tiny_preset / "report", mnist_dir)
    assert list(tiny_preset.iterdir()) == []


def test_a_stopped_training_stops_the_report_and_prints_how_to_continue(
    tiny_preset, mnist_dir, capsys, monkeypatch
):
    monkeypatch.setattr(console, "train_with_console", lambda *args, **kwargs: 130)
    assert pipeline.make_report("tiny", tiny_preset / "report", mnist_dir) == 130
    assert "make report" in capsys.readouterr().out
    assert not (tiny_preset / "report").exists()


def test_without_mirror_or_copy_a_box_announces_the_small_set(
    mnist, monkeypatch, capsys
):
    calls, small = [], tiny.dataset(mnist, 50, 20)._replace(name="mnist-5k")

    def load(name, mnist_dir=None):
        if name == "mnist":
            raise Unavailable("no mirror answers")
        return small

    monkeypatch.setattr(mnist_module, "load", load)
    monkeypatch.setattr(pipeline.subprocess, "call", calls.append)
    dataset, config = pipeline.load_or_fall_back(preset("quick"), None)
    assert dataset is small
    assert (config.dataset, config.epochs, config.minutes) == ("mnist-5k", 150, 2.5)
    out, err = capsys.readouterr()
    assert "no mirror answers" in err
    assert out.startswith("+---") and mnist_module.MNIST_5K_NOTE[:20] in out
    assert len({len(line) for line in out.splitlines()}) == 1
    (command,) = calls
    assert command[0] == sys.executable and command[-2:] == ["--extra", "offline"]


def test_a_damaged_copy_is_an_error_without_a_fall_back(tmp_path):
    for file in mnist_module.FILES:
        (tmp_path / file.name).write_bytes(b"damaged")
    with pytest.raises(CvaeError, match=str(tmp_path)):
        pipeline.load_or_fall_back(Config(), tmp_path)
