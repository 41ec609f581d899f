"""A trained model as functions of arrays, against float64 NumPy."""

import dataclasses
import functools

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny
from scipy import integrate, stats

from cvae import zs
from cvae.backend import stateless
from cvae.inference import importance
from cvae.inference import trained as inference
from cvae.inference.trained import Model
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


def importance_noise(image, c, particles):
    """What keys the particles of image number `image`, class `c`: `[particles, d]`."""
    keys = 2**39 + image * 11 * 1024
    parts = [noise(keys, [min(particles, 10), 10, tiny.UNTRAINED.z_dim])[:, c]]
    for chunk, begin, end in ((1, 10, 100), (2, 100, 1000), (3, 1000, 2000)):
        if begin < particles:
            shape = [min(end, particles) - begin, 1, tiny.UNTRAINED.z_dim]
            parts.append(noise(keys + (c + 1) * 1024 + chunk, shape)[:, 0])
    return np.concatenate(parts)


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


def test_importance_sampling_is_that_of_float64_numpy_on_the_checkpoints_arrays(
    trained, images
):
    """Each of 6 images with each class, 130 particles, to 1e-3 nats."""
    run, arrays = trained
    bits, labels = images[0][:6], images[1][:6]
    with Model(run.config, run.weights()) as model:
        found = list(model.estimates(every_class(bits, labels), 130))
        own = model.log_likelihood(bits, labels, 130)
    for i in range(6):
        x, y = np.repeat(bits[i : i + 1], 10, 0), np.arange(10)
        mean, std = reference.encode(x, reference.one_hot(y, 10), arrays, 2)
        eps = np.stack([importance_noise(i, c, 130) for c in y], 1)
        parts = reference.log_weights(x, y, mean + std * eps, arrays, 10, 2)
        log_weights = parts[0] + parts[1] - parts[2]
        for row, level in enumerate((10, 100, 130)):
            expected = reference.log_mean_exp(log_weights[:level], 0)
            all_of_it = found[i].particles >= level
            np.testing.assert_allclose(
                found[i].log_likelihoods[row, all_of_it], expected[all_of_it], atol=1e-3
            )
        assert all_of_it[labels[i]]
        assert abs(own[i] - expected[labels[i]]) < 1e-3


def every_class(bits, labels, first=0):
    return [
        (first + i, image, int(label), range(10))
        for i, (image, label) in enumerate(zip(bits, labels))
    ]


def test_an_estimate_does_not_depend_on_which_others_are_made_with_it(model, images):
    """To the bit: nothing but seed, image, class and particle keys what is drawn."""
    bits, labels = images
    together = list(model.estimates(every_class(bits[:20], labels[:20]), 30))
    for i in (0, 7, 19):
        (alone,) = model.estimates(
            every_class(bits[i : i + 1], labels[i : i + 1], i), 30
        )
        for a, b in zip(alone, together[i]):
            np.testing.assert_array_equal(a, b)
    own = model.log_likelihood(bits[:20], labels[:20], 30)
    of_all = [e.log_likelihoods[-1, c] for e, c in zip(together, labels)]
    np.testing.assert_allclose(own, of_all, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(
        model.log_likelihood(bits[9:15], labels[9:15], 30, first=9), own[9:15]
    )


def test_the_bound_does_not_depend_on_which_images_come_after(model, images):
    bits, labels = images
    whole, part = model.bound(bits, labels), model.bound(bits[:517], labels[:517])
    for a, b in zip(whole, part):
        np.testing.assert_array_equal(a[:517], b)


def test_more_particles_go_on_in_the_same_stream(model, images):
    few, many = (
        list(model.estimates(every_class(images[0][:5], images[1][:5]), particles))
        for particles in (100, 1200)
    )
    for a, b in zip(few, many):
        np.testing.assert_allclose(
            a.log_likelihoods, b.log_likelihoods[:2], rtol=0, atol=1e-4
        )
        close = a.particles == 1000  # which 1,000 particles decided
        np.testing.assert_allclose(
            a.decisive[close], b.log_likelihoods[2, close], rtol=0, atol=1e-4
        )
    assert any((a.particles == 1000).any() for a in few)


def test_no_two_draws_of_an_evaluation_are_the_same(model, images, monkeypatch):
    """Of images, classes, chunks, or of the bound."""
    keys, run = [], model._session.run

    def spy(fetches, feed):
        keys.append(feed[model._draw])
        return run(fetches, feed)

    monkeypatch.setattr(model._session, "run", spy)
    monkeypatch.setattr(importance, "MARGIN", 1e9)
    list(model.estimates(every_class(images[0][:3], images[1][:3]), 2500))
    model.bound(*images)
    assert len(set(keys)) == len(keys) == 3 * (1 + 10 * 4) + 2


def test_an_image_is_encoded_once_and_no_call_is_larger_than_a_chunk(
    model, images, monkeypatch
):
    """Later chunks are fed what the encoder said, however many particles there are."""
    feeds, run = [], model._session.run

    def spy(fetches, feed):
        feeds.append(set(model._posterior) <= set(feed))
        assert feed[model._particles] <= 1000
        return run(fetches, feed)

    monkeypatch.setattr(model._session, "run", spy)
    model.log_likelihood(images[0][:1], images[1][:1], 3000)
    assert feeds == [False] + [True] * 4


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


def test_pruned_classes_change_log_px_by_less_than_a_ten_thousandth(
    trained, images, monkeypatch
):
    run, _ = trained
    sample = every_class(images[0][:15], images[1][:15])
    found = []
    monkeypatch.setattr(importance, "CLOSE", -1.0)  # none: 300 particles are all
    with Model(run.config, run.weights()) as model:
        for margin in (importance.MARGIN, 1e9):
            monkeypatch.setattr(importance, "MARGIN", margin)
            estimates = list(model.estimates(sample, 300))
            last = np.stack([e.log_likelihoods[-1] for e in estimates])
            found.append(reference.log_mean_exp(last, 1))
            given = np.mean([e.particles for e in estimates])
            assert (given == 300) == (margin == 1e9)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-4)


def test_many_images_are_decoded_and_encoded_in_blocks(model, images, monkeypatch):
    bits, labels = images
    whole = model.encode(bits, labels)
    means = model.decode(labels, whole[0])
    monkeypatch.setattr(inference, "ROWS", 100)
    monkeypatch.setattr(inference, "BLOCK", 70)
    for a, b in zip(model.encode(bits, labels), whole):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.decode(labels, whole[0]), means, atol=1e-5)


def test_importance_sampling_tightens_the_bound_as_particles_grow(model, images):
    bits, labels = images[0][:200], images[1][:200]
    estimates = [model.log_likelihood(bits, labels, k).mean() for k in (1, 10, 100)]
    assert estimates[0] < estimates[1] < estimates[2]


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
