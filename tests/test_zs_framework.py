"""`BayesianNet`, and `MetaBayesianNet` with its scopes and observations."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from scipy import stats
from test_zs_families import run

from cvae.zs.distributions import Normal
from cvae.zs.framework import (
    BayesianNet,
    MetaBayesianNet,
    meta_bayesian_net,
    reuse_variables,
)

pytestmark = pytest.mark.usefixtures("graph")


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
