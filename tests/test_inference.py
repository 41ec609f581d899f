"""A trained model as functions of arrays, against float64 NumPy."""

import numpy as np
import pytest
import reference
import tiny
from scipy import integrate, stats

from cvae import inference
from cvae import mnist as mnist_room
from cvae.config import Config
from cvae.errors import CvaeError
from cvae.inference import Model

CONFIG = Config(hidden=(20, 15), z_dim=6)


@pytest.fixture(scope="module")
def weights():
    return tiny.random_weights(tiny.shapes(CONFIG))


@pytest.fixture(scope="module")
def model(weights):
    with Model(CONFIG, weights) as model:
        yield model


@pytest.fixture(scope="module")
def images(mnist):
    split = tiny.dataset(mnist, n_test=620).test
    return mnist_room.binarize(split.images), split.labels


def test_encode_and_decode_are_the_reference_networks(model, weights, images):
    bits, labels = images
    y = reference.one_hot(labels, 10)
    mean, logstd = model.encode(bits, labels)
    expected = reference.encode(bits, y, weights, 2)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.exp(logstd), expected[1], rtol=1e-3)
    means = model.decode(labels, mean)
    expected = reference.decode(y, mean.astype(np.float64), weights, 2)
    np.testing.assert_allclose(means, expected, rtol=1e-3, atol=1e-6)


def test_the_bound_is_the_sum_of_its_parts(model, images):
    bound = model.bound(*images)
    parts = bound.reconstruction - bound.kl_sampled
    np.testing.assert_allclose(bound.total, parts, rtol=1e-5)


def test_the_closed_form_kl_is_the_integral_of_its_definition(model, images):
    bits, labels = images
    mean, logstd = model.encode(bits[:1], labels[:1])

    def integrand(z, m, s):
        q = stats.norm(m, s)
        return q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z))

    expected = sum(
        integrate.quad(integrand, m - 12 * s, m + 12 * s, args=(m, s))[0]
        for m, s in zip(mean[0], np.exp(logstd[0]))
    )
    assert model.bound(bits[:1], labels[:1]).kl[0] == pytest.approx(expected, rel=1e-4)


def test_the_sampled_kl_has_the_closed_form_as_its_mean(model, images):
    bound = model.bound(*images)
    gap = bound.kl_sampled - bound.kl
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))


def test_bound_and_importance_sampling_agree_with_float64_numpy(model, weights, images):
    """Both in expectation: NumPy draws its own z."""
    bits, labels = images[0][:60], images[1][:60]
    mean, std = reference.encode(bits, reference.one_hot(labels, 10), weights, 2)
    random = np.random.RandomState(0)
    z = mean + std * random.standard_normal((400,) + mean.shape)
    log_weights = np.array(
        [
            a + b - c
            for a, b, c in [
                reference.log_weights(bits, labels, part, weights, 10, 2)
                for part in z.reshape(20, 20, 60, 6)
            ]
        ]
    ).reshape(400, 60)
    one_sample = model.bound(bits, labels).total
    spread = log_weights.std(0)
    assert (np.abs(one_sample - log_weights.mean(0)) < 6 * spread).all()
    bias = (one_sample - log_weights.mean(0)) / spread
    assert abs(bias.mean()) < 4 / np.sqrt(60)
    streamed = model.log_likelihood(bits, labels, 400)
    expected = reference.log_mean_exp(log_weights, 0)
    assert np.abs(streamed - expected).mean() < 0.5 * spread.mean()


def test_streamed_particles_equal_the_unchunked_estimate(model, images, monkeypatch):
    """The running log-sum-exp over chunks is the log-mean-exp over all weights."""
    bits, labels = images[0][:40], images[1][:40]
    seen = []
    run = model._session.run

    def spy(fetches, feed):
        result = run(fetches, feed)
        if fetches is model._log_weights:
            seen.append(result.astype(np.float64))
        return result

    monkeypatch.setattr(model._session, "run", spy)
    streamed = model.log_likelihood(bits, labels, 2 * inference.CHUNK + 3)
    weights = np.concatenate(seen)
    assert weights.shape == (2 * inference.CHUNK + 3, 40)
    assert len(np.unique(weights[:, 0])) == len(weights), "chunks must not share draws"
    expected = reference.log_mean_exp(weights, 0)
    np.testing.assert_allclose(streamed, expected, rtol=1e-12)


def test_importance_sampling_tightens_the_bound_as_particles_grow(model, images):
    bits, labels = images[0][:200], images[1][:200]
    estimates = [model.log_likelihood(bits, labels, k).mean() for k in (1, 10, 100)]
    assert estimates[0] < estimates[1] < estimates[2]


def test_wrong_labels_make_the_bound_worse_for_a_trained_model(mnist, tmp_path):
    from cvae import training
    from cvae.run import Run

    data = tiny.dataset(mnist, n_train=3000)
    run = Run.create(tmp_path / "run", tiny.CONFIG)
    training.train(run, data)
    bits, labels = mnist_room.binarize(data.test.images), data.test.labels
    with Model(run.config, run.weights()) as trained:
        right = trained.bound(bits, labels).total.mean()
        wrong = trained.bound(bits, (labels + 1) % 10).total.mean()
    assert right > wrong + 1.0


def test_results_are_the_same_bits_again(model, images):
    bits, labels = images
    np.testing.assert_array_equal(
        model.bound(bits, labels).total, model.bound(bits, labels).total
    )


def test_weights_of_another_architecture_are_refused(weights):
    with pytest.raises(CvaeError, match="another architecture"):
        Model(Config(hidden=(20, 16), z_dim=6), weights)
