"""Generation given y: keyed draws, rows are classes, columns share a style."""

import numpy as np
import pytest
import reference
import tiny

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import generate
from cvae.inference.generate import Style
from cvae.inference.trained import Model
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run

CONFIG = Config(hidden=(20,), z_dim=6)


@pytest.fixture(scope="module")
def weights():
    return tiny.random_weights(tiny.shapes(CONFIG))


@pytest.fixture(scope="module")
def model(weights):
    with Model(CONFIG, weights) as model:
        yield model


@pytest.fixture
def run(weights, tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    arrays = {name + AVERAGE: array for name, array in weights.items()}
    run.save_checkpoint(Checkpoint(arrays, State(1, [0, 0.0, 1])))
    return run


def test_a_row_is_its_class_decoded_from_prior_draws_of_z(model, weights):
    means = generate.samples(model, [3, 7], 5, seed=1)
    assert means.shape == (2, 5, 784)
    z = np.random.RandomState([1, 7]).standard_normal((5, 6))
    y = reference.one_hot(np.full(5, 7), 10)
    expected = reference.decode(y, z, weights, 1)
    np.testing.assert_allclose(means[1], expected, rtol=1e-3, atol=1e-6)


def test_a_sample_does_not_depend_on_the_other_classes_or_on_how_many(model):
    all_classes = generate.samples(model, range(10), 6, seed=1)
    some = generate.samples(model, [7, 3], 4, seed=1)
    np.testing.assert_allclose(some, all_classes[[7, 3], :4], rtol=1e-4, atol=1e-7)


def test_another_seed_is_other_samples(model):
    first, second = (generate.samples(model, [2], 3, seed=s) for s in (0, 1))
    assert not np.allclose(first, second)


def test_the_same_style_is_one_z_a_column_for_all_classes(model, weights):
    means = generate.same_style(model, [0, 4, 9], 5, seed=2)
    z = np.random.RandomState([2]).standard_normal((5, 6))
    for row, digit in zip(means, [0, 4, 9]):
        y = reference.one_hot(np.full(5, digit), 10)
        expected = reference.decode(y, z, weights, 1)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-6)


def test_a_reconstruction_is_decoded_from_the_posterior_mean(model, weights, mnist):
    bits = (mnist.test.images[:8] > 127).astype(np.uint8)
    labels = mnist.test.labels[:8]
    y = reference.one_hot(labels, 10)
    mean, _ = reference.encode(bits, y, weights, 1)
    expected = reference.decode(y, mean, weights, 1)
    found = generate.reconstruct(model, bits, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-5)


def test_bits_follow_their_means(model):
    means = np.full((2, 3, 5000), 0.3)
    bits = generate.draw_bits(means, seed=0)
    assert bits.dtype == np.uint8 and set(np.unique(bits)) == {0, 1}
    assert bits.mean() == pytest.approx(0.3, abs=0.01)
    assert not np.array_equal(bits, generate.draw_bits(means, seed=1))


def test_grid_and_arrays_are_written_and_hold_the_samples(run, model, tmp_path):
    grid, arrays = generate.write_samples(
        run, tmp_path / "deep" / "grid.png", [1, 8], 3, Style(seed=4)
    )
    assert grid.read_bytes().startswith(b"\x89PNG")
    with np.load(str(arrays), allow_pickle=False) as archive:
        expected = generate.samples(model, [1, 8], 3, seed=4)
        np.testing.assert_array_equal(archive["x"], expected)
        assert list(archive["y"]) == [1, 8] and archive["seed"] == 4


def test_binary_samples_are_bits(run, tmp_path):
    _, arrays = generate.write_samples(
        run, tmp_path / "grid.png", None, 2, Style(binary=True)
    )
    with np.load(str(arrays), allow_pickle=False) as archive:
        assert archive["x"].shape == (10, 2, 784)
        assert set(np.unique(archive["x"])) == {0, 1}


@pytest.mark.parametrize("classes", [[10], [-1], [3, 11]])
def test_an_unknown_class_is_one_line_and_nothing_is_written(run, tmp_path, classes):
    with pytest.raises(CvaeError, match="choose from 0 to 9"):
        generate.write_samples(run, tmp_path / "grid.png", classes, 2, Style())
    assert not (tmp_path / "grid.png").exists()


def test_samples_are_the_same_files_again(run, tmp_path):
    paths = [
        generate.write_samples(run, tmp_path / name, [5], 2, Style())
        for name in ("a.png", "b.png")
    ]
    for one, other in zip(*paths):
        assert one.read_bytes() == other.read_bytes()


def digits(mnist, n):
    return (mnist.test.images[:n] > 127).astype(np.uint8), mnist.test.labels[:n]


def test_transfer_decodes_the_posterior_mean_as_every_class(model, weights, mnist):
    bits, labels = digits(mnist, 3)
    found = generate.transfer(model, bits, labels, [2, 5, 7, 9])
    assert found.shape == (3, 4, 784)
    mean, _ = reference.encode(bits, reference.one_hot(labels, 10), weights, 1)
    for column, c in enumerate([2, 5, 7, 9]):
        y = reference.one_hot(np.full(3, c), 10)
        expected = reference.decode(y, mean, weights, 1)
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-2, atol=1e-5)


def test_transfer_to_the_own_class_is_the_reconstruction(model, mnist):
    bits, labels = digits(mnist, 6)
    found = generate.transfer(model, bits, labels, range(10))
    own = found[np.arange(6), labels]
    expected = generate.reconstruct(model, bits, labels)
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-7)


def test_interpolation_goes_straight_from_one_posterior_mean_to_the_other(
    model, weights, mnist
):
    bits, labels = (part.reshape((2, 2) + part.shape[1:]) for part in digits(mnist, 4))
    found = generate.interpolate(model, bits, labels, [3, 8], steps=5)
    assert found.shape == (2, 5, 784)
    for row, c in enumerate([3, 8]):
        y = reference.one_hot(labels[row], 10)
        (start, end), _ = reference.encode(bits[row], y, weights, 1)
        for step in range(5):
            z = (start + step / 4 * (end - start))[None]
            y = reference.one_hot(np.array([c]), 10)
            expected = reference.decode(y, z, weights, 1)[0]
            np.testing.assert_allclose(found[row, step], expected, rtol=1e-2, atol=1e-5)


def test_the_ends_of_an_interpolation_are_reconstructions(model, mnist):
    images, labels = digits(mnist, 60)
    ends = np.flatnonzero(labels == 7)[:2]
    found = generate.interpolate(model, images[ends][None], labels[ends][None], [7], 4)
    expected = generate.reconstruct(model, images[ends], labels[ends])
    np.testing.assert_allclose(found[0, [0, -1]], expected, rtol=1e-4, atol=1e-6)
