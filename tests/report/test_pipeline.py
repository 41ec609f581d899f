"""`make report`: all stages, nothing done twice, the fall-back said aloud."""

import dataclasses
import sys
from pathlib import Path

import pytest
import tiny

from cvae import config as config_room
from cvae.data import mnist as mnist_room
from cvae.data.download import MnistUnavailable
from cvae.errors import CvaeError
from cvae.report import pipeline
from cvae.training import console


@pytest.fixture
def tiny_preset(monkeypatch, tmp_path):
    """A preset that trains in a second, in an empty current directory."""
    changes = {"hidden": (32,), "z_dim": 5, "epochs": 0.1, "minutes": 1.0}
    monkeypatch.setitem(config_room.PRESETS, "tiny", changes)
    monkeypatch.setattr(pipeline, "PARTICLES", 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_nothing_to_the_pdf_and_again_without_training_twice(
    tiny_preset, mnist, capsys, monkeypatch
):
    dataset = tiny.dataset(mnist)
    monkeypatch.setattr(mnist_room, "load", lambda name, mnist_dir=None: dataset)
    assert pipeline.make_report("tiny", None, None) == 0
    text = capsys.readouterr().out
    stages = ["data", "training", "samples", "evaluation", "PDF"]
    for number, stage in enumerate(stages, 1):
        assert f"[{number}/5] {stage} - at most " in text
    assert [path.name for path in tiny_preset.iterdir()] == ["runs"]
    run = tiny_preset / "runs" / "report-tiny"
    pdf = (run / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert text.splitlines()[-1] == str(Path("runs/report-tiny/report.pdf"))
    for name in ("evaluation.json", "evaluation.npz", "samples.npz"):
        assert (run / name).exists()
    checkpoints = sorted((run / "checkpoints").iterdir())
    before = [path.stat().st_mtime_ns for path in checkpoints]
    elsewhere = tiny_preset / "report"
    assert pipeline.make_report("tiny", elsewhere, None) == 0
    assert [path.stat().st_mtime_ns for path in checkpoints] == before
    assert (elsewhere / "report.pdf").read_bytes() == pdf


def test_a_missing_library_is_said_before_the_work_and_not_after(
    tiny_preset, mnist_dir, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    with pytest.raises(CvaeError, match="no scikit-learn"):
        pipeline.make_report("tiny", tiny_preset / "report", mnist_dir)
    assert list(tiny_preset.iterdir()) == []


def test_a_stopped_training_stops_the_report_and_says_how_to_go_on(
    tiny_preset, mnist_dir, capsys, monkeypatch
):
    monkeypatch.setattr(console, "train_with_console", lambda *args, **kwargs: 130)
    assert pipeline.make_report("tiny", tiny_preset / "report", mnist_dir) == 130
    assert "make report" in capsys.readouterr().out
    assert not (tiny_preset / "report").exists()


def test_a_run_with_other_settings_is_refused_and_kept(tiny_preset):
    path = tiny_preset / "runs" / "x"
    made = pipeline.open_or_create(path, tiny.CONFIG)
    assert pipeline.open_or_create(path, tiny.CONFIG).config == made.config
    other = dataclasses.replace(tiny.CONFIG, seed=9)
    with pytest.raises(CvaeError, match="make clean-runs"):
        pipeline.open_or_create(path, other)
    assert pipeline.open_or_create(path, tiny.CONFIG).config == tiny.CONFIG


def test_without_mirror_or_copy_it_says_so_in_a_box_and_takes_the_small_set(
    monkeypatch, capsys
):
    calls = []

    def load(name, mnist_dir=None):
        if name == "mnist":
            raise MnistUnavailable("no mirror answers")
        return "the small set"

    monkeypatch.setattr(mnist_room, "load", load)
    monkeypatch.setattr(pipeline.subprocess, "call", calls.append)
    assert pipeline.load_or_fall_back(None) == "the small set"
    out, err = capsys.readouterr()
    assert "no mirror answers" in err
    assert out.startswith("+---") and mnist_room.MNIST_5K_NOTE[:20] in out
    assert len({len(line) for line in out.splitlines()}) == 1
    (command,) = calls
    assert command[0] == sys.executable and command[-2:] == ["--extra", "offline"]


def test_a_damaged_copy_is_an_error_and_no_reason_to_fall_back(tmp_path):
    for file in mnist_room.FILES:
        (tmp_path / file.name).write_bytes(b"damaged")
    with pytest.raises(CvaeError, match=str(tmp_path)):
        pipeline.load_or_fall_back(tmp_path)
