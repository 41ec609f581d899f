"""A run's figures: of the right images, the same again, clear about what is missing."""

import json
import shutil

import drawings
import evaluated_runs
import forks
import numpy as np
import pytest
import reference
import tiny
from drawings import LEVELS, assert_shows, cells, estimate, words
from evaluated_runs import N_CHECKED, STEP, evaluated

from cvae.data.binarize import binarize
from cvae.data.dataset import Split
from cvae.errors import CvaeError
from cvae.plotting import style
from cvae.report import figures
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CHECKS = {
    "encoder": {
        "images": N_CHECKED,
        "growth": drawings.levels((10, -80.7), (5000, -79.7)),
        "ess": {"particles": 5000},
        "laplace": estimate(-79.5),
    },
    "sandwich": dict(zip(("below", "above", "gap"), drawings.SANDWICH)),
}


@pytest.fixture(scope="module")
def dataset(mnist):
    return tiny.dataset(mnist, n_train=400, n_test=200)


@pytest.fixture(scope="module")
def weights():
    return tiny.random_weights(tiny.shapes(tiny.CONFIG))


@pytest.fixture(scope="module")
def per_image(dataset):
    return np.random.RandomState(0).uniform(-200, -20, len(dataset.test.labels))


@pytest.fixture(scope="module")
def evaluation(dataset):
    confusion = np.diag(np.bincount(dataset.test.labels, minlength=10))
    mistakes = [(11, 6, 0), (3, 0, 6), (8, 5, 9)]
    return {
        "dataset": "mnist",
        "n_images": 200,
        "step": STEP,
        "log_likelihood": estimate(-82.02),
        "growth": LEVELS,
        "ess": {"particles": 100},
        **CHECKS,
        "classifier": {
            "confusion": confusion.tolist(),
            "mistakes": [
                {"image": i, "class": c, "predicted": p, "log_odds": 9.0 - n}
                for n, (i, c, p) in enumerate(mistakes)
            ],
        },
        "latent": {
            "kl": [2.0, 1.0, 0.0, 3.0, 0.5],
            "activity": [0.9, 0.5, 0.0, 0.9, 0.3],
            "threshold": 0.01,
        },
    }


@pytest.fixture(scope="module")
def trained(weights, tmp_path_factory):
    """A run with a checkpoint and metrics."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run = evaluated_runs.trained(path, tiny.CONFIG, weights)
    for row in drawings.metrics(epochs=3):
        run.append_metrics(row)
    return run


@pytest.fixture(scope="module")
def run(trained, evaluation, per_image):
    """The run, evaluated."""
    return evaluated(trained, evaluation, per_image)


@pytest.fixture(scope="module")
def drawn(run, dataset, tmp_path_factory):
    """All figures of the run, drawn once: (folder, facts)."""
    folder = tmp_path_factory.mktemp("figures")
    return folder, figures.draw(run, dataset, folder)


def bits_of(dataset):
    return binarize(dataset.test.images)


def of_class(dataset, c):
    return np.flatnonzero(dataset.test.labels == c)


def test_all_figures_are_drawn_in_both_formats_and_the_same_again(
    run, dataset, drawn, tmp_path
):
    folder, facts = drawn
    assert tuple(facts) == figures.NAMES
    json.dumps(facts, allow_nan=False)
    files = {path.name for path in folder.iterdir()}
    assert files == {n + s for n in figures.NAMES for s in (".png", ".svg")}
    random = ["samples", "latent_space", "neighbours"]
    again = figures.draw(run, dataset, tmp_path, random, [".svg"])
    assert again == {name: facts[name] for name in random}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_only_what_is_named_is_drawn(run, dataset, tmp_path):
    facts = figures.draw(run, dataset, tmp_path, ["growth", "confusion"], [".svg"])
    assert facts == {"growth": {}, "confusion": {}}
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["confusion.svg", "growth.svg"]


def test_transfer_is_of_the_first_test_digit_of_each_class(dataset, weights, drawn):
    grid = cells(drawn[0] / "transfer.png", 10, 11)
    bits = bits_of(dataset)
    for c in range(10):
        x = bits[of_class(dataset, c)[0]]
        assert_shows(grid[c][0], x)
        y = reference.one_hot(np.array([c]), 10)
        mean, _ = reference.encode(x[None], y, weights, 1)
        own = drawings.unscaled(grid[c][1 + c], 28).reshape(784, 3)
        shade = reference.decode(y, mean, weights, 1)[0]
        expected = 255 + shade[:, None] * (np.array(style.BLUE) - 255.0)
        assert abs(own - expected).max() < 4


def test_interpolations_lie_between_the_digits_that_they_name(dataset, drawn):
    folder, _ = drawn
    within = [(0, 0), (3, 3), (6, 6), (9, 9)]
    across = [(0, 5), (0, 5), (2, 7), (2, 7), (4, 9), (4, 9)]
    grid = cells(folder / "interpolations.png", 10, 2 + figures.STEPS)
    bits = bits_of(dataset)
    for row, (a, b) in zip(grid, within + across):
        assert_shows(row[0], bits[of_class(dataset, a)[0]])
        assert_shows(row[-1], bits[of_class(dataset, b)[int(a == b)]])
    told = [w for w in words(folder / "interpolations.svg") if w.startswith("as ")]
    assert told == [f"as {c}" for c in (0, 3, 6, 9, 0, 5, 2, 7, 4, 9)]


def test_extremes_are_the_images_of_highest_and_lowest_likelihood(
    dataset, per_image, drawn
):
    folder, _ = drawn
    grid = cells(folder / "extremes.png", 10, 10)
    bits = bits_of(dataset)
    told = words(folder / "extremes.svg")[10:]
    for c in range(10):
        own = sorted(of_class(dataset, c), key=lambda i: -per_image[i])
        chosen = own[:5] + own[-5:]
        for column, image in enumerate(chosen):
            assert_shows(grid[c][column], bits[image])
        values = [f"{per_image[i]:.0f}".replace("-", "\u2212") for i in chosen]
        assert told[10 * c : 10 * c + 10] == values


def test_mistakes_are_shown_worst_first_with_both_classes(dataset, drawn):
    folder, _ = drawn
    (row,) = cells(folder / "mistakes.png", 1, 3)
    for cell, image in zip(row, (11, 3, 8)):
        assert_shows(cell, bits_of(dataset)[image])
    told = [word for word in words(folder / "mistakes.svg") if word]
    assert told == ["6 \u2192 0", "0 \u2192 6", "5 \u2192 9"]


def test_confusion_and_latent_kl_are_those_of_the_evaluation(dataset, drawn):
    folder, _ = drawn
    counts = np.bincount(dataset.test.labels, minlength=10)
    assert set(map(str, counts)) <= set(words(folder / "confusion.svg"))
    told = words(folder / "latent_kl.svg")
    assert {"6.50 nats in all", "4 active"} <= set(told)


def test_proposals_are_compared_on_the_same_images(drawn):
    told = words(drawn[0] / "growth.svg")
    bound = np.linspace(2, 4, 200)[:N_CHECKED].mean()
    for value in (0.08, 1.2, 0.2):  # of -82.02, and of -79.5
        assert f"\u2212{value:.2f}" in told
    assert f"bound \u2212{bound:.2f}" in told
    told = words(drawn[0] / "ess.svg")
    median = np.median(np.linspace(50, 10, 200)[:N_CHECKED])
    assert f"Laplace: median {median:.1f} %" in told
    assert "encoder: median 1.0 %" in told
    assert "gap 0.040" in words(drawn[0] / "sandwich.svg")


def test_without_checks_there_is_no_sandwich_and_only_the_bound_of_the_encoder(
    run, dataset, evaluation, per_image, tmp_path
):
    unchecked = {k: v for k, v in evaluation.items() if k not in CHECKS}
    assert set(figures.names_of(evaluation)) == set(figures.NAMES)
    assert set(figures.NAMES) - set(figures.names_of(unchecked)) == {"sandwich"}
    run = evaluated(run, unchecked, per_image)
    figures.draw(run, dataset, tmp_path, ["growth", "ess"], [".svg"])
    assert "bound \u22123.00" in words(tmp_path / "growth.svg")
    assert "5,000" not in words(tmp_path / "growth.svg")
    told = drawings.all_words(tmp_path / "ess.svg")
    assert "Laplace: median 30.0 %" in told and "encoder" not in told
    with pytest.raises(CvaeError, match="without a sandwich; evaluate again"):
        figures.draw(run, dataset, tmp_path, ["sandwich"], [".svg"])


def test_the_latent_space_is_that_of_posterior_means(dataset, weights, drawn):
    found = drawn[1]["latent_space"]
    y = reference.one_hot(dataset.test.labels, 10)
    mean, _ = reference.encode(bits_of(dataset), y, weights, 1)
    variance = np.linalg.svd(mean - mean.mean(0), compute_uv=False) ** 2
    expected = variance[:2] / variance.sum()
    np.testing.assert_allclose(found["explained"], expected, rtol=1e-3)
    assert (found["n_train"], found["n_test"]) == (400, 200)
    most = np.bincount(dataset.train.labels).argmax()
    assert found["chance"] == (dataset.test.labels == most).mean()
    assert found["low"] <= found["accuracy"] <= found["high"]


def test_neighbours_are_the_nearest_training_images_of_the_first_samples(
    dataset, weights, drawn
):
    folder, facts = drawn[0], drawn[1]["neighbours"]
    n = min(len(of_class(dataset, c)) for c in range(10))
    train = dataset.train.images / 255.0
    grid = cells(folder / "neighbours.png", 10, 1 + figures.NEIGHBOURS)
    nearest = []
    for c in range(10):
        z = np.random.RandomState([0, c]).standard_normal((n, tiny.CONFIG.z_dim))
        y = reference.one_hot(np.full(n, c), 10)
        samples = reference.decode(y, z, weights, 1)
        distance = np.sqrt(((samples[:, None] - train[None]) ** 2).sum(-1))
        nearest.extend(distance.min(1))
        for column, image in enumerate(np.argsort(distance[0])[: figures.NEIGHBOURS]):
            assert_shows(grid[c][1 + column], train[image])
    assert facts["samples"] == 10 * n
    assert facts["to_train"] == pytest.approx(np.median(nearest), rel=1e-4)
    chosen = np.concatenate([of_class(dataset, c)[:n] for c in range(10)])
    test = dataset.test.images[chosen] / 255.0
    distance = np.sqrt(((test[:, None] - train[None]) ** 2).sum(-1)).min(1)
    assert facts["test_to_train"] == pytest.approx(np.median(distance), rel=1e-4)


def test_a_data_set_of_few_classes_and_images_is_drawn_with_its_note(
    run, dataset, evaluation, per_image, tmp_path
):
    keep = np.concatenate([of_class(dataset, 3)[:6], of_class(dataset, 8)[:1]])
    test = Split(dataset.test.images[keep], dataset.test.labels[keep])
    few = dataset._replace(test=test, note=drawings.NOTE)
    smaller = dict(evaluation, n_images=7)
    smaller["classifier"] = dict(evaluation["classifier"], mistakes=[])
    run = evaluated(run, smaller, per_image[:7])
    facts = figures.draw(run, few, tmp_path, suffixes=[".svg"])
    for name in facts:
        assert drawings.NOTE in drawings.all_words(tmp_path / (name + ".svg"))
    told = words(tmp_path / "interpolations.svg")
    assert [w for w in told if w.startswith("as ")] == ["as 3", "as 8", "as 3", "as 8"]


# What is missing


def test_an_unknown_name_suggests_the_nearest_and_draws_nothing(run, dataset, tmp_path):
    with pytest.raises(CvaeError, match="no 'transfers': did you mean 'transfer'"):
        figures.draw(run, dataset, tmp_path, ["growth", "transfers"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["extremes", "mistakes", "confusion", "latent_kl", "growth", "ess"]
)
def test_a_run_that_is_not_evaluated_is_one_line_and_draws_nothing(
    trained, dataset, tmp_path, name
):
    with pytest.raises(CvaeError, match="is not evaluated yet: run .*evaluate.py"):
        figures.draw(trained, dataset, tmp_path, ["curves", name])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, value, fault",
    [
        ("step", STEP + 1, f"at step {STEP + 1}; it is at step {STEP} now"),
        ("n_images", 10000, "on 10,000 test images, not on 200"),
        ("dataset", "mnist-5k", "on mnist-5k, not on mnist"),
    ],
)
def test_an_evaluation_of_something_else_is_one_line(
    run, dataset, evaluation, per_image, tmp_path, name, value, fault
):
    other = evaluated(run, dict(evaluation, **{name: value}), per_image)
    with pytest.raises(CvaeError, match=f"was evaluated {fault}; .*evaluate.py"):
        figures.draw(other, dataset, tmp_path, ["extremes"])


def test_a_run_without_a_checkpoint_is_one_line(dataset, tmp_path):
    run = Run.create(tmp_path / "run", tiny.CONFIG)
    with pytest.raises(CvaeError, match="has no checkpoint yet; train it"):
        figures.draw(run, dataset, tmp_path / "figures", ["samples"])
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("name", ["reconstructions", "latent_space", "neighbours"])
def test_a_diverged_run_is_one_line(trained, weights, dataset, tmp_path, name):
    shutil.copytree(str(trained.path), str(tmp_path / "run"))
    run = Run(tmp_path / "run")
    broken = {n + AVERAGE: 1e30 * array for n, array in weights.items()}
    run.save_checkpoint(Checkpoint(broken, State(9, [0, 0.0, 9])))
    with pytest.raises(CvaeError, match="not finite: its training diverged"):
        figures.draw(run, dataset, tmp_path / "figures", [name])


# The command


def test_the_command_draws_what_is_named_and_names_the_files(
    trained, mnist_dir, tmp_path
):
    status, out, err = forks.run(
        *("draw.py", "curves", "--run", trained.path, "--format", "svg"),
        *("--mnist-dir", mnist_dir, "--output", tmp_path / "new"),
    )
    assert status == 0, err
    assert out.split() == [str(tmp_path / "new" / "curves.svg")]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["curves.svg"]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["latent-space"], "did you mean 'latent_space'?"),
        (["curves", "--format", "pdf"], "there is no 'pdf': choose from png, svg"),
        (["growth", "--run", "missing"], "there is no run missing"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, complaint):
    status, out, err = forks.run("draw.py", *arguments)
    assert status == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1 and complaint in err
