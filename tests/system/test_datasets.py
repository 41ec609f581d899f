"""Data of one's own, from the command line to the evaluation."""

import json
import re

import numpy as np
import pytest
from forks import run
from paths import ROOT
from small_sets import write_folders, write_idx, write_npz
from test_scripts import assert_refused

from cvae.runs import run as runs
from cvae.runs.run import Run

GRAPHS = {"hidden": [16], "z_dim": 3, "batch_size": 50, "n_classes": 3}, 150
OPTIONS = "--hidden 16 --z-dim 3 --batch-size 50 --epochs 2 --warmup 0".split()


@pytest.fixture(scope="module")
def sets(mnist, tmp_path_factory):
    """The first images of MNIST with labels from 1, as .npz, IDX files and PNGs."""
    folder = tmp_path_factory.mktemp("data")
    parts = [
        (split.images[:n].reshape(n, 28, 28), split.labels[:n] % 3 + 1)
        for split, n in ((mnist.train, 150), (mnist.test, 40))
    ]
    write_npz(folder / "a.npz", *parts)
    write_idx(folder / "idx", *parts)
    write_folders(folder / "png", *parts)
    others = [(images[::-1].copy(), labels[::-1].copy()) for images, labels in parts]
    write_npz(folder / "other.npz", *others)
    return folder


@pytest.fixture(scope="module")
def trained(sets, tmp_path_factory):
    """A run of each form, and what its training printed."""
    folder, printed = tmp_path_factory.mktemp("runs"), {}
    for form in ("a.npz", "idx", "png"):
        command = ("train.py", "--dataset", sets / form, "--run", folder / form)
        status, out, err = run(*command, *OPTIONS, graphs=GRAPHS)
        assert status == 0, err
        printed[form] = out, err
    return folder, printed


def test_the_same_data_in_three_forms_train_the_same_weights(trained):
    folder, _ = trained
    first, *others = (Run(folder / form).weights() for form in ("a.npz", "idx", "png"))
    for other in others:
        assert all((other[name] == array).all() for name, array in first.items())


def test_training_says_the_classes_and_how_labels_are_numbered(trained):
    out, err = trained[1]["png"]
    assert "150 training images, 40 test images" in out
    assert "classes   1, 2, 3" in out
    assert "note: labels are numbered as classes: 1 is 0, 2 is 1, 3 is 2" in err


def test_resuming_on_other_data_is_refused_and_on_the_same_elsewhere_is_not(
    trained, sets
):
    path = trained[0] / "a.npz"
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    resume = ("train.py", "--resume", "--run", path, "--dataset")
    assert_refused(run(*resume, sets / "other.npz"), "was trained on a in")
    assert before == {f: f.read_bytes() for f in path.rglob("*") if f.is_file()}
    assert run(*resume, sets / "png", graphs=GRAPHS)[0] == 0


def test_an_evaluation_on_other_data_has_files_of_its_own(trained, sets):
    path = trained[0] / "idx"
    evaluate = ("evaluate.py", "--run", path, "--particles", 2, "--checks", 0)
    assert run(*evaluate, graphs=GRAPHS)[0] == 0
    own = (path / "evaluation.json").read_bytes()
    status, out, err = run(*evaluate, "--dataset", sets / "other.npz", graphs=GRAPHS)
    assert status == 0, err
    assert (path / "evaluation.json").read_bytes() == own
    found = json.loads((path / "evaluation-on-other.json").read_text())
    assert found["dataset"] == "other" and found["n_images"] == 40
    # The same images in another order, with other bits.
    mean = json.loads(own)["bound"]["mean"]
    assert found["bound"]["mean"] != mean
    assert abs(found["bound"]["mean"] - mean) < 20
    assert np.load(str(path / "evaluation-on-other.npz"))["bound"].shape == (40,)


def test_the_example_in_the_docs_trains(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.setattr(runs, "RUNS", tmp_path)
    exec(code, {})  # noqa: S102  (our own text)
    assert "'test_bound': -" in capsys.readouterr().out
    assert len(Run(next(tmp_path.glob("2*"))).data.classes) == 4


@pytest.mark.parametrize("option", ["--n-classes", "--x-dim"])
def test_size_and_number_of_classes_come_from_the_data(option):
    assert_refused(run("train.py", option, "5"), option)


def test_a_fault_of_the_data_leaves_no_run(sets, tmp_path):
    path = tmp_path / "run"
    command = ("train.py", "--run", path, "--dataset", sets / "a.npz")
    assert_refused(run(*command, "--class-names", "a,b"), "2 class names for 3")
    assert not path.exists()
