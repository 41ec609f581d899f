"""Bounds and importance sampling against models whose log p(x | y) is known exactly."""

import numpy as np
import pytest
import tiny
from exact import LinearGaussian, all_images, quadrature

from cvae.config import Config
from cvae.data.dataset import Dataset, Split
from cvae.evaluation import summary
from cvae.inference import estimates
from cvae.inference import trained as inference
from cvae.inference.trained import Model
from cvae.runs.run import Run
from cvae.training import loop

N = 400
PARTICLES = 200
TIMES = 4
IMAGES = all_images(8)
TINY = Config(
    n_classes=2,
    x_dim=8,
    z_dim=2,
    hidden=(16,),
    batch_size=50,
    epochs=20.0,
    minutes=None,
    learning_rate=1e-2,
    warmup=0,
    weight_decay=0.0,
    evaluate_every=20,
)


def stderr(values):
    return values.std(ddof=1) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def linear():
    """A linear-Gaussian model in the place of the homework's, and data for it."""
    model = LinearGaussian()
    random = np.random.RandomState(0)
    bits = random.randint(0, 2, (N, 6)).astype(np.uint8)
    labels = random.randint(0, 3, N)
    with pytest.MonkeyPatch().context() as patch:
        model.put_into(patch, inference)
        shipped = Model(model.config, {})
    with shipped:
        yield shipped, bits, labels, model.log_likelihood(bits, labels), model


def test_the_bound_is_the_truth_less_the_divergence_of_the_posteriors(linear):
    shipped, bits, labels, truth, model = linear
    gap = truth - shipped.bound(bits, labels).total
    assert model.divergence() > 0.3
    assert abs(gap.mean() - model.divergence()) < 4 * stderr(gap)


def test_every_image_of_a_discrete_model_is_as_likely_as_quadrature_says():
    """Weights of a net at random, where q(z | x, y) is no posterior at all."""
    config = Config(n_classes=2, x_dim=6, z_dim=2, hidden=(5,))
    weights = tiny.random_weights(tiny.shapes(config), seed=4)
    images = np.tile(all_images(6), (2, 1))
    labels = np.repeat([0, 1], 64)
    truth = quadrature(images, labels, weights, config)
    with Model(config, weights) as model:
        found = [
            estimates.of_own_class(
                model, images, labels, particles, by_encoder=by_encoder
            ).log_likelihoods[-1]
            for particles in (1, 30, 1000)
            for by_encoder in (True, False)
        ]
        bound = truth - model.bound(images, labels).total
    gaps = [truth - values for values in found]
    for gap in [bound] + gaps:  # none is above the truth
        assert gap.mean() > -4 * stderr(gap)
    assert bound.mean() > 4 * stderr(bound)
    encoder, laplace = (np.abs(gap).mean() for gap in gaps[-2:])
    assert laplace < 0.03 and encoder < 0.2 * bound.mean()
    assert np.abs(gaps[1]).mean() < 0.5 * np.abs(gaps[0]).mean()  # of one particle


def test_importance_weights_are_unbiased_for_every_image_of_a_discrete_model():
    config = Config(n_classes=2, x_dim=6, z_dim=2, hidden=(5,))
    weights = tiny.random_weights(tiny.shapes(config), seed=4)
    images, labels = np.tile(all_images(6), (8, 1)), np.tile(np.repeat([0, 1], 64), 4)
    truth = quadrature(images[:128], labels[:128], weights, config)
    with Model(config, weights) as model:
        ratios = np.exp(model.log_likelihood(images, labels, 5) - np.tile(truth, 4))
    assert stderr(ratios) < 0.05
    assert abs(ratios.mean() - 1.0) < 4 * stderr(ratios)


# A trained run of eight pixels


def bars(n, seed):
    """2 x 4 images with a bright bar among grey pixels: class 0 across, 1 down."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, 2, n).astype(np.uint8)
    images = random.randint(0, 90, (n, 2, 4)).astype(np.uint8)
    for image, label, place in zip(images, labels, random.randint(0, 4, n)):
        if label:
            image[:, place] = 240
        else:
            image[place % 2] = 240
    return Split(images.reshape(n, 8), labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", TINY)
    data = Dataset("mnist", bars(1000, seed=0), bars(200, seed=1), "")
    loop.train(run, data)
    return run, run.weights()


@pytest.fixture(scope="module")
def totals(trained):
    """log p(x | y) of all 2^8 images by both classes, `[TIMES, images, classes]`.

    Each time has draws of its own: no two rows have the same number.
    """
    run, weights = trained
    with Model(run.config, weights) as model:
        rows = np.tile(IMAGES, (TIMES, 1))
        found = [
            model.log_likelihood(rows, np.full(len(rows), c), PARTICLES) for c in (0, 1)
        ]
    return np.stack(found, 1).reshape(TIMES, len(IMAGES), 2)


@pytest.fixture(scope="module")
def truth(trained):
    """The same by quadrature, `[images, classes]`."""
    run, weights = trained
    labels = [np.full(len(IMAGES), c) for c in range(2)]
    return np.stack([quadrature(IMAGES, c, weights, run.config) for c in labels], 1)


def assert_sum_to_one(sums):
    """Sums over all images, `[TIMES, columns]`, must be 1 in the mean over times."""
    error = np.sqrt(np.var(sums, axis=0, ddof=1).mean() / TIMES)
    assert error < 0.005
    assert (abs(np.mean(sums, 0) - 1.0) < 4 * error).all()


def test_training_made_the_two_classes_differ(trained, truth):
    metrics = trained[0].metrics()
    assert metrics[-1]["train_bound"] > metrics[0]["train_bound"] + 0.5
    p = np.exp(truth)
    assert 0.5 * np.abs(p[:, 0] - p[:, 1]).sum() > 0.5  # total variation


def test_quadrature_is_exact_and_sums_to_one(trained, truth):
    run, weights = trained
    np.testing.assert_allclose(np.exp(truth).sum(0), 1.0, atol=1e-9)
    labels = np.zeros(len(IMAGES), int)
    coarser = quadrature(IMAGES, labels, weights, run.config, nodes=60)
    np.testing.assert_allclose(coarser, truth[:, 0], atol=0.01)


def test_p_of_x_given_y_and_p_of_x_sum_to_one_over_all_images_of_a_trained_run(totals):
    given_y = np.exp(totals).sum(1)
    whole = np.exp(summary.marginal(totals)).sum(1)
    assert_sum_to_one(np.column_stack([given_y, whole]))


def test_each_image_of_a_trained_run_is_as_likely_as_quadrature_says(totals, truth):
    found = np.log(np.exp(totals).mean(0))
    likely = truth > np.log(1e-3)
    assert likely.sum() > 50
    assert np.abs(found - truth)[likely].max() < 0.3
    assert np.abs(found - truth)[likely].mean() < 0.02


def test_the_marginal_of_a_trained_run_is_the_mean_over_classes(totals, truth):
    found = np.exp(summary.marginal(totals)).mean(0)
    expected = np.exp(truth).mean(1)
    likely = expected > 1e-4
    assert np.abs(np.log(found / expected))[likely].mean() < 0.02
