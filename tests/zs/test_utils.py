"""`cvae.zs.utils`: log-mean-exp against SciPy, and merging dicts."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from cvae.zs.utils import log_mean_exp, merge_dicts

pytestmark = pytest.mark.usefixtures("graph")


some_floats = st.floats(-1e4, 1e4) | st.just(-np.inf)


@given(
    x=arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=1, max_dims=3, max_side=3),
        elements=some_floats,
    ),
    keepdims=st.booleans(),
    data=st.data(),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_log_mean_exp_agrees_with_scipy(x, keepdims, data):
    axes = [None, list(range(x.ndim))] + list(range(-x.ndim, x.ndim))
    axis = data.draw(st.sampled_from(axes))
    over = tuple(axis) if isinstance(axis, list) else axis
    with np.errstate(divide="ignore"):
        total = special.logsumexp(x, over, keepdims=keepdims)
    count = x.size / np.size(total)
    with tf.Graph().as_default():
        value = run(log_mean_exp(x, axis, keepdims))
    assert value.shape == np.shape(total)
    np.testing.assert_allclose(value, total - np.log(count), rtol=1e-12, atol=1e-12)


def test_log_mean_exp_survives_infinities_in_every_float_type():
    for dtype in ("float16", "float32", "float64"):
        x = np.array([[-np.inf, -np.inf], [-np.inf, 0], [np.inf, 0], [6e4, 6e4]], dtype)
        expected = [-np.inf, np.log(0.5), np.inf, 6e4]
        np.testing.assert_allclose(run(log_mean_exp(x, 1)), expected, rtol=1e-3)


def test_log_mean_exp_gradient_is_the_softmax():
    x = tf.constant([1000.0, 1001.0, -1e30])
    gradient = run(tf.gradients(log_mean_exp(x), x)[0])
    np.testing.assert_allclose(gradient, special.softmax([0.0, 1.0, -1e30]), rtol=1e-5)


def test_log_mean_exp_takes_a_tensor_of_unknown_rank():
    x = tf.placeholder(tf.float32, None)
    value = run(log_mean_exp(x, 0), {x: np.zeros([3, 2])})
    assert value.tolist() == [0, 0]


def test_merge_dicts_lets_the_later_win_and_changes_none():
    a, b = {"x": 1, "y": 1}, {"y": 2, 3: 4}
    assert merge_dicts(a, b, {}) == {"x": 1, "y": 2, 3: 4}
    assert merge_dicts() == {}
    assert (a, b) == ({"x": 1, "y": 1}, {"y": 2, 3: 4})
