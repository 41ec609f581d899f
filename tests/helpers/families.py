"""The families of `cvae.zs.distributions` with random parameters and their densities.

The densities are SciPy's or NumPy's; shapes come static, partly known and unknown.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
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
