"""Probabilities and shapes of every family in `cvae.zs.distributions`.

The oracle is SciPy or NumPy; shapes come static, partly known and unknown.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cvae.zs.distributions import (
    Bernoulli,
    Categorical,
    Normal,
    OnehotCategorical,
    Uniform,
)

DISCRETE = [Bernoulli, Categorical, OnehotCategorical]
NUMBERS = [tf.int16, tf.int32, tf.int64, tf.float16, tf.float32, tf.float64]
CATEGORIES = 4
few_examples = settings(max_examples=30, deadline=None, derandomize=True)

pytestmark = pytest.mark.usefixtures("graph")


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


class Family:
    """One distribution with random parameters, and its density by SciPy or NumPy."""

    def __init__(self, make, n_params, log_prob, value_ndims=0, param_ndims=0):
        self.make = make
        self.n_params = n_params
        self.log_prob = log_prob
        self.value_ndims = value_ndims  # of one value
        self.param_ndims = param_ndims  # of the parameters of one value

    def params(self, batch_shape, rng):
        shape = tuple(batch_shape) + (CATEGORIES,) * self.param_ndims
        first = rng.normal(size=shape)
        second = first + rng.uniform(0.5, 2.0, size=shape)
        if self.make is make_normal_logstd:
            second = rng.normal(size=shape)
        elif self.make is make_normal_std:
            second = rng.uniform(0.5, 2.0, size=shape)
        return [first, second][: self.n_params]

    def values(self, shape, rng):
        if self.make is Bernoulli:
            return rng.randint(2, size=shape)
        if self.make is Categorical:
            return rng.randint(CATEGORIES, size=shape)
        if self.make is OnehotCategorical:
            return np.eye(CATEGORIES, dtype=int)[rng.randint(CATEGORIES, size=shape)]
        return rng.normal(size=shape)


def make_normal_std(mean, std, **settings):
    return Normal(mean, std=std, **settings)


def make_normal_logstd(mean, logstd, **settings):
    return Normal(mean, logstd=logstd, **settings)


def make_uniform(minval, maxval, **settings):
    return Uniform(minval, maxval, **settings)


def scipy_uniform(x, minval, maxval):
    with np.errstate(divide="ignore"):
        return stats.uniform.logpdf(x, minval, maxval - minval)


def numpy_onehot(x, logits):
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return np.log((p * x).sum(-1))


FAMILIES = {
    "normal_std": Family(make_normal_std, 2, stats.norm.logpdf),
    "normal_logstd": Family(
        make_normal_logstd, 2, lambda x, m, s: stats.norm.logpdf(x, m, np.exp(s))
    ),
    "bernoulli": Family(
        Bernoulli, 1, lambda x, a: stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-a)))
    ),
    "categorical": Family(
        Categorical,
        1,
        lambda x, a: numpy_onehot(np.eye(CATEGORIES)[x], a),
        param_ndims=1,
    ),
    "onehot": Family(OnehotCategorical, 1, numpy_onehot, 1, 1),
    "uniform": Family(make_uniform, 2, scipy_uniform),
}
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
continuous = pytest.mark.parametrize(
    "family",
    [FAMILIES[name] for name in ("normal_std", "normal_logstd", "uniform")],
    ids=["normal_std", "normal_logstd", "uniform"],
)


def feedable(array, static, dtype=None):
    """A placeholder of static shape `static`, and its feed."""
    array = np.asarray(array)
    tensor = tf.placeholder(dtype or array.dtype, static)
    return tensor, {tensor: array}


def erased(shape, how):
    """`shape` as a static shape: whole, its first dimension unknown, or all unknown."""
    if how == "static" or (how == "partial" and not shape):
        return list(shape)
    return [None] + list(shape[1:]) if how == "partial" else None


def built(family, params, how="static", **settings):
    """The distribution with fed parameters, and the feed."""
    feed, tensors = {}, []
    for param in params:
        tensor, one = feedable(param, erased(param.shape, how))
        feed.update(one)
        tensors.append(tensor)
    return family.make(*tensors, **settings), feed


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


@st.composite
def broadcast_pairs(draw):
    """Two shapes that broadcast, and how many last axes of the result to group."""
    full = draw(st.lists(st.integers(1, 3), min_size=0, max_size=4))

    def worn():
        ones = draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
        start = draw(st.integers(0, len(full)))
        return [1 if one else n for n, one in zip(full, ones)][start:]

    a, b = worn(), worn()
    ndims = len(np.broadcast(np.empty(a), np.empty(b)).shape)
    return a, b, draw(st.integers(0, ndims))


@pytest.mark.parametrize("name", list(FAMILIES))
@given(
    shapes=broadcast_pairs(),
    how=st.sampled_from(["static", "partial", "unknown"]),
    fed_group=st.booleans(),
)
@few_examples
def test_log_prob_broadcasts_and_groups_like_numpy(name, shapes, how, fed_group):
    family = FAMILIES[name]
    batch_shape, given_shape, group = shapes
    rng = np.random.RandomState(0)
    params = family.params(batch_shape, rng)
    x = family.values(given_shape, rng)
    expected = family.log_prob(x, *params)
    expected = expected.sum(axis=tuple(range(-group, 0)))
    with tf.Graph().as_default():
        group_ndims, feed = feedable(np.int32(group), []) if fed_group else (group, {})
        dist, more = built(family, params, how, group_ndims=group_ndims)
        fed_x, one = feedable(x, erased(x.shape, how), dist.dtype)
        feed.update(more)
        feed.update(one)
        log_p, p = dist.log_prob(fed_x), dist.prob(fed_x)
        if how == "static" and not fed_group:
            assert log_p.shape.as_list() == p.shape.as_list() == list(expected.shape)
        log_p, p = run([log_p, p], feed)
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
