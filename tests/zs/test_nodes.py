"""`StochasticTensor`: a named random variable that TensorFlow takes as a tensor."""

import operator

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from scipy import stats

from cvae.zs.distributions import Bernoulli, Categorical, Normal, OnehotCategorical
from cvae.zs.framework import (
    BayesianNet,
    StochasticTensor,
)

pytestmark = pytest.mark.usefixtures("graph")


def node(value, dtype=tf.float32):
    """A stochastic tensor observed to be `value`."""
    value = np.array(value, dtype.as_numpy_dtype)
    if dtype.is_floating:
        dist = Normal(tf.zeros(value.shape, dtype), std=tf.ones([], dtype))
    else:
        dist = Bernoulli(tf.zeros(value.shape), dtype=dtype)
    return StochasticTensor(BayesianNet(), "a", dist, observation=value)


def test_a_stochastic_tensor_tells_what_it_is():
    bn = BayesianNet()
    dist = Normal(tf.zeros([2, 3]), std=1.0)
    a = StochasticTensor(bn, "a", dist, n_samples=4)
    assert a.bn is bn
    assert a.name == "a"
    assert a.dist is dist
    assert a.dtype == tf.float32
    assert a.shape.as_list() == a.get_shape().as_list() == [4, 2, 3]
    assert not a.is_observed()


def test_the_sample_is_drawn_once_and_kept():
    calls = []

    class Watched(Normal):
        def _sample(self, n_samples):
            calls.append(n_samples)
            return super()._sample(n_samples)

    a = StochasticTensor(BayesianNet(), "a", Watched(0.0, std=1.0), n_samples=3)
    assert not calls
    assert a.tensor is a.tensor
    assert calls == [3]
    first, second = run([a.tensor, a])
    assert first.tolist() == second.tolist()


def test_its_distribution_can_be_asked_through_it():
    bn = BayesianNet()
    a = bn.normal("a", 1.0, std=2.0)
    assert a.distribution is a.dist
    assert a.net is bn
    assert a.sample(3).shape.as_list() == [3]
    log_p, p = run([a.log_prob(2.0), a.prob(2.0)])
    assert log_p == pytest.approx(stats.norm.logpdf(2, 1, 2), rel=1e-6)
    assert p == pytest.approx(stats.norm.pdf(2, 1, 2), rel=1e-6)


def test_an_observation_is_the_tensor_and_nothing_is_drawn():
    observation = tf.constant([1.0, 2.0])
    dist = Normal(tf.zeros([2]), std=1.0)
    a = StochasticTensor(BayesianNet(), "a", dist, observation=observation)
    assert a.is_observed()
    assert a.tensor is observation


def test_cond_log_p_is_the_log_prob_of_the_value_and_is_kept():
    a = node([0.5, -1.0])
    assert a.cond_log_p is a.cond_log_p
    np.testing.assert_allclose(run(a.cond_log_p), stats.norm.logpdf([0.5, -1]), 1e-6)
    drawn = StochasticTensor(BayesianNet(), "b", Normal(1.0, std=2.0))
    value, log_p = run([drawn, drawn.cond_log_p])
    assert log_p == pytest.approx(stats.norm.logpdf(value, 1, 2), rel=1e-5)


UNARY = [operator.neg, abs]
BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.mark.parametrize("op", UNARY)
def test_unary_operators_are_those_of_numpy(op):
    x = np.float32([1.5, -2.0])
    np.testing.assert_allclose(run(op(node(x))), op(x))


@pytest.mark.parametrize("op", BINARY)
def test_binary_operators_are_those_of_numpy_on_either_side(op):
    x, y = np.float32([1.5, 2.0, 3.0]), np.float32([2.0, 2.0, 0.5])
    a, b = node(x), node(y)
    for pair in [(a, b), (a, y), (x, b), (a, tf.constant(y)), (tf.constant(x), b)]:
        np.testing.assert_allclose(run(op(*pair)), op(x, y), rtol=1e-6)
    np.testing.assert_allclose(run(op(a, 2.0)), op(x, 2), rtol=1e-6)
    np.testing.assert_allclose(run(op(2.0, b)), op(2, y), rtol=1e-6)


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_logical_operators_are_those_of_numpy(op):
    x, y = np.array([True, True, False]), np.array([True, False, False])

    class Coin(Bernoulli):
        dtype = tf.bool

    coin = Coin(tf.zeros([3]))
    a = StochasticTensor(BayesianNet(), "a", coin, observation=x)
    b = StochasticTensor(BayesianNet(), "b", coin, observation=y)
    for pair in [(a, b), (a, y), (x, b)]:
        assert run(op(*pair)).tolist() == op(x, y).tolist()
    assert run(~a).tolist() == [False, False, True]


def test_matrices_multiply():
    x = np.float32([[1, 2], [3, 4]])
    a = node(x)
    for product in (a @ x, a @ a, tf.constant(x) @ a, tf.matmul(a, a)):
        np.testing.assert_allclose(run(product), x @ x)


def test_indexing_is_that_of_a_tensor():
    x = np.arange(24, dtype="f4").reshape(2, 3, 4)
    a = node(x)
    cases = [a[1], a[:, 1:], a[..., -1], a[:, tf.newaxis, ::2]]
    expected = [x[1], x[:, 1:], x[..., -1], x[:, np.newaxis, ::2]]
    for got, want in zip(run(cases), expected):
        np.testing.assert_array_equal(got, want)


def test_it_is_not_iterable_and_has_no_truth_value():
    with pytest.raises(TypeError, match="StochasticTensor object is not iterable"):
        iter(node([1.0]))
    message = "Using a `StochasticTensor` object as a Python `bool` is not allowed"
    with pytest.raises(TypeError, match=message):
        bool(node([1.0]))


def test_it_hashes_and_compares_by_identity():
    value = tf.constant([1.0])
    dist = Normal([0.0], std=1.0)
    a, b = (StochasticTensor(BayesianNet(), "a", dist, value) for _ in range(2))
    assert a.tensor is b.tensor
    assert a == a
    assert a != b
    assert len({a, b, a}) == 2
    assert {a: "a", b: "b"}[b] == "b"


def test_it_converts_wherever_tensorflow_takes_a_tensor():
    a = node([1.0, 4.0])
    assert tf.convert_to_tensor(a) is a.tensor
    assert run(tf.sqrt(a)).tolist() == [1.0, 2.0]
    assert run(tf.stack([a, a])).tolist() == [[1.0, 4.0], [1.0, 4.0]]
    gradient = tf.gradients(tf.reduce_sum(a * a), a.tensor)[0]
    assert run(gradient).tolist() == [2.0, 8.0]


def test_conversion_to_another_dtype_or_a_reference_is_an_error():
    a = node([1.0])
    assert tf.convert_to_tensor(a, dtype=tf.float32) is a.tensor
    with pytest.raises(ValueError, match="Incompatible type conversion"):
        tf.convert_to_tensor(a, dtype=tf.int32)
    with pytest.raises(ValueError, match="Ref type not supported"):
        StochasticTensor._to_tensor(a, as_ref=True)


def test_session_run_fetches_it_alone_and_in_structures():
    a = node([1.0, 2.0])
    assert run(a).tolist() == [1.0, 2.0]
    fetched = run({"node": a, "list": [a, a.tensor]})
    assert fetched["node"].tolist() == [1.0, 2.0]
    assert [value.tolist() for value in fetched["list"]] == [[1.0, 2.0]] * 2


def test_session_run_feeds_it():
    drawn = StochasticTensor(BayesianNet(), "a", Normal(tf.zeros([2]), std=1.0))
    assert run(drawn + 1, {drawn: [1.0, 2.0]}).tolist() == [2.0, 3.0]
    assert run([drawn * 2, drawn], {drawn: [1.0, 2.0]})[0].tolist() == [2.0, 4.0]


def test_partial_run_takes_it():
    drawn = StochasticTensor(BayesianNet(), "a", Normal(tf.zeros([2]), std=1.0))
    double = drawn * 2
    with tf.Session() as session:
        handle = session.partial_run_setup([double], [drawn])
        value = session.partial_run(handle, double, {drawn: [1.0, 2.0]})
    assert value.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    "observation",
    [
        lambda: tf.constant([1, 2]),
        lambda: tf.constant([1.0, 2.0], tf.float64),
        lambda: tf.constant(["x", "y"]),
    ],
)
def test_an_observation_of_the_wrong_dtype_is_an_error(observation):
    dist = Normal(tf.zeros([2]), std=1.0)
    message = r"Incompatible types of StochasticTensor\('a'\) and its observation"
    with pytest.raises(ValueError, match=message):
        StochasticTensor(BayesianNet(), "a", dist, observation=observation())


@pytest.mark.parametrize(
    "dist, good, bad",
    [
        (lambda: Normal(tf.zeros([2, 3]), std=1.0), [[3], [2, 1], [5, 2, 3]], [[2]]),
        (lambda: Categorical(tf.zeros([2, 3])), [[2], [4, 2], []], [[3], [2, 3]]),
        (lambda: OnehotCategorical(tf.zeros([2, 3])), [[3], [2, 3]], [[2], [3, 2]]),
    ],
)
def test_an_observation_broadcasts_with_batch_shape_and_value_shape(dist, good, bad):
    dist = dist()
    for shape in good:
        value = tf.zeros(shape, dist.dtype)
        a = StochasticTensor(BayesianNet(), "a", dist, observation=value)
        assert a.tensor is value
    message = r"Incompatible shapes of StochasticTensor\('a'\)"
    for shape in bad:
        with pytest.raises(ValueError, match=message):
            value = tf.zeros(shape, dist.dtype)
            StochasticTensor(BayesianNet(), "a", dist, observation=value)


def test_an_observation_of_unknown_shape_is_taken():
    value = tf.placeholder(tf.float32, None)
    for mean in (tf.zeros([2, 3]), tf.placeholder(tf.float32, None)):
        dist = Normal(mean, std=1.0)
        a = StochasticTensor(BayesianNet(), "a", dist, observation=value)
        assert a.tensor is value
