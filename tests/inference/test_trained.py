"""A trained model as functions of arrays, against float64 NumPy."""

import dataclasses
import functools

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny
from kept_graphs import random_weights
from scipy import integrate, special, stats

from cvae import zs
from cvae.backend import stateless
from cvae.inference import trained as inference
from cvae.inference.trained import Generator, Model
from cvae.runs.run import Run
from cvae.training import loop

TRAINED = dataclasses.replace(
    tiny.UNTRAINED,
    hidden=(99, 77),
    batch_size=50,
    epochs=6.0,
    minutes=None,
    average=0.9,
    warmup=0,
)


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


@pytest.mark.parametrize("config", [tiny.UNTRAINED, tiny.CONV], ids=["dense", "conv"])
def test_a_generator_decodes_to_the_bits_of_the_model_without_its_encoder(config):
    weights = random_weights(config)
    only = {name: w for name, w in weights.items() if name.startswith("gen/")}
    labels = np.arange(20) % 10
    z = np.random.RandomState(0).standard_normal((20, config.z_dim)).astype(np.float32)
    with Generator(config, only) as generator, Model(config, weights) as model:
        found, expected = generator.decode(labels, z), model.decode(labels, z)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 1000


def test_the_bound_is_the_sum_of_its_parts(model, images):
    bound = model.bound(*images)
    parts = bound.reconstruction - bound.kl_sampled
    np.testing.assert_allclose(bound.total, parts, rtol=1e-5)


def test_the_closed_form_kl_is_the_integral_of_its_definition(model, images):
    bits, labels = images
    mean, logstd = model.encode(bits[:1], labels[:1])

    std = np.exp(logstd[0].astype(np.float64))
    z = mean[0] + std * np.linspace(-12.0, 12.0, 10001)[:, None]
    q = stats.norm(mean[0], std)
    integrand = q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z))
    expected = integrate.trapezoid(integrand, z, axis=0).sum()
    assert model.bound(bits[:1], labels[:1]).kl[0] == pytest.approx(expected, rel=1e-4)


def test_the_sampled_kl_has_the_closed_form_as_its_mean(model, images):
    bound = model.bound(*images)
    gap = bound.kl_sampled - bound.kl
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))


@functools.lru_cache(maxsize=1)
def noise_program():
    """Standard normal draws by their number, as any TensorFlow program makes them."""
    with tf.Graph().as_default() as graph:
        draw, shape = tf.placeholder(tf.int64, []), tf.placeholder(tf.int32, [None])
        key = stateless.key(tiny.UNTRAINED.seed, draw, "evaluation")
        normal = tf.cast(tf.random.stateless_normal(shape, key), tf.float64)
        return tf.Session(graph=graph).make_callable(normal, [draw, shape])


def noise(draw, shape):
    return noise_program()(draw, shape)


@pytest.fixture(scope="module")
def trained(mnist, tmp_path_factory):
    """A run that has learned something, and the arrays of its checkpoint."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", TRAINED)
    loop.train(run, tiny.dataset(mnist, n_train=2000))
    arrays = run.load_checkpoint().arrays
    ending = "/ExponentialMovingAverage"
    averages = {n[: -len(ending)]: a for n, a in arrays.items() if n.endswith(ending)}
    return run, {name: a.astype(np.float64) for name, a in averages.items()}


def test_the_bound_is_that_of_float64_numpy_on_the_checkpoints_arrays(trained, images):
    run, arrays = trained
    bits, labels = images
    with Model(run.config, run.weights()) as model:
        bound = model.bound(bits, labels)
    mean, std = reference.encode(bits, reference.one_hot(labels, 10), arrays, 2)
    eps = [noise(10**6 * block, [500, tiny.UNTRAINED.z_dim]) for block in range(2)]
    z = (mean + std * np.concatenate(eps)[: len(bits)])[None]
    log_px, log_pz, log_qz = reference.log_weights(bits, labels, z, arrays, 10, 2)
    np.testing.assert_allclose(bound.reconstruction, log_px[0], rtol=0, atol=1e-3)
    np.testing.assert_allclose(bound.kl_sampled, (log_qz - log_pz)[0], atol=1e-3)
    np.testing.assert_allclose(bound.total, (log_px + log_pz - log_qz)[0], atol=1e-3)


def log_joint(bits, labels, z, arrays):
    log_px, log_pz, _ = reference.log_weights(bits, labels, z, arrays, 10, 2)
    return log_px + log_pz


def test_the_log_joint_is_that_of_float64_numpy_on_the_checkpoints_arrays(
    trained, images
):
    run, arrays = trained
    bits, labels = images[0][:60], images[1][:60]
    z = np.random.RandomState(0).standard_normal((7, 60, 6))
    with Model(run.config, run.weights()) as model:
        posterior = model.posterior(bits, labels)
        found, part = posterior.log_joint(z), posterior[10:20].log_joint(z[:, 10:20])
    expected = log_joint(bits, labels, z, arrays)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(part, expected[:, 10:20], rtol=0, atol=1e-3)


def test_gradient_and_curvature_are_those_of_the_log_joint_and_of_the_logits(
    trained, images
):
    """By central differences of float64 NumPy; H by the definition of Gauss-Newton."""
    run, arrays = trained
    bits, labels = images[0][:60], images[1][:60]
    z = np.random.RandomState(0).standard_normal((60, 6))
    with Model(run.config, run.weights()) as model:
        gradient, curvature = model.posterior(bits, labels).linearize(z)
    step = 1e-5 * np.eye(6)[:, None]
    ends = [log_joint(bits, labels, z + way * step, arrays) for way in (1.0, -1.0)]
    expected = (ends[0] - ends[1]).T / 2e-5
    np.testing.assert_allclose(gradient, expected, rtol=0.01, atol=0.1)
    y = np.tile(reference.one_hot(labels, 10), (6, 1, 1))
    logits = [
        special.logit(reference.decode(y, z + way * step, arrays, 2))
        for way in (1.0, -1.0)
    ]
    jacobian = (logits[0] - logits[1]) / 2e-5  # [d, n, x_dim]
    means = reference.decode(y[0], z, arrays, 2)
    weighted = jacobian * means * (1.0 - means)
    expected = np.einsum("inp,jnp->nij", weighted, jacobian) + np.eye(6)
    np.testing.assert_allclose(curvature, expected, rtol=0.01, atol=0.1)


def test_jacobians_are_taken_of_as_many_pairs_as_a_call_may_decode(
    model, images, monkeypatch
):
    bits, labels = images[0][:20], images[1][:20]
    z = np.random.RandomState(0).standard_normal((20, 6))
    whole = model.posterior(bits, labels).linearize(z)
    rows, run = [], model._session.run

    def spy(fetches, feed):
        rows.append(len(feed[model._bits]))
        return run(fetches, feed)

    monkeypatch.setattr(model._session, "run", spy)
    monkeypatch.setattr(inference, "ROWS", 50)
    found = model.posterior(bits, labels).linearize(z)
    assert rows == [7, 7, 6]
    for one, other in zip(found, whole):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-2)


def test_the_bound_does_not_depend_on_which_images_come_after(model, images):
    bits, labels = images
    whole, part = model.bound(bits, labels), model.bound(bits[:517], labels[:517])
    for a, b in zip(whole, part):
        np.testing.assert_array_equal(a[:517], b)


def test_the_fast_log_probability_is_the_one_of_zhusuan(model, images):
    """And of SciPy, on logits from 0 to those of pixels that are all but certain."""
    x = images[0][:4].astype(np.float32)
    logits = np.random.RandomState(0).standard_normal((3, 4, 784)) ** 3 * 20.0
    logits[0, 0], logits[1, 1, :100] = 0.0, 300.0
    with tf.Graph().as_default(), tf.Session() as session:
        net = zs.BayesianNet({"x": tf.constant(x)})
        logits_of_x = tf.constant(logits, tf.float32)
        net.bernoulli("x", logits_of_x, group_ndims=1, dtype=tf.float32)
        fast, slow = session.run([inference._log_px(net), net.cond_log_prob("x")])
    expected = -np.logaddexp(0.0, np.where(x == 1, -logits, logits)).sum(-1)
    np.testing.assert_allclose(fast, expected, rtol=1e-6)
    np.testing.assert_allclose(fast, slow, rtol=1e-6)


def test_many_images_are_decoded_and_encoded_in_blocks(model, images, monkeypatch):
    bits, labels = images
    whole = model.encode(bits, labels)
    means = model.decode(labels, whole[0])
    monkeypatch.setattr(inference, "ROWS", 100)
    monkeypatch.setattr(inference, "BLOCK", 70)
    for a, b in zip(model.encode(bits, labels), whole):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.decode(labels, whole[0]), means, atol=1e-5)


def test_the_estimate_is_above_the_bound(model, images):
    bits, labels = images[0][:200], images[1][:200]
    gap = model.log_likelihood(bits, labels, 10) - model.bound(bits, labels).total
    assert gap.mean() > 4 * gap.std() / np.sqrt(200) > 0


def test_wrong_labels_make_bound_and_likelihood_worse_for_a_trained_model(
    trained, images
):
    run, _ = trained
    bits, labels = images[0][:200], images[1][:200]
    wrong = (labels + 1) % 10
    with Model(run.config, run.weights()) as model:
        bounds = [model.bound(bits, y).total.mean() for y in (labels, wrong)]
        values = [model.log_likelihood(bits, y, 50).mean() for y in (labels, wrong)]
    assert bounds[0] > bounds[1] + 1.0 and values[0] > values[1] + 1.0


def test_results_are_the_same_bits_again(model, images):
    bits, labels = images
    np.testing.assert_array_equal(
        model.bound(bits, labels).total, model.bound(bits, labels).total
    )
