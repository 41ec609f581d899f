"""`cvae.zs.framework`: nodes that behave like tensors, nets, and nets to observe."""

import operator
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from scipy import stats

import cvae
from cvae.zs.distributions import Bernoulli, Categorical, Normal, OnehotCategorical
from cvae.zs.framework import (
    BayesianNet,
    MetaBayesianNet,
    StochasticTensor,
    meta_bayesian_net,
    reuse_variables,
)
from cvae.zs.upstream import find_upstream
from cvae.zs.utils import merge_dicts


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        yield


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def node(value, dtype=tf.float32):
    """A stochastic tensor observed to be `value`."""
    value = np.array(value, dtype.as_numpy_dtype)
    if dtype.is_floating:
        dist = Normal(tf.zeros(value.shape, dtype), std=tf.ones([], dtype))
    else:
        dist = Bernoulli(tf.zeros(value.shape), dtype=dtype)
    return StochasticTensor(BayesianNet(), "a", dist, observation=value)


# StochasticTensor


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
    with pytest.raises(TypeError, match="not iterable"):
        iter(node([1.0]))
    with pytest.raises(TypeError, match="bool"):
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
        lambda: ["x", "y"],
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


# BayesianNet


def test_each_method_adds_a_node_of_its_distribution_with_its_arguments():
    bn = BayesianNet()
    logits = tf.zeros([2, 5])
    a = bn.normal("a", tf.zeros([2, 3]), logstd=0.0, group_ndims=1, n_samples=7)
    nodes = [
        a,
        bn.normal("b", 1.0, std=2.0, is_reparameterized=False),
        bn.normal("c", std=1.0, use_path_derivative=True),
        bn.bernoulli("d", logits, group_ndims=2, dtype=tf.float32),
        bn.categorical("e", logits, dtype=tf.int64),
        bn.discrete("f", logits, n_samples=3),
        bn.onehot_categorical("g", logits, dtype=tf.float32, group_ndims=1),
        bn.onehot_discrete("h", logits),
        bn.uniform("i", tf.zeros([4]), 2.0, is_reparameterized=False, n_samples=2),
        bn.stochastic("j", Normal(0.0, std=1.0), n_samples=6),
    ]
    assert [type(one.dist).__name__ for one in nodes] == (
        ["Normal"] * 3 + ["Bernoulli"] + ["Categorical"] * 2
    ) + ["OnehotCategorical"] * 2 + ["Uniform", "Normal"]
    assert [one.shape.as_list() for one in nodes] == (
        [[7, 2, 3], [], [], [2, 5], [2], [3, 2], [2, 5], [2, 5], [2, 4], [6]]
    )
    dtypes = [tf.float32] * 4 + [tf.int64, tf.int32, tf.float32, tf.int32]
    assert [one.dtype for one in nodes] == dtypes + [tf.float32] * 2
    assert [one.dist.group_ndims for one in nodes] == [1, 0, 0, 2, 0, 0, 1, 0, 0, 0]
    assert [one.dist.is_reparameterized for one in nodes] == (
        [True, False, True] + [False] * 6 + [True]
    )
    assert nodes[2].dist.use_path_derivative
    assert not a.dist.use_path_derivative
    assert [one.name for one in nodes] == list("abcdefghij")
    assert all(one.bn is bn for one in nodes)
    assert all(bn[one.name] is one for one in nodes)


def test_check_numerics_reaches_the_distribution():
    bn = BayesianNet()
    a = bn.normal("a", 0.0, std=0.0, check_numerics=True)
    b = bn.uniform("b", 1.0, 1.0, check_numerics=True)
    for one in (a, b):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(one.cond_log_p)


def test_a_normal_node_takes_its_scale_by_name():
    bn = BayesianNet()
    with pytest.raises(ValueError, match="named arguments"):
        bn.normal("a", 0.0, 1.0)
    with pytest.raises(ValueError, match="Either.*should be passed"):
        bn.normal("a", 0.0)
    assert not bn.nodes


def test_observed_nodes_take_their_observation_and_others_are_drawn():
    bn = BayesianNet({"a": [1.0, 2.0], "unheard_of": 1})
    a = bn.normal("a", tf.zeros([2]), std=1.0, n_samples=5)
    b = bn.normal("b", a, std=1.0)
    assert a.is_observed()
    assert not b.is_observed()
    assert run(a).tolist() == [1.0, 2.0]


def test_a_node_can_be_observed_to_be_a_node_of_another_net():
    z = BayesianNet().normal("z", tf.zeros([2]), std=1.0)
    observed = BayesianNet({"z": z}).normal("z", tf.zeros([2]), std=1.0)
    assert observed.tensor is z.tensor


def test_names_are_unique():
    bn = BayesianNet()
    bn.normal("a", 0.0, std=1.0)
    bn.deterministic("b", tf.zeros([]))
    for name in "ab":
        with pytest.raises(ValueError, match="Names should be unique"):
            bn.normal(name, 0.0, std=1.0)
        with pytest.raises(ValueError, match="Names should be unique"):
            bn.deterministic(name, tf.zeros([]))


def test_deterministic_names_a_tensor_and_returns_it():
    bn = BayesianNet()
    tensor = tf.constant([1.0])
    assert bn.deterministic("a", tensor) is tensor
    assert bn["a"] is bn.get("a") is tensor
    assert bn.nodes == {"a": tensor}


def test_get_returns_a_node_or_a_list_for_any_iterable_of_names():
    bn = BayesianNet()
    a = bn.normal("a", 0.0, std=1.0)
    b = bn.deterministic("b", a + 1)
    assert bn.get("a") is bn["a"] is a
    for names in (["a", "b"], ("a", "b"), {"a": 0, "b": 1}, iter("ab")):
        found = bn.get(names)
        assert isinstance(found, list)
        assert found[0] is a
        assert found[1] is b
    assert bn[["b"]] == [b]
    assert bn.get([]) == []
    assert list(bn.nodes) == ["a", "b"]


def test_looking_up_what_is_not_there_is_an_error():
    bn = BayesianNet()
    bn.normal("a", 0.0, std=1.0)
    for look_up in (bn.get, bn.__getitem__, bn.cond_log_prob):
        for unknown in ("b", ["a", "b"]):
            with pytest.raises(ValueError, match="'b'"):
                look_up(unknown)
        for strange in (1, None, ["a", 1]):
            with pytest.raises(TypeError):
                look_up(strange)
    with pytest.raises(TypeError):
        bn["b"] = tf.zeros([])


def test_the_dict_of_nodes_is_a_copy():
    bn = BayesianNet()
    bn.normal("a", 0.0, std=1.0)
    bn.nodes.clear()
    assert list(bn.nodes) == ["a"]


def test_cond_log_prob_is_that_of_stochastic_nodes_only():
    bn = BayesianNet({"a": 1.0, "b": 3.0})
    a = bn.normal("a", 0.0, std=1.0)
    b = bn.normal("b", a, std=2.0)
    bn.deterministic("c", a + b)
    assert bn.cond_log_prob("a") is a.cond_log_p
    log_ps = run(bn.cond_log_prob(["a", "b"]))
    expected = stats.norm.logpdf([1, 3], [0, 1], [1, 2])
    np.testing.assert_allclose(log_ps, expected, rtol=1e-6)
    for names in ("c", ["a", "c"]):
        with pytest.raises(ValueError, match="deterministic"):
            bn.cond_log_prob(names)


def test_log_joint_is_the_sum_over_stochastic_nodes_kept_until_one_is_added():
    bn = BayesianNet({"a": 1.0, "b": 3.0})
    a = bn.normal("a", 0.0, std=1.0)
    bn.deterministic("c", a * 100)
    assert run(bn.log_joint()) == pytest.approx(stats.norm.logpdf(1), rel=1e-6)
    assert bn.log_joint() is bn.log_joint()
    bn.normal("b", a, std=2.0)
    expected = stats.norm.logpdf(1) + stats.norm.logpdf(3, 1, 2)
    assert run(bn.log_joint()) == pytest.approx(expected, rel=1e-6)
    assert bn.log_joint() is bn.log_joint()


def test_log_joint_of_a_net_without_stochastic_nodes_is_zero():
    bn = BayesianNet()
    bn.deterministic("a", tf.ones([3]))
    assert run(bn.log_joint()) == 0


def test_log_joint_adds_terms_that_broadcast():
    bn = BayesianNet()
    a = bn.normal("a", tf.zeros([3, 2]), std=1.0, group_ndims=1, n_samples=4)
    bn.normal("b", tf.zeros([3]), std=1.0)
    assert a.cond_log_p.shape.as_list() == [4, 3]
    assert bn.log_joint().shape.as_list() == [4, 3]


# MetaBayesianNet


def simple_net(shift=0.0):
    """A -> b, with one variable."""
    bn = BayesianNet()
    w = tf.get_variable("w", [], initializer=tf.ones_initializer())
    a = bn.normal("a", w + shift, std=1.0)
    bn.normal("b", a, std=2.0)
    return bn


def variable_names():
    return sorted(variable.op.name for variable in tf.global_variables())


def test_observe_calls_the_function_with_those_nodes_observed():
    meta_bn = meta_bayesian_net()(simple_net)(shift=2.0)
    assert isinstance(meta_bn, MetaBayesianNet)
    assert not tf.global_variables()
    bn = meta_bn.observe(a=5.0, unheard_of=1.0)
    assert isinstance(bn, BayesianNet)
    assert bn["a"].is_observed()
    assert not bn["b"].is_observed()
    expected = stats.norm.logpdf(5, 3, 1)
    assert run(bn.cond_log_prob("a")) == pytest.approx(expected, rel=1e-6)
    assert variable_names() == ["w"]


def test_the_decorated_function_keeps_its_name_and_docstring():
    decorated = meta_bayesian_net()(simple_net)
    assert decorated.__name__ == "simple_net"
    assert decorated.__doc__ == "A -> b, with one variable."


def test_observations_end_with_the_call_even_if_it_fails():
    meta_bn = MetaBayesianNet(simple_net)
    meta_bn.observe(a=1.0)

    def failing():
        raise RuntimeError("no net")

    with pytest.raises(RuntimeError, match="no net"):
        MetaBayesianNet(failing).observe(a=1.0)
    assert not BayesianNet().normal("a", 0.0, std=1.0).is_observed()


def test_observations_win_over_those_the_function_makes():
    def net():
        bn = BayesianNet({"a": 1.0, "b": 1.0})
        bn.normal("a", 0.0, std=1.0)
        bn.normal("b", 0.0, std=1.0)
        return bn

    bn = MetaBayesianNet(net).observe(a=2.0)
    assert run(bn.get(["a", "b"])) == [2.0, 1.0]


def test_a_net_observed_within_another_has_its_own_observations():
    inner = meta_bayesian_net("inner", reuse_variables=True)(simple_net)()

    def outer():
        inner_bn = inner.observe(b=7.0)
        bn = BayesianNet()
        bn.normal("a", 0.0, std=1.0)
        assert not inner_bn["a"].is_observed()
        assert inner_bn["b"].is_observed()
        return bn

    assert run(MetaBayesianNet(outer).observe(a=3.0)["a"]) == 3.0


def test_with_a_scope_and_reuse_all_calls_of_one_net_share_variables():
    make = meta_bayesian_net(scope="net", reuse_variables=True)(simple_net)
    one = make()
    one.observe(a=1.0)
    one.observe(b=1.0)
    assert variable_names() == ["net/w"]
    log_ps = [one.observe(a=4.0).cond_log_prob("a") for _ in range(2)]
    with tf.Session() as session:
        session.run(tf.global_variables()[0].assign(4.0))
        assert session.run(log_ps) == pytest.approx([stats.norm.logpdf(0)] * 2)


def test_two_nets_never_share_variables():
    make = meta_bayesian_net(scope="net", reuse_variables=True)(simple_net)
    for meta_bn in (make(), make()):
        meta_bn.observe()
        meta_bn.observe()
    assert variable_names() == ["net/w", "net_1/w"]


def test_with_a_scope_alone_each_call_opens_a_fresh_variable_scope():
    meta_bn = meta_bayesian_net(scope="net")(simple_net)()
    meta_bn.observe()
    meta_bn.observe()
    assert variable_names() == ["net/w", "net_1/w"]


def test_reusing_variables_without_a_scope_is_an_error():
    with pytest.raises(ValueError, match="scope"):
        meta_bayesian_net(reuse_variables=True)(simple_net)()


def test_a_function_set_as_log_joint_replaces_the_sum():
    meta_bn = MetaBayesianNet(simple_net, kwargs={"shift": 1.0}, scope="net")
    meta_bn.log_joint = lambda bn: bn.cond_log_prob("a") * 2.0
    bn = meta_bn.observe(a=2.0, b=0.0)
    assert run(bn.log_joint()) == pytest.approx(2 * stats.norm.logpdf(0), rel=1e-6)
    meta_bn.log_joint = 3.0
    with pytest.raises(TypeError, match="not callable"):
        bn.log_joint()
    meta_bn.log_joint = None
    expected = stats.norm.logpdf(0) + stats.norm.logpdf(0, 2, 2)
    assert run(bn.log_joint()) == pytest.approx(expected, rel=1e-6)


def test_reuse_variables_shares_variables_between_calls_of_one_function():
    @reuse_variables("dense")
    def double(x):
        return x * tf.get_variable("w", [], initializer=tf.ones_initializer())

    @reuse_variables("dense")
    def other(x):
        return x * tf.get_variable("w", [], initializer=tf.ones_initializer())

    assert run([double(2.0), double(3.0), other(4.0)]) == [2.0, 3.0, 4.0]
    assert variable_names() == ["dense/w", "dense_1/w"]


def test_a_net_can_be_observed_within_a_while_loop():
    meta_bn = meta_bayesian_net(scope="net", reuse_variables=True)(simple_net)()
    meta_bn.observe()

    def body(step, total):
        value = tf.cast(step, tf.float32)
        return step + 1, total + meta_bn.observe(a=value, b=value).log_joint()

    total = tf.while_loop(lambda step, _: step < 3, body, [0, 0.0])[1]
    a = np.arange(3)
    expected = stats.norm.logpdf(a, 1, 1).sum() + 3 * stats.norm.logpdf(0, 0, 2)
    assert run(total) == pytest.approx(expected, rel=1e-6)


def test_merge_dicts_lets_the_later_win_and_changes_none():
    a, b = {"x": 1, "y": 1}, {"y": 2, 3: 4}
    assert merge_dicts(a, b, {}) == {"x": 1, "y": 2, 3: 4}
    assert merge_dicts() == {}
    assert (a, b) == ({"x": 1, "y": 1}, {"y": 2, 3: 4})


# Upstream or ours

PARTS = {
    "framework": "BayesianNet MetaBayesianNet StochasticTensor meta_bayesian_net "
    "reuse_variables",
    "evaluation": "is_loglikelihood",
    "utils": "log_mean_exp merge_dicts",
    "distributions": "Normal",
    "variational": "elbo",
}


def fake_package(root, version=None, without=None, body=""):
    """Write a package `zhusuan` with the names of upstream into `root`."""
    package = root / "zhusuan"
    package.mkdir()
    text = body if version is None else "__version__ = {!r}\n{}".format(version, body)
    (package / "__init__.py").write_text(text)
    for part, names in PARTS.items():
        lines = ["{0} = {0!r}".format(n) for n in names.split() if n != without]
        (package / (part + ".py")).write_text("\n".join(lines))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder on the path in which `zhusuan` is looked for first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    hidden = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "zhusuan"}
    for name in hidden:
        del sys.modules[name]
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] == "zhusuan"]:
        del sys.modules[name]
    sys.modules.update(hidden)


def test_upstream_0_4_is_found_with_its_names(packages):
    fake_package(packages, "0.4.0")
    label, names = find_upstream()
    assert label == "zhusuan 0.4.0"
    assert names["BayesianNet"] == "BayesianNet"
    assert names["log_mean_exp"] == "log_mean_exp"
    assert names["variational"].elbo == "elbo"


def test_a_copy_with_all_names_and_no_version_is_upstream_too(packages):
    fake_package(packages)
    label, names = find_upstream()
    assert label == "zhusuan of unknown version"
    assert names["meta_bayesian_net"] == "meta_bayesian_net"


@pytest.mark.parametrize(
    "fake",
    [
        {"version": "0.3.1"},
        {"version": "1.0.0"},
        {"version": "0.40.1"},
        {"version": "0.4.0", "without": "meta_bayesian_net"},
        {"version": "0.4.0", "without": "BayesianNet"},
        {"version": "0.4.0", "body": "raise AttributeError('tf.contrib')"},
        {"version": "0.4.0", "body": "import a_module_that_is_not_there"},
    ],
    ids=str,
)
def test_any_other_package_of_that_name_is_left_alone(packages, fake):
    fake_package(packages, **fake)
    assert find_upstream() is None


def test_zs_is_upstream_where_that_is_installed_and_stays_so(tmp_path):
    fake_package(tmp_path, "0.4.0")
    script = textwrap.dedent(
        """
        from cvae import zs
        import zhusuan.framework
        assert zs.IMPLEMENTATION == "zhusuan 0.4.0"
        import cvae.zs.framework, cvae.zs.distributions
        from cvae.zs.framework import BayesianNet
        assert BayesianNet.__module__ == "cvae.zs.framework"
        assert zs.framework is zhusuan.framework
        assert zs.BayesianNet == "BayesianNet"
        assert zs.distributions.Normal == "Normal"
        """
    )
    root = str(Path(cvae.__file__).resolve().parent.parent)
    path = "import sys; sys.path[:0] = {!r}\n".format([str(tmp_path), root])
    subprocess.run([sys.executable, "-c", path + script], check=True)
