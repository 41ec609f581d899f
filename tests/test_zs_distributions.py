"""`cvae.zs.distributions` against SciPy, NumPy and finite differences."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cvae.zs.distributions import (
    Bernoulli,
    Categorical,
    Discrete,
    Distribution,
    Normal,
    OnehotCategorical,
    OnehotDiscrete,
    Uniform,
)

DISCRETE = [Bernoulli, Categorical, OnehotCategorical]
NUMBERS = [tf.int16, tf.int32, tf.int64, tf.float16, tf.float32, tf.float64]
CATEGORIES = 4
few_examples = settings(max_examples=30, deadline=None, derandomize=True)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        yield


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


def test_a_number_that_is_no_category_has_probability_zero():
    dist = Categorical(tf.zeros([3]))
    assert run(dist.log_prob([-1, 3])).tolist() == [-np.inf, -np.inf]
    assert run(dist.prob([-1, 3])).tolist() == [0, 0]


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


# Arguments that are refused


@families
def test_group_ndims_is_a_non_negative_scalar(family):
    params = family.params([2, 3], np.random.RandomState(0))
    x = family.values([2, 3], np.random.RandomState(0))
    with pytest.raises(ValueError, match="must be non-negative"):
        built(family, params, group_ndims=-1)
    refusals = [(-1, "must be non-negative"), ([1], "should be a scalar")]
    for value, message in refusals:
        fed = feedable(np.int32(value), None)
        for group_ndims, feed in [fed, (tf.constant(value), {})]:
            dist, more = built(family, params, group_ndims=group_ndims)
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                run(dist.log_prob(x), {**feed, **more})


def test_group_ndims_is_kept_as_an_int_or_an_int32_tensor():
    assert Normal(std=1.0).group_ndims == 0
    assert Normal(std=1.0, group_ndims=np.int64(2)).group_ndims == 2
    tensor = Normal(std=1.0, group_ndims=tf.constant(3)).group_ndims
    assert tensor.dtype == tf.int32
    assert run(tensor) == 3


@families
def test_n_samples_is_a_scalar(family):
    dist, feed = built(family, family.params([2], np.random.RandomState(0)))
    fed, one = feedable(np.int32([2]), None)
    for n_samples in (fed, tf.constant([2]), tf.constant([2, 3])):
        samples = dist.sample(n_samples)
        with pytest.raises(tf.errors.InvalidArgumentError, match="should be a scalar"):
            run(samples, {**feed, **one})


@continuous
def test_parameters_have_one_float_dtype_that_samples_share(family):
    make = family.make
    for dtype in (tf.float16, tf.float32, tf.float64):
        dist = make(tf.zeros([2], dtype), tf.ones([2], dtype))
        assert dist.dtype == dist.param_dtype == dist.sample().dtype == dtype
        assert dist.log_prob(dist.sample(3)).dtype == dtype
        assert np.isfinite(run(dist.log_prob(tf.zeros([2], dtype)))).all()
    with pytest.raises(TypeError, match="must have the same dtype as"):
        make(tf.zeros([2], tf.float32), tf.ones([2], tf.float64))
    with pytest.raises(TypeError, match="must have a dtype in"):
        make(tf.zeros([2], tf.int32), tf.ones([2], tf.int32))
    with pytest.raises(TypeError, match="must have the same dtype as"):
        make(tf.zeros([2]), tf.ones([2], tf.int32))
    with pytest.raises(TypeError, match="must have a dtype in"):
        make(tf.zeros([2]), tf.ones([2], tf.int32))


@pytest.mark.parametrize("make", DISCRETE)
@pytest.mark.parametrize("param_dtype", [tf.float16, tf.float32, tf.float64])
def test_discrete_samples_have_any_number_dtype_and_log_probs_the_params(
    make, param_dtype
):
    for dtype in NUMBERS:
        dist = make(tf.zeros([2, 3], param_dtype), dtype=dtype)
        samples = dist.sample(4)
        log_p, p = dist.log_prob(samples), dist.prob(samples)
        assert dist.dtype == samples.dtype == dtype
        assert dist.param_dtype == log_p.dtype == p.dtype == param_dtype
        values = run([samples, log_p, p])
        expected = 1 / 2 if make is Bernoulli else 1 / 3
        np.testing.assert_allclose(values[1], np.log(expected), rtol=2e-3)
        np.testing.assert_allclose(values[2], expected, rtol=2e-3)


@pytest.mark.parametrize("make", DISCRETE)
def test_discrete_dtypes_are_numbers_and_logits_are_floats(make):
    assert make(tf.zeros([3])).dtype == tf.int32
    for dtype in (tf.bool, tf.uint8, tf.string):
        with pytest.raises(TypeError, match="must have a dtype in"):
            make(tf.zeros([3]), dtype=dtype)
    with pytest.raises(TypeError, match="must have a dtype in"):
        make(tf.zeros([3], tf.int32))


@pytest.mark.parametrize("make", [Categorical, OnehotCategorical])
def test_logits_of_categories_have_at_least_one_axis(make):
    with pytest.raises(ValueError, match="should have rank"):
        make(tf.zeros([]))
    logits, feed = feedable(np.float32(1.0), None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="should have rank"):
        run(make(logits).n_categories, feed)


@pytest.mark.parametrize("make", [Categorical, OnehotCategorical])
def test_n_categories_is_an_int_where_it_is_static(make):
    assert make(tf.placeholder(tf.float32, [None, 7])).n_categories == 7
    for static in (None, [None, None]):
        logits, feed = feedable(np.zeros([2, 7], "f4"), static)
        assert run(make(logits).n_categories, feed) == 7


def test_normal_takes_exactly_one_of_std_and_logstd_by_name():
    with pytest.raises(ValueError, match="Either.*should be passed"):
        Normal(0.0)
    with pytest.raises(ValueError, match="Either.*should be passed"):
        Normal(0.0, std=1.0, logstd=0.0)
    with pytest.raises(ValueError, match="named arguments"):
        Normal(0.0, 1.0)


@continuous
def test_parameters_that_cannot_broadcast_are_an_error(family):
    with pytest.raises(ValueError, match="should be broadcastable to match"):
        family.make(tf.zeros([2, 1]), tf.ones([2, 4, 3]))
    params = [np.zeros([2, 3], "f4"), np.ones([2, 2], "f4")]
    dist, feed = built(family, params, "unknown")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        run(dist.sample(), feed)


def test_check_numerics_names_the_quantity_that_is_not_finite():
    def fails(name, tensor):
        with pytest.raises(tf.errors.InvalidArgumentError, match=name + ".*Inf"):
            run(tensor)

    mean = tf.ones([1, 2])
    no_std = Normal(mean, std=tf.zeros([1, 2]), check_numerics=True)
    fails(r"log\(std\)", no_std.log_prob(0.0))
    huge = Normal(mean, logstd=tf.fill([1, 2], 1e3), check_numerics=True)
    fails(r"exp\(logstd\)", huge.sample())
    tiny = Normal(mean, logstd=tf.fill([1, 2], -1e3), check_numerics=True)
    fails("precision", tiny.log_prob(0.0))
    unchecked = Normal(mean, std=tf.zeros([1, 2]))
    assert not np.isfinite(run(unchecked.log_prob(0.0))).any()
    empty = Uniform(0.0, tf.zeros([2]), check_numerics=True)
    fails("p", empty.log_prob(0.0))
    fails("p", empty.prob(0.0))
    fails("log_p", Uniform(check_numerics=True).log_prob(2.0))
    fine = Normal(mean, std=2.0, check_numerics=True)
    assert run(fine.log_prob(1.0)) == pytest.approx(stats.norm.logpdf(0, 0, 2))


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


# What a distribution says of itself


def test_properties_name_the_parameters():
    by_std = Normal(tf.constant([1.0]), std=tf.constant([2.0]))
    by_logstd = Normal(tf.constant([1.0]), logstd=tf.constant([0.5]))
    values = run([by_std.mean, by_std.std, by_std.logstd])
    np.testing.assert_allclose(values, [[1.0], [2.0], [np.log(2)]], rtol=1e-6)
    values = run([by_logstd.mean, by_logstd.std, by_logstd.logstd])
    np.testing.assert_allclose(values, [[1.0], [np.exp(0.5)], [0.5]], rtol=1e-6)
    uniform = Uniform(tf.constant(1.0), tf.constant(2.0))
    assert run([uniform.minval, uniform.maxval]) == [1.0, 2.0]
    for make in DISCRETE:
        assert run(make(tf.constant([1.0, 3.0])).logits).tolist() == [1.0, 3.0]


def test_only_continuous_families_are_continuous_and_reparameterized():
    logits = tf.zeros([3])
    for dist in (Normal(std=1.0), Uniform()):
        assert dist.is_continuous
        assert dist.is_reparameterized
        assert not dist.use_path_derivative
    for dist in (Bernoulli(logits), Categorical(logits), OnehotCategorical(logits)):
        assert not dist.is_continuous
        assert not dist.is_reparameterized
        assert not dist.use_path_derivative


def test_aliases_are_the_classes():
    assert Discrete is Categorical
    assert OnehotDiscrete is OnehotCategorical


def test_the_base_class_leaves_everything_to_subclasses():
    dist = Distribution(tf.float32, tf.float64, True, False, True, 2)
    assert (dist.dtype, dist.param_dtype) == (tf.float32, tf.float64)
    assert (dist.is_continuous, dist.is_reparameterized) == (True, False)
    assert (dist.use_path_derivative, dist.group_ndims) == (True, 2)
    for method in (dist._sample, dist._log_prob, dist._prob):
        with pytest.raises(NotImplementedError):
            method(1)
    for method in (dist.get_batch_shape, dist.get_value_shape):
        with pytest.raises(NotImplementedError):
            method()
    for method in (dist._batch_shape, dist._value_shape):
        with pytest.raises(NotImplementedError):
            method()


class Counting(Normal):
    """A `Normal` whose samples are mean + std * (0, 1, 2, …) along the sample axis."""

    arrived = None

    def _sample(self, n_samples):
        self.arrived = n_samples
        steps = tf.reshape(tf.cast(tf.range(n_samples), tf.float32), [-1, 1, 1])
        return self.mean + self.std * steps


def test_a_subclass_draws_samples_with_a_sample_axis_and_sample_removes_it():
    mean = tf.constant([[1.0, 2.0]])
    dist = Counting(mean, std=10.0)
    assert run(dist.sample()).tolist() == [[1.0, 2.0]]
    assert dist.arrived == 1
    assert run(dist.sample(2)).tolist() == [[[1, 2]], [[11, 12]]]
    assert dist.arrived == 2
    n_samples, feed = feedable(np.int32(2), None)
    samples = dist.sample(n_samples)
    assert dist.arrived.shape.as_list() == []
    assert samples.shape.as_list() == [None, 1, 2]
    assert run(samples, feed).tolist() == [[[1, 2]], [[11, 12]]]
    stopped = Counting(mean, std=10.0, is_reparameterized=False)
    assert tf.gradients(stopped.sample(2), mean) == [None]
    assert tf.gradients(dist.sample(2), mean) != [None]


def test_sample_restores_the_static_shape_that_a_subclass_lost():
    class Forgetful(Normal):
        def _sample(self, n_samples):
            return tf.placeholder_with_default(super()._sample(n_samples), None)

    n_samples = tf.placeholder(tf.int32, [])
    for mean, static in [(tf.zeros([2, 3]), [2, 3]), (tf.zeros([]), [])]:
        dist = Forgetful(mean, std=1.0)
        assert dist.sample().shape.as_list() == static
        assert dist.sample(4).shape.as_list() == [4] + static
        assert dist.sample(tf.constant(4)).shape.as_list() == [4] + static
        assert dist.sample(n_samples).shape.as_list() == [None] + static


# The training hot path


def op_types(build):
    with tf.Graph().as_default() as graph:
        build()
        return {op.type for op in graph.get_operations()}


def test_static_shapes_cost_no_shape_arithmetic_and_no_checks():
    def build():
        x = tf.placeholder(tf.float32, [1, 256, 784])
        z = tf.placeholder(tf.float32, [1, 256, 40])
        bernoulli = Bernoulli(x, dtype=tf.float32, group_ndims=1)
        bernoulli.log_prob(x)
        bernoulli.log_prob(tf.placeholder(tf.float32, [256, 784]))
        normal = Normal(z, logstd=z, group_ndims=1)
        normal.log_prob(z)
        normal.sample(1)
        normal.sample()

    needless = {"Assert", "Shape", "BroadcastTo", "BroadcastArgs", "Log", "Cast"}
    assert not op_types(build) & needless


def test_distributions_work_in_a_while_loop_and_in_a_template():
    def nll(x):
        loc = tf.get_variable("loc", [3], initializer=tf.ones_initializer())
        return -Normal(loc, std=1.0, group_ndims=1).log_prob(x)

    template = tf.make_template("net", nll)
    x = np.zeros(3, "f4")

    def body(step, total):
        coin = Bernoulli(tf.fill([2], 100.0), dtype=tf.float32, group_ndims=1)
        return step + 1, total + template(x) + tf.reduce_sum(coin.sample(step))

    total = tf.while_loop(lambda step, _: step < 3, body, [0, 0.0])[1]
    template(x)
    assert [v.op.name for v in tf.global_variables()] == ["net/loc"]
    expected = -3 * 3 * stats.norm.logpdf(1.0) + 2 * (0 + 1 + 2)
    assert run(total) == pytest.approx(expected, rel=1e-5)
