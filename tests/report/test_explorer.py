"""The explorer's page as a file: what is in it, and runs that cannot have one."""

import dataclasses

import explored
import numpy as np
import pytest
import tiny

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.report import explorer
from cvae.runs.run import Run

CONFIG = Config(hidden=(8,), z_dim=2)


@pytest.fixture
def run(tmp_path):
    return explored.run(tmp_path / "trained", CONFIG)


def test_the_same_run_and_data_give_the_same_page(run, mnist, tmp_path):
    pages = [tmp_path / "one.html", tmp_path / "other.html"]
    for page in pages:
        explorer.write(run, page, tiny.dataset(mnist))
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_a_page_without_data_says_so_in_a_note(run, tmp_path, capsys):
    explorer.write(run, tmp_path / "page.html", None)
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert err.startswith("note: the page has no examples") and "no test images" in err


def test_data_of_another_shape_leaves_a_page_without_examples(mnist, tmp_path, capsys):
    run = explored.run(tmp_path / "run", dataclasses.replace(CONFIG, x_dim=64))
    explorer.write(run, tmp_path / "page.html", tiny.dataset(mnist))
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "images of 784 pixels, x_dim is 64" in err


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda bias: bias + 1e5, "too large for half"),
        (lambda bias: bias * np.nan, "not finite"),
        (lambda bias: bias[:-1], "another architecture"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(
    run, tmp_path, monkeypatch, change, words
):
    weights, name = run.weights(), "gen/hidden_1/bias"
    weights[name] = change(weights[name])
    monkeypatch.setattr(Run, "weights", lambda self: weights)
    with pytest.raises(CvaeError, match=words):
        explorer.write(run, tmp_path / "new" / "page.html", None)
    assert not (tmp_path / "new").exists()


def test_a_damaged_run_is_one_line(tmp_path):
    run = explored.run(tmp_path / "run", CONFIG)
    (checkpoint,) = (run.path / "checkpoints").glob("*.npz")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(CvaeError, match="no whole checkpoint left"):
        explorer.write(run, tmp_path / "page.html", None)
    assert not (tmp_path / "page.html").exists()


def test_images_that_are_not_squares_are_refused(tmp_path):
    run = explored.run(tmp_path / "run", dataclasses.replace(CONFIG, x_dim=65))
    with pytest.raises(CvaeError, match="65 pixels are not squares"):
        explorer.write(run, tmp_path / "page.html", None)
    assert not (tmp_path / "page.html").exists()


def test_directions_are_those_of_the_means_sorted_by_kl():
    """Two units are active and one is not; means lie along (3, 4) / 5 and across it."""
    random = np.random.RandomState(0)
    along, across = 2.0 * random.standard_normal((2, 5000)) * [[1.0], [0.2]]
    mean = np.stack([0.6 * along - 0.8 * across, np.zeros(5000)], 1)
    mean = np.c_[mean, 0.8 * along + 0.6 * across].astype(np.float32)
    axes, kl = explorer.principal_directions(mean, np.full((5000, 3), np.log(0.5)))
    np.testing.assert_allclose(axes[0], [0.6, 0, 0.8], atol=0.01)
    assert axes.shape == (2, 3) and not axes[:, 1].any()
    means = along, across
    expected = [0.5 * (0.25 + (m**2).mean() - 1 - np.log(0.25)) for m in means]
    np.testing.assert_allclose(kl, expected, rtol=0.01)


def test_examples_are_the_first_images_of_each_class():
    labels = np.array([2, 0, 0, 1, 2, 2, 0, 1])
    assert list(explorer.first_of_each_class(labels, 6)) == [1, 2, 3, 7, 0, 4]
    assert list(explorer.first_of_each_class(labels, 1)) == [1, 3, 0]
