"""`BayesianNet`: nodes by name, and their log-probabilities."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from scipy import stats

from cvae.zs.distributions import Normal
from cvae.zs.framework import BayesianNet

pytestmark = pytest.mark.usefixtures("graph")


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


def test_the_dict_of_nodes_grows_with_the_net():
    bn = BayesianNet()
    nodes = bn.nodes
    a = bn.normal("a", 0.0, std=1.0)
    assert nodes == {"a": a}


def test_methods_take_arguments_in_the_order_of_zhusuan():
    bn, logits = BayesianNet(), tf.zeros([2, 5])
    nodes = [
        bn.bernoulli("a", logits, 3, 1, tf.float32),
        bn.categorical("b", logits, 3, 1, tf.float32),
        bn.onehot_categorical("c", logits, 3, 1, tf.float32),
        bn.uniform("d", logits, 1.0, 3, 1, False, True),
        bn.normal("e", logits, None, 1.0, None, 1, 3, False, True),
    ]
    for one in nodes:
        assert one.shape.as_list()[0] == 3
        assert one.dist.group_ndims == 1
        assert one.dtype == tf.float32
        assert not one.dist.is_reparameterized
    with pytest.raises(TypeError):
        bn.stochastic("f", Normal(std=1.0), 3)


def test_the_old_name_of_group_ndims_is_refused_by_every_method():
    bn, logits = BayesianNet(), tf.zeros([5])
    for make, arguments in [
        (bn.bernoulli, {"logits": logits}),
        (bn.categorical, {"logits": logits}),
        (bn.onehot_categorical, {"logits": logits}),
        (bn.uniform, {}),
        (bn.normal, {"std": 1.0}),
    ]:
        with pytest.raises(ValueError, match="has been deprecated"):
            make("a", group_event_ndims=1, **arguments)
        with pytest.raises(TypeError, match="group_ndim"):
            make("a", group_ndim=1, **arguments)
        one = make(make.__name__, use_path_derivative=True, **arguments)
        assert one.dist.use_path_derivative


def test_nodes_are_queried_by_the_names_before_zhusuan_0_4():
    bn = BayesianNet({"a": 2.0})
    a, b = bn.normal("a", 0.0, std=1.0), bn.normal("b", 0.0, std=1.0)
    assert bn.outputs("a") is a.tensor
    assert bn.outputs(iter("ab")) == [a.tensor, b.tensor]
    assert bn.local_log_prob("a") is a.cond_log_p
    assert bn.query("a", local_log_prob=True) is a.cond_log_p
    both = bn.query(["a", "b"], outputs=True, local_log_prob=True)
    assert both == [(a.tensor, a.cond_log_p), (b.tensor, b.cond_log_p)]
    with pytest.raises(ValueError, match="No query options"):
        bn.query("a")


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
    assert bn.log_joint() == 0


def test_log_joint_adds_terms_that_broadcast():
    bn = BayesianNet()
    a = bn.normal("a", tf.zeros([3, 2]), std=1.0, group_ndims=1, n_samples=4)
    bn.normal("b", tf.zeros([3]), std=1.0)
    assert a.cond_log_p.shape.as_list() == [4, 3]
    assert bn.log_joint().shape.as_list() == [4, 3]
