"""Distributions of `cvae.zs` beside the real ZhuSuan: same calls, same results."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from beside_the_real_one import (
    assert_alike,
    assert_refused,
    assert_same,
    needs_the_real_one,
    static,
)

pytestmark = needs_the_real_one


# Distributions


def normal_std(zs, a, b, **settings):
    return zs.distributions.Normal(a, std=b, **settings)


def normal_logstd(zs, a, b, **settings):
    return zs.distributions.Normal(a, logstd=b, **settings)


def uniform(zs, a, b, **settings):
    return zs.distributions.Uniform(a, b, **settings)


def bernoulli(zs, a, _=None, **settings):
    return zs.distributions.Bernoulli(a, **settings)


def categorical(zs, a, _=None, **settings):
    return zs.distributions.Categorical(a, **settings)


def onehot(zs, a, _=None, **settings):
    return zs.distributions.OnehotCategorical(a, **settings)


DISCRETE = [bernoulli, categorical, onehot]
families = pytest.mark.parametrize(
    "make", [normal_std, normal_logstd, uniform] + DISCRETE, ids=lambda f: f.__name__
)


def arrays(make, batch, given):
    """Parameters of shape `batch`, and values of shape `given`, for a family."""
    rng = np.random.RandomState(0)
    logits = [3] if make in (categorical, onehot) else []
    a = rng.normal(size=list(batch) + logits).astype("f4")
    b = np.float32(4.0) + rng.uniform(size=batch[-1:]).astype("f4")
    if make is bernoulli:
        return a, b, rng.randint(2, size=given)
    if make in (categorical, onehot):
        x = rng.randint(3, size=given)
        return a, b, np.eye(3, dtype=int)[x] if make is onehot else x
    return a, b, rng.normal(size=given).astype("f4")


@families
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "batch, given, group_ndims",
    [
        ([], [], 0),
        ([2, 3], [2, 3], 1),
        ([2, 1], [4, 1, 3], 2),
    ],
)
def test_log_probabilities_and_shapes(make, batch, given, group_ndims, known):
    a, b, x = arrays(make, batch, given)

    def calls(zs):
        def tensor(value, dtype=None):
            value = tf.constant(value, dtype)
            return value if known else tf.placeholder_with_default(value, None)

        dist = make(zs, tensor(a), tensor(b), group_ndims=group_ndims)
        x_tensor = tensor(x, dist.dtype)
        log_p, p = dist.log_prob(x_tensor), dist.prob(x_tensor)
        static = [dist.get_batch_shape().ndims, dist.get_value_shape().ndims]
        return [log_p, p, dist.batch_shape, dist.value_shape] + static

    assert_same(calls)


@families
@pytest.mark.parametrize("batch", [[2, 3], [None, 3], None])
def test_shapes_and_dtypes_of_samples(make, batch):
    a, b, _ = arrays(make, [2, 3], [])

    def calls(zs):
        known = batch if batch is None else batch + [3] * (a.ndim - 2)
        dist = make(zs, tf.placeholder_with_default(a, known), b)
        fed = tf.placeholder_with_default(4, [])
        samples = [dist.sample(n) for n in (None, 0, 4, tf.constant(4), fed)]
        seen = [(static(sample), sample.dtype) for sample in samples]
        return seen + [tf.shape(sample) for sample in samples]

    assert_same(calls)


@families
@pytest.mark.parametrize("path", [False, True])
def test_gradients_of_log_probabilities(make, path):
    a, b, x = arrays(make, [2, 3], [2, 3])
    if make is uniform:
        x = (a + b) / 2  # outside, the gradient of the real one is not a number

    def calls(zs):
        params = [tf.constant(a), tf.constant(b)]
        dist = make(zs, *params, use_path_derivative=path)
        gradients = tf.gradients(dist.log_prob(x), params)
        return gradients + [dist.use_path_derivative, dist.is_reparameterized]

    assert_same(calls)


DTYPES = ("bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64").split()


@pytest.mark.parametrize("make", DISCRETE)
def test_dtypes_of_samples_and_of_logits(make):
    for dtype in map(tf.as_dtype, DTYPES):
        assert_alike(functools.partial(dtypes, make, dtype, tf.float32))
        assert_alike(functools.partial(dtypes, make, tf.int32, dtype))


def dtypes(make, sample_dtype, logit_dtype, zs):
    dist = make(zs, tf.zeros([3], logit_dtype), dtype=sample_dtype)
    return [dist.dtype, dist.param_dtype]


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.Normal(),
        lambda d: d.Normal(0.0, 1.0),
        lambda d: d.Normal(std=1.0, logstd=0.0),
        lambda d: d.Normal(0, std=1),
        lambda d: d.Normal(tf.zeros([2]), std=tf.ones([3])),
        lambda d: d.Normal(tf.zeros([2]), std=tf.ones([2], tf.float64)),
        lambda d: d.Normal(std=1.0, group_ndims=-1),
        lambda d: d.Normal(std=1.0, group_ndims=tf.constant(-1)),
        lambda d: d.Normal(std=1.0, group_ndims=[1]),
        lambda d: d.Normal(std=1.0, group_event_ndims=1),
        lambda d: d.Uniform(group_event_ndims=0),
        lambda d: d.Uniform(tf.zeros([2]), tf.ones([3])),
        lambda d: d.Bernoulli(0.0, group_event_ndims=1),
        lambda d: d.Bernoulli(0.0, is_reparameterized=False),
        lambda d: d.Categorical(0.0),
        lambda d: d.OnehotCategorical(0.0),
        lambda d: d.Normal(tf.zeros([2]), std=1.0).log_prob(tf.zeros([3])),
        lambda d: d.Normal(tf.zeros([2]), std=1.0).log_prob(tf.constant(1)),
        lambda d: d.Normal(tf.zeros([2]), std=1.0).sample(tf.constant(1.0)),
        lambda d: d.Normal(tf.zeros([2]), std=1.0).sample([2]),
        lambda d: d.Categorical(tf.zeros([3])).log_prob([3]),
        lambda d: d.Uniform(check_numerics=True).log_prob(2.0),
        lambda d: d.Normal(std=0.0, check_numerics=True).log_prob(0.0),
        lambda d: d.Normal(logstd=-1e3, check_numerics=True).log_prob(0.0),
        lambda d: d.Normal(tf.zeros([2, 3]), std=1.0, group_ndims=3).log_prob(0.0),
        lambda d: d.Normal(unknown([2]), std=1.0).log_prob(tf.zeros([3])),
        lambda d: d.OnehotCategorical(unknown([3])).log_prob(tf.zeros([2], tf.int32)),
        lambda d: d.Bernoulli(unknown([2])).log_prob(tf.zeros([3], tf.int32)),
    ],
)
def test_what_distributions_refuse(call):
    assert_refused(lambda zs: [call(zs.distributions)])


def unknown(shape):
    """Zeros whose static shape is not known."""
    return tf.placeholder_with_default(np.zeros(shape, "f4"), None)


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.Categorical(tf.zeros([3]), dtype=tf.float32).log_prob([1.7]),
        lambda d: d.Categorical(tf.constant([-np.inf, 0.0])).log_prob([0, 1]),
        lambda d: d.OnehotCategorical(tf.zeros([3])).log_prob([1, 1, 0]),
        lambda d: d.Uniform().log_prob([-0.1, 0.0, 1.0]),
        lambda d: d.Bernoulli([-50.0, 200.0, -200.0]).prob([1, 1, 0]),
    ],
)
def test_corner_cases_of_distributions(call):
    assert_same(lambda zs: [call(zs.distributions)])
