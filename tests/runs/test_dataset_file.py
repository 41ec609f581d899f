"""A run knows the data that it was trained on, and takes no others for them."""

import json

import numpy as np
import pytest
from idx_files import refusal
from small_sets import write_npz

from cvae.config import Config
from cvae.data.dataset import facts_of
from cvae.data.load import load
from cvae.data.prepare import load_and_fit
from cvae.errors import CvaeError
from cvae.runs.dataset_file import label_of, load_for
from cvae.runs.run import Run

RANDOM = np.random.RandomState(0)


def splits(labels, seed=0):
    random = np.random.RandomState(seed)
    return [
        (random.randint(0, 256, (n, 6, 6)).astype(np.uint8), np.resize(labels, n))
        for n in (9, 6)
    ]


@pytest.fixture
def run(tmp_path):
    """A run whose training on letters.npz has begun."""
    path = write_npz(tmp_path / "letters.npz", *splits(["a", "b", "c"]))
    dataset, config = load_and_fit(Config(dataset=str(path)))
    made = Run.create(tmp_path / "run", config)
    made.keep_data(dataset)
    return made


def test_name_place_checksum_counts_and_classes_are_kept(run, tmp_path):
    facts = Run(run.path).data
    assert facts == facts_of(load(str(tmp_path / "letters.npz")))
    assert (facts.name, facts.n_train, facts.n_test) == ("letters", 9, 6)
    assert facts.path == run.config.dataset == str(tmp_path / "letters.npz")
    assert facts.classes == facts.values == ("a", "b", "c")
    assert (run.config.n_classes, run.config.x_dim) == (3, 36)


def test_its_data_are_found_again(run):
    dataset, is_own = load_for(run)
    assert is_own and facts_of(dataset) == run.data


@pytest.mark.parametrize("other", [False, True])
def test_a_copy_at_another_place_is_still_the_data_of_the_run(run, tmp_path, other):
    (tmp_path / "letters.npz").rename(tmp_path / "moved.npz")
    assert "which is gone: name its new place" in refusal(load_for, run)
    dataset, is_own = load_for(run, None, str(tmp_path / "moved.npz"), other)
    assert is_own and dataset.name == "letters"
    run.keep_data(dataset)
    assert load_for(run)[1] and run.data.path == str(tmp_path / "moved.npz")


def test_other_data_of_the_same_shape_are_refused_unless_they_are_asked_for(
    run, tmp_path
):
    path = write_npz(tmp_path / "new.npz", *splits(["a", "b", "c"], seed=1))
    message = refusal(load_for, run, None, str(path))
    assert "was trained on letters" in message and "which is not new" in message
    with pytest.raises(CvaeError, match="which is not new"):
        run.keep_data(load(str(path)))
    dataset, is_own = load_for(run, None, str(path), other=True)
    assert not is_own and dataset.name == "new"
    # The file under the old name has other content: the same.
    path.rename(tmp_path / "letters.npz")
    assert "was trained on letters" in refusal(load_for, run)


def test_other_data_with_fewer_classes_keep_the_numbers_of_the_run(run, tmp_path):
    path = write_npz(tmp_path / "few.npz", *splits(["c", "b"]))
    dataset, _ = load_for(run, None, str(path), other=True)
    assert dataset.test.labels.tolist() == [2, 1] * 3
    path = write_npz(tmp_path / "more.npz", *splits(["c", "d"]))
    assert "has the label 'd'" in refusal(load_for, run, None, str(path), True)


def test_an_older_run_was_trained_on_mnist(mnist, tmp_path):
    run = Run.create(tmp_path / "old", Config())
    assert run.data.name == "mnist" and run.data.sha256 == ""
    assert run.data.classes == tuple("0123456789")
    run.keep_data(mnist)
    assert run.data == facts_of(mnist)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda kept: kept.pop("sha256"), "has no sha256"),
        (lambda kept: kept.update(more=1), "unknown 'more'"),
        (lambda kept: kept.update(n_train=-1), "n_train"),
        (lambda kept: kept["classes"].append("d"), "4 classes, the run 3"),
        (lambda kept: kept.update(classes="abc"), "not a list"),
    ],
)
def test_an_edited_file_is_one_line(run, change, reason):
    path = run.path / "dataset.json"
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))
    assert reason in refusal(lambda: run.data)


def test_classes_are_found_by_name_and_otherwise_by_number(run, mnist):
    assert run.data.numbers_of(["c", "0", "b"]) == [2, 0, 1]
    named = run.data._replace(classes=("1", "2", "3"))
    assert named.numbers_of(["1", "0"]) == [0, 0]
    for name in ("d", "3", "-1", "1.0", ""):
        assert f"no class {name!r}" in refusal(run.data.numbers_of, [name])


def test_names_become_parts_of_file_names():
    assert label_of("a b/c:ü.1-2_x") == "a-b-c-ü.1-2_x"
