"""Samples follow their distribution, and gradients flow where they should."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import (
    CATEGORIES,
    DISCRETE,
    built,
    continuous,
    families,
    make_normal_logstd,
    make_normal_std,
    make_uniform,
    run,
)
from scipy import stats

from cvae.zs.distributions import (
    Bernoulli,
    Categorical,
    Normal,
    OnehotCategorical,
    Uniform,
)

pytestmark = pytest.mark.usefixtures("graph")


# Random draws


@continuous
def test_continuous_samples_follow_their_distribution(family):
    params = family.params([3], np.random.RandomState(1))
    dist, feed = built(family, params)
    samples = run(dist.sample(20000), feed)
    for i in range(3):
        a, b = (float(param[i]) for param in params)
        law = {
            make_normal_std: stats.norm(a, b),
            make_normal_logstd: stats.norm(a, np.exp(b)),
            make_uniform: stats.uniform(a, b - a),
        }[family.make]
        assert stats.kstest(samples[:, i], law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("make", DISCRETE)
def test_discrete_samples_follow_their_distribution(make):
    n = 20000
    logits = np.log([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    samples = run(make(logits).sample(n))
    if make is Bernoulli:
        counts, p = samples.sum(0), 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(counts / n, p, atol=5 * 0.5 / np.sqrt(n))
        return
    if make is Categorical:
        samples = np.eye(3, dtype=int)[samples]
    assert (samples.sum(-1) == 1).all()
    for row in range(2):
        counts = samples[:, row].sum(0)
        expected = n * np.exp(logits[row])
        assert stats.chisquare(counts, expected).pvalue > 1e-3


@families
def test_samples_are_drawn_independently_along_the_sample_axis(family):
    params = [np.zeros([1000] + [CATEGORIES] * family.param_ndims, "f4")]
    params = (params + [np.ones_like(params[0])])[: family.n_params]
    dist, feed = built(family, params)
    first, second = run(dist.sample(2), feed)
    agree = np.mean([np.array_equal(a, b) for a, b in zip(first, second)])
    chance = {Bernoulli: 1 / 2, Categorical: 1 / 4, OnehotCategorical: 1 / 4}
    assert agree == pytest.approx(chance.get(family.make, 0), abs=0.08)


# Gradients


@families
def test_log_prob_gradients_agree_with_finite_differences(family):
    rng = np.random.RandomState(3)
    params = family.params([2, 3], rng)
    x = family.values([2, 3], rng)
    if family.make is make_uniform:
        x = (params[0] + params[1]) / 2
    dist, feed = built(family, params, group_ndims=1)
    tensors = list(feed)
    total = tf.reduce_sum(dist.log_prob(x))
    with tf.Session() as session:
        analytic = session.run(tf.gradients(total, tensors), feed)
        for tensor, gradient in zip(tensors, analytic):
            numeric = np.zeros(feed[tensor].shape)
            for index in np.ndindex(*numeric.shape):
                values = []
                for step in (1e-6, -1e-6):
                    moved = feed[tensor].copy()
                    moved[index] += step
                    values.append(session.run(total, {**feed, tensor: moved}))
                numeric[index] = (values[0] - values[1]) / 2e-6
            np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_normal_log_prob_gradient_in_given_is_minus_the_score():
    x = tf.constant([0.5, -2.0], tf.float64)
    dist = Normal(np.float64(1.0), std=np.float64(2.0))
    gradient = tf.gradients(dist.log_prob(x), x)[0]
    np.testing.assert_allclose(run(gradient), [0.5 / 4, 3.0 / 4])


@pytest.mark.parametrize("make", [make_normal_std, make_normal_logstd])
def test_normal_samples_carry_the_pathwise_gradient(make):
    mean, scale = tf.constant([1.0, -2.0]), tf.constant([0.5, 1.5])
    samples = make(mean, scale).sample(3)
    by_mean, by_scale = tf.gradients(samples, [mean, scale])
    drawn, by_mean, by_scale = run([samples, by_mean, by_scale])
    assert by_mean.tolist() == [3, 3]
    noise = drawn - np.array([1.0, -2.0])
    if make is make_normal_std:
        noise = noise / np.array([0.5, 1.5])
    np.testing.assert_allclose(by_scale, noise.sum(0), rtol=1e-4)


def test_uniform_samples_carry_the_pathwise_gradient():
    minval, maxval = tf.constant(1.0), tf.constant(3.0)
    sample = Uniform(minval, maxval).sample()
    drawn, by_min, by_max = run([sample] + tf.gradients(sample, [minval, maxval]))
    assert by_max == pytest.approx((drawn - 1) / 2)
    assert by_min == pytest.approx(1 - (drawn - 1) / 2)


@continuous
def test_no_gradient_flows_through_samples_unless_reparameterized(family):
    a, b = tf.constant([0.0]), tf.constant([1.0])
    dist = family.make(a, b, is_reparameterized=False)
    assert not dist.is_reparameterized
    for n_samples in (None, 2):
        assert tf.gradients(dist.sample(n_samples), [a, b]) == [None, None]
    assert None not in tf.gradients(dist.log_prob([0.5]), [a, b])


@pytest.mark.parametrize("make", [make_normal_std, make_normal_logstd])
def test_path_derivative_stops_gradients_at_the_parameters_in_log_prob_only(make):
    mean, scale = tf.constant([0.3]), tf.constant([0.7])
    dist = make(mean, scale, use_path_derivative=True)
    plain = make(mean, scale)
    assert dist.use_path_derivative
    assert tf.gradients(dist.log_prob([1.0]), [mean, scale]) == [None, None]
    assert tf.gradients(dist.prob([1.0]), [mean, scale]) == [None, None]
    sample = dist.sample()
    through_sample = tf.gradients(dist.log_prob(sample), mean)[0]
    score = tf.gradients(plain.log_prob(tf.stop_gradient(sample)), mean)[0]
    path, explicit, by_hand = run([through_sample, score, -score])
    np.testing.assert_allclose(path, by_hand, rtol=1e-6)
    assert explicit != 0
    values = run([dist.log_prob([1.0]), plain.log_prob([1.0])])
    assert values[0] == values[1]
