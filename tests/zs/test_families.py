"""Probabilities and shapes of every family in `cvae.zs.distributions`.

The oracle is SciPy or NumPy; shapes come static, partly known and unknown.
"""

import itertools
import random

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import (
    CATEGORIES,
    DISCRETE,
    Family,
    built,
    erased,
    families,
    feedable,
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

HOW = ["static", "partial", "unknown"]

pytestmark = pytest.mark.usefixtures("graph")


# Values


@families
@pytest.mark.parametrize("dtype, rtol", [("float32", 2e-5), ("float64", 1e-12)])
def test_log_prob_and_prob_agree_with_scipy(family, dtype, rtol):
    rng = np.random.RandomState(0)
    params = [p.astype(dtype) for p in family.params([50, 3], rng)]
    x = family.values([50, 3], rng)
    if family.make not in DISCRETE:
        x = x.astype(dtype)
    dist, feed = built(family, params)
    log_p, p = run([dist.log_prob(x), dist.prob(x)], feed)
    expected = family.log_prob(x, *[param.astype("float64") for param in params])
    assert log_p.dtype == p.dtype == dtype
    np.testing.assert_allclose(log_p, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(p, np.exp(expected), rtol=rtol, atol=rtol)


def test_normal_log_prob_is_exact_far_in_the_tails():
    x = np.array([-1e4, -50.0, 0.0, 50.0, 1e4], "float32")
    log_p = run(Normal(0.0, logstd=0.0).log_prob(x))
    np.testing.assert_allclose(log_p, stats.norm.logpdf(x), rtol=1e-6)


def test_normal_log_prob_is_finite_for_a_std_whose_precision_overflows():
    mean, std = 1.0, 1e-25
    log_p = run(Normal(mean, std=std).log_prob(mean))
    np.testing.assert_allclose(log_p, stats.norm.logpdf(0.0, 0, std), rtol=1e-6)


def test_bernoulli_log_prob_is_exact_for_extreme_logits():
    logits = np.array([-1e4, -100, -30, 0, 30, 100, 1e4], "float32")
    exact = logits.astype("float64")
    log_ps = run([Bernoulli(logits).log_prob(1), Bernoulli(logits).log_prob(0)])
    np.testing.assert_allclose(log_ps[0], -np.logaddexp(0, -exact), 1e-6, 1e-40)
    np.testing.assert_allclose(log_ps[1], -np.logaddexp(0, exact), 1e-6, 1e-40)


@pytest.mark.parametrize("x", [0, 1])
def test_bernoulli_gradient_at_logit_zero_is_x_minus_a_half(x):
    logits = tf.zeros([1])
    gradient = tf.gradients(Bernoulli(logits).log_prob([x]), logits)[0]
    np.testing.assert_allclose(run(gradient), [x - 0.5], rtol=1e-6)


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_categorical_logits_are_normalized_whatever_their_offset(shift):
    logits = np.log([0.1, 0.2, 0.7]) + shift
    onehot = np.eye(3, dtype=int)
    log_p = Categorical(logits).log_prob([0, 1, 2])
    log_p_onehot = OnehotCategorical(logits).log_prob(onehot)
    np.testing.assert_allclose(run(log_p), np.log([0.1, 0.2, 0.7]), rtol=1e-9)
    np.testing.assert_allclose(run(log_p_onehot), np.log([0.1, 0.2, 0.7]), rtol=1e-9)


def test_categories_of_probability_zero_leave_the_others_finite():
    logits = tf.constant([-np.inf, 0.0, 0.0])
    for dist, x in [(Categorical(logits), [0, 1]), (OnehotCategorical(logits), None)]:
        x = np.eye(3, dtype=int)[:2] if x is None else x
        log_p = dist.log_prob(x)
        gradient = tf.gradients(log_p[1], logits)[0]
        np.testing.assert_allclose(run(log_p), [-np.inf, np.log(0.5)], rtol=1e-6)
        np.testing.assert_allclose(run(gradient), [0.0, 0.5, -0.5], atol=1e-6)


@pytest.mark.parametrize("given", [[-1, 0], [0, 3]])
def test_the_probability_of_a_number_that_is_not_a_category_is_an_error(given):
    dist = Categorical(tf.zeros([3]))
    for tensor in (dist.log_prob(given), dist.prob(given)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="outside the valid"):
            run(tensor)


def test_uniform_density_lives_on_the_half_open_interval():
    x = np.array([-0.1, 1.0, 1.9, 3.0, 3.1])
    dist = Uniform(np.float64(1.0), np.float64(3.0))
    with np.errstate(divide="ignore"):
        expected = np.log([0, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(run(dist.log_prob(x)), expected)
    np.testing.assert_allclose(run(dist.prob(x)), np.exp(expected))


# Shapes


@families
@pytest.mark.parametrize("how", ["static", "partial", "unknown"])
@pytest.mark.parametrize("n_samples", [None, 0, 1, 3, "constant", "fed", "ranked"])
def test_samples_have_their_shape_statically_as_far_as_known(family, how, n_samples):
    rng = np.random.RandomState(0)
    dist, feed = built(family, family.params([2, 3], rng), how)
    static_n = n_samples
    if n_samples == "constant":
        n_samples, static_n = tf.constant(5), 5
    elif n_samples in ("fed", "ranked"):
        static = None if n_samples == "fed" else []
        n_samples, one = feedable(np.int32(4), static)
        feed.update(one)
        static_n = None
    value = [CATEGORIES] * family.value_ndims
    samples = dist.sample(n_samples)
    if how == "unknown":
        assert samples.shape.ndims is None
    else:
        batch = erased([2, 3], how)
        leading = [] if n_samples is None else [static_n]
        assert samples.shape.as_list() == leading + batch + value
    drawn = run(samples, feed)
    leading = [] if n_samples is None else [4 if static_n is None else static_n]
    assert list(drawn.shape) == leading + [2, 3] + value


@families
@pytest.mark.parametrize("how", ["static", "partial", "unknown"])
def test_batch_and_value_shapes_are_int32_vectors_and_static_shapes(family, how):
    rng = np.random.RandomState(0)
    dist, feed = built(family, family.params([2, 3], rng), how)
    value = [CATEGORIES] * family.value_ndims
    assert dist.batch_shape.dtype == dist.value_shape.dtype == tf.int32
    batch_shape, value_shape = run([dist.batch_shape, dist.value_shape], feed)
    assert batch_shape.tolist() == [2, 3]
    assert value_shape.tolist() == value
    if how == "unknown":
        assert dist.get_batch_shape().ndims is None
        assert dist.get_value_shape().as_list() == [None] * family.value_ndims
    else:
        assert dist.get_batch_shape().as_list() == erased([2, 3], how)
        assert dist.get_value_shape().as_list() == value


@pytest.mark.parametrize(
    "make",
    [make_normal_std, make_normal_logstd, make_uniform],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("how", ["static", "partial", "unknown"])
def test_two_parameters_broadcast_to_the_batch_shape(make, how):
    family = Family(make, 2, None)
    params = [np.zeros([2, 1, 4], "f4"), np.ones([3, 1], "f4")]
    dist, feed = built(family, params, how)
    assert run(dist.batch_shape, feed).tolist() == [2, 3, 4]
    assert run(dist.sample(5), feed).shape == (5, 2, 3, 4)
    assert run(dist.log_prob(0.5), feed).shape == (2, 3, 4)


def broadcast_pair(chance):
    """Two shapes that broadcast, and how many last axes of the result to group."""
    full = [chance.randint(1, 3) for _ in range(chance.randint(0, 4))]

    def worn():
        start = chance.randint(0, len(full))
        return [chance.choice((1, n)) for n in full][start:]

    a, b = worn(), worn()
    ndims = len(np.broadcast(np.empty(a), np.empty(b)).shape)
    return a, b, chance.randint(0, ndims)


@families
def test_log_prob_broadcasts_and_groups_like_numpy(family):
    """In two random cases of each kind, in one session."""
    chance, cases, feed = random.Random(0), [], {}
    for how, fed_group in itertools.product(HOW * 2, (False, True)):
        batch_shape, given_shape, group = broadcast_pair(chance)
        rng = np.random.RandomState(0)
        params = family.params(batch_shape, rng)
        x = family.values(given_shape, rng)
        expected = family.log_prob(x, *params).sum(axis=tuple(range(-group, 0)))
        fed, one = feedable(np.int32(group), []) if fed_group else (group, {})
        dist, more = built(family, params, how, group_ndims=fed)
        fed_x, another = feedable(x, erased(x.shape, how), dist.dtype)
        for part in (one, more, another):
            feed.update(part)
        log_p, p = dist.log_prob(fed_x), dist.prob(fed_x)
        if how == "static" and not fed_group:
            assert log_p.shape.as_list() == p.shape.as_list() == list(expected.shape)
        cases.append((log_p, p, expected))
    values = run([case[:2] for case in cases], feed)
    for (log_p, p), (_, _, expected) in zip(values, cases):
        assert log_p.shape == p.shape == expected.shape
        np.testing.assert_allclose(log_p, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(p, np.exp(expected), rtol=1e-9, atol=1e-12)


@families
def test_a_given_that_cannot_broadcast_is_an_error_as_soon_as_it_shows(family):
    params = family.params([2, 3], np.random.RandomState(0))
    x = family.values([3, 2], np.random.RandomState(0))
    dist, _ = built(family, params)
    for method in (dist.log_prob, dist.prob):
        with pytest.raises(ValueError, match=r"broadcast to match batch_shape \+ val"):
            method(x)
    dist, feed = built(family, params, "unknown")
    fed_x, one = feedable(x, None, dist.dtype)
    feed.update(one)
    for tensor in (dist.log_prob(fed_x), dist.prob(fed_x)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            run(tensor, feed)
