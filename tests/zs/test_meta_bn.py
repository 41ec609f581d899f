"""`MetaBayesianNet`: observations, and the scopes of its variables."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from scipy import stats

from cvae.zs.framework import (
    BayesianNet,
    MetaBayesianNet,
    meta_bayesian_net,
    reuse_variables,
)

pytestmark = pytest.mark.usefixtures("graph")


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


def test_with_a_scope_alone_each_call_runs_inside_that_variable_scope():
    meta_bn = meta_bayesian_net(scope="net")(simple_net)()
    meta_bn.observe()
    with tf.variable_scope("outer"):
        meta_bn.observe()
    assert variable_names() == ["net/w", "outer/net/w"]
    with pytest.raises(ValueError, match="net/w already exists"):
        meta_bn.observe()
    with tf.variable_scope("", reuse=True):
        meta_bn.observe()
    assert variable_names() == ["net/w", "outer/net/w"]


def test_variables_that_are_shared_are_made_where_observe_is_first_called():
    meta_bn = meta_bayesian_net("net", reuse_variables=True)(simple_net)()
    for outer in ("first", "second"):
        with tf.variable_scope(outer):
            meta_bn.observe()
    assert variable_names() == ["first/net/w"]


def test_a_value_of_none_is_not_an_observation():
    bn = meta_bayesian_net()(simple_net)().observe(a=None, b=1.0)
    assert [bn[name].is_observed() for name in "ab"] == [False, True]


def test_what_else_the_function_returns_comes_back():
    def net():
        bn = simple_net()
        return bn, bn["a"]

    bn, a = MetaBayesianNet(net).observe(b=1.0)
    assert a is bn["a"]


def test_reusing_variables_without_a_scope_is_an_error():
    with pytest.raises(ValueError, match="scope"):
        meta_bayesian_net(reuse_variables=True)(simple_net)()


def test_a_function_set_as_log_joint_replaces_the_sum_until_a_node_is_added():
    meta_bn = MetaBayesianNet(simple_net, kwargs={"shift": 1.0}, scope="net")
    calls = []

    def twice(bn):
        calls.append(bn)
        return bn.cond_log_prob("a") * 2.0

    meta_bn.log_joint = twice
    bn = meta_bn.observe(a=2.0, b=0.0)
    assert run(bn.log_joint()) == pytest.approx(2 * stats.norm.logpdf(0), rel=1e-6)
    meta_bn.log_joint = 3.0
    assert bn.log_joint() is bn.log_joint()
    assert calls == [bn]
    bn.normal("c", 0.0, std=1.0)
    with pytest.raises(TypeError, match="callable"):
        bn.log_joint()
    meta_bn.log_joint = None
    terms = bn.cond_log_prob(["a", "b", "c"])
    total, terms = run([bn.log_joint(), terms])
    assert total == pytest.approx(sum(terms), rel=1e-6)


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
