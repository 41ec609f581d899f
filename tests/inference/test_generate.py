"""Generation given y: keyed draws, rows are classes, columns share a style."""

import numpy as np
import pytest
import reference
import tiny

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import generate
from cvae.inference.trained import Model


def test_a_row_is_its_class_decoded_from_prior_draws_of_z(model, weights):
    means = generate.samples(model, [3, 7], 5, seed=1)
    assert means.shape == (2, 5, 784)
    z = np.random.RandomState([1, 7]).standard_normal((5, 6))
    y = reference.one_hot(np.full(5, 7), 10)
    expected = reference.decode(y, z, weights, 2)
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
        expected = reference.decode(y, z, weights, 2)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-6)


def test_a_reconstruction_is_decoded_from_the_posterior_mean(model, weights, mnist):
    bits = (mnist.test.images[:8] > 127).astype(np.uint8)
    labels = mnist.test.labels[:8]
    y = reference.one_hot(labels, 10)
    mean, _ = reference.encode(bits, y, weights, 2)
    expected = reference.decode(y, mean, weights, 2)
    found = generate.reconstruct(model, bits, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-5)


def test_bits_follow_their_means(model):
    means = np.full((2, 3, 5000), 0.3)
    bits = generate.draw_bits(means, seed=0)
    assert bits.dtype == np.uint8 and set(np.unique(bits)) == {0, 1}
    assert bits.mean() == pytest.approx(0.3, abs=0.01)
    assert not np.array_equal(bits, generate.draw_bits(means, seed=1))


def test_the_noise_of_bits_is_a_stream_of_its_own(model):
    """Of every class's z and of the common z, which seed the same generator."""
    n, seed, bits = 5000, 3, []
    noise = 1.0 - np.stack(
        [
            generate.draw_bits(np.full(n, p / 50.0), seed).astype(float)
            for p in range(50)
        ]
    ).mean(0)  # the uniform draws, to 2 %
    for key in [[seed]] + [[seed, c] for c in range(1000)]:
        random = np.random.RandomState(key)
        bits.append(np.corrcoef(noise, random.random_sample(n))[0, 1])
    assert np.abs(bits).max() < 5.0 / np.sqrt(n)


def test_a_class_above_255_is_generated_as_itself():
    config = Config(hidden=(3,), z_dim=2, x_dim=4, n_classes=300)
    weights = tiny.random_weights(tiny.shapes(config))
    with Model(config, weights) as model:
        found = generate.samples(model, [299], 2, seed=0)[0]
    z = np.random.RandomState([0, 299]).standard_normal((2, 2))
    y = reference.one_hot(np.full(2, 299), 300)
    expected = reference.decode(y, z, weights, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


PAIRS = np.zeros((2, 2, 784), np.uint8), np.zeros((2, 2), int)


@pytest.mark.parametrize(
    "function, arguments, words",
    [
        ("samples", ([10], 2, 0), "no class 10: choose from 0 to 9"),
        ("samples", ([], 2, 0), "no classes"),
        ("samples", ([1.5], 2, 0), "no class 1.5"),
        ("samples", ([1], 0, 0), "number of images cannot be 0"),
        ("samples", ([1], 2, -1), "seed cannot be -1"),
        ("samples", ([1], 2, 2**32), "seed cannot be"),
        ("same_style", ([-1], 2, 0), "no class -1"),
        ("same_style", ([1], 2.0, 0), "number of images cannot be 2.0"),
        ("reconstruct", (np.full((2, 784), 0.5), [1, 2]), "binarize"),
        ("transfer", (PAIRS[0][0], [1, 10], [1]), "labels go from 1 to 10"),
        ("transfer", (PAIRS[0][0], [1, 2], []), "no classes"),
        ("interpolate", (*PAIRS, [1, 2], 0), "steps cannot be 0"),
        ("interpolate", (*PAIRS, [1], 3), "one class for each pair"),
        ("interpolate", (*PAIRS, [1, 10], 3), "no class 10"),
        ("interpolate", (PAIRS[0][0], PAIRS[1], [1, 2], 3), "pairs of images"),
        ("interpolate", (PAIRS[0], PAIRS[1][0], [1, 2], 3), "pairs of images"),
    ],
)
def test_what_cannot_be_generated_is_one_line(model, function, arguments, words):
    with pytest.raises(CvaeError, match=words) as error:
        getattr(generate, function)(model, *arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("means", [[1.5], [np.nan], []])
def test_bits_are_drawn_only_with_probabilities(means):
    with pytest.raises(CvaeError, match="means"):
        generate.draw_bits(np.array(means), 0)


def test_weights_that_diverged_are_one_line(weights, mnist):
    bad = dict(weights, **{"q_net/z_heads/bias": np.full(12, np.nan, np.float32)})
    with Model(tiny.UNTRAINED, bad) as model:
        with pytest.raises(CvaeError, match="training diverged.*--learning-rate"):
            generate.reconstruct(model, *digits(mnist, 2))


def digits(mnist, n):
    return (mnist.test.images[:n] > 127).astype(np.uint8), mnist.test.labels[:n]


def test_transfer_decodes_the_posterior_mean_as_every_class(model, weights, mnist):
    bits, labels = digits(mnist, 3)
    found = generate.transfer(model, bits, labels, [2, 5, 7, 9])
    assert found.shape == (3, 4, 784)
    mean, _ = reference.encode(bits, reference.one_hot(labels, 10), weights, 2)
    for column, c in enumerate([2, 5, 7, 9]):
        y = reference.one_hot(np.full(3, c), 10)
        expected = reference.decode(y, mean, weights, 2)
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
        (start, end), _ = reference.encode(bits[row], y, weights, 2)
        for step in range(5):
            z = (start + step / 4 * (end - start))[None]
            y = reference.one_hot(np.array([c]), 10)
            expected = reference.decode(y, z, weights, 2)[0]
            np.testing.assert_allclose(found[row, step], expected, rtol=1e-2, atol=1e-5)


def test_the_ends_of_an_interpolation_are_reconstructions(model, mnist):
    images, labels = digits(mnist, 60)
    ends = np.flatnonzero(labels == 7)[:2]
    found = generate.interpolate(model, images[ends][None], labels[ends][None], [7], 4)
    expected = generate.reconstruct(model, images[ends], labels[ends])
    np.testing.assert_allclose(found[0, [0, -1]], expected, rtol=1e-4, atol=1e-6)
