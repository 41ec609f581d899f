"""Nets and bounds of `cvae.zs` beside the real ZhuSuan: same calls, same results."""

import inspect

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from beside_the_real_one import (
    OURS,
    REAL,
    Api,
    assert_alike,
    assert_refused,
    assert_same,
    needs_the_real_one,
)

pytestmark = needs_the_real_one


# Nets


METHODS = ["normal", "uniform", "bernoulli", "categorical", "onehot_categorical"]
METHODS += ["stochastic", "deterministic", "get", "cond_log_prob", "query"]
CLASSES = ["Normal", "Uniform", "Bernoulli", "Categorical", "OnehotCategorical"]


def test_arguments_have_the_names_the_order_and_the_defaults_of_zhusuan():
    def arguments(function):
        parameters = inspect.signature(function).parameters.values()
        named = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        return [(p.name, p.default) for p in named]

    def members(zs):
        members = [getattr(zs, name) for name in FUNCTIONS]
        members += [getattr(zs.BayesianNet, name) for name in METHODS]
        members += [getattr(zs.distributions, name) for name in CLASSES]
        return members + [zs.variational.elbo, zs.variational.iw_objective]

    for theirs, own in zip(members(Api(REAL)), members(OURS)):
        assert arguments(theirs) == arguments(own), own


FUNCTIONS = ["MetaBayesianNet", "is_loglikelihood", "log_mean_exp"]
FUNCTIONS += ["meta_bayesian_net", "reuse_variables"]


def net(zs, observed=None):
    """A -> b, and a deterministic c; a has a variable."""
    bn = zs.BayesianNet(observed)
    w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
    a = bn.normal("a", w, std=1.0, group_ndims=1)
    bn.normal("b", a, logstd=0.5, group_ndims=1)
    bn.deterministic("c", a * 2.0)
    return bn


OBSERVED = {"a": [1.0, 2.0], "b": [0.5, 3.0]}


def changed(zs, observed, replacement):
    """A net whose log joint is replaced before and after it is first asked for."""
    meta_bn = zs.meta_bayesian_net()(lambda: net(zs))()
    meta_bn.log_joint = replacement
    bn = meta_bn.observe(**observed)
    first = bn.log_joint()
    meta_bn.log_joint = lambda _: tf.constant(7.0)
    kept = bn.log_joint()
    bn.normal("d", 0.0, std=1e-9)
    return [first, kept, bn.log_joint(), kept is first]


@pytest.mark.parametrize(
    "calls",
    [
        lambda zs: [net(zs, OBSERVED).log_joint()],
        lambda zs: net(zs, OBSERVED).cond_log_prob(["a", "b"]),
        lambda zs: net(zs, OBSERVED).outputs(iter("ab")),
        lambda zs: net(zs, OBSERVED).query("a", outputs=True, local_log_prob=True),
        lambda zs: [net(zs, {"a": [1.0, 1.0]})["c"]],
        lambda zs: net(zs, OBSERVED).get(["c", "c"]),
        lambda zs: [sorted(net(zs).nodes)],
        lambda zs: [net(zs, {"a": np.ones(2)})["a"].tensor],
        lambda zs: [zs.BayesianNet().log_joint()],
        lambda zs: changed(zs, OBSERVED, None),
        lambda zs: changed(zs, OBSERVED, lambda bn: bn.cond_log_prob("b") * 2.0),
        lambda zs: [-net(zs, OBSERVED)["a"], 2.0 - net_in(zs, "n")["a"]],
        lambda zs: [net(zs, OBSERVED)["a"].log_prob(2.0)],
    ],
)
def test_nets(calls):
    assert_same(calls)


@pytest.mark.parametrize(
    "calls",
    [
        lambda zs: net(zs).get("unknown"),
        lambda zs: net(zs).get(["a", 1]),
        lambda zs: net(zs).get(1),
        lambda zs: net(zs).cond_log_prob("c"),
        lambda zs: net(zs).query("a"),
        lambda zs: net(zs).stochastic("z", zs.distributions.Normal(std=1.0), 3),
        lambda zs: net(zs).normal("a", 0.0, std=1.0),
        lambda zs: net(zs).normal("c", 0.0, std=1.0),
        lambda zs: net(zs).normal("d", 0.0, std=1.0, group_event_ndims=1),
        lambda zs: net(zs, {"a": tf.constant([1, 2])}),
        lambda zs: net(zs, {"a": tf.zeros([2], tf.float64)}),
        lambda zs: net(zs, {"a": ["x", "y"]}),
        lambda zs: net(zs, {"a": tf.zeros([3])}),
        lambda zs: changed(zs, OBSERVED, 3.0),
        lambda zs: zs.meta_bayesian_net(reuse_variables=True)(net)(zs),
        lambda zs: iter(net(zs)["a"]),
        lambda zs: bool(net(zs)["a"]),
        lambda zs: [tf.convert_to_tensor(net(zs)["a"], dtype=tf.int32)],
    ],
)
def test_what_nets_refuse(calls):
    assert_refused(calls)


def net_in(zs, scope):
    with tf.variable_scope(scope):
        return net(zs, OBSERVED)


def variables_made(zs, scope, reuse):
    """Names of variables after calls of nets in several scopes, one after another."""
    names = []

    def note():
        names.append(sorted(variable.name for variable in tf.global_variables()))

    make = zs.meta_bayesian_net(scope, reuse_variables=reuse)(net)
    first = make(zs)
    for outer in ("one", "two", "one"):
        with tf.variable_scope(outer):
            try:
                first.observe()
            except ValueError as error:
                names.append("already exists" in str(error))
        note()
    make(zs)  # never observed
    make(zs).observe()
    note()
    return names


@pytest.mark.parametrize("scope", ["gen", "a/b"])
@pytest.mark.parametrize("reuse", [True, False])
def test_variables_of_nets(scope, reuse):
    assert_same(lambda zs: variables_made(zs, scope, reuse))


def test_observations():
    def calls(zs):
        inner = zs.meta_bayesian_net("inner")(lambda: net(zs))()

        def outer():
            return inner.observe(b=[1.0, 1.0]), net(zs, {"a": [0.0, 0.0]})

        meta_bn = zs.meta_bayesian_net()(outer)()
        nets = meta_bn.observe(a=[1.0, 2.0], b=None, unheard_of=1.0)
        nodes = [bn[name] for bn in nets for name in "ab"]
        return [node.is_observed() for node in nodes] + [nets[1]["a"].tensor]

    assert_same(calls)


# Objectives


LOG_P = np.float32([[1.0, 3.0, 2.0], [0.5, -1.0, 4.0]])
LOG_Q = np.float32([[-1.0, 2.0, 0.3], [0.7, -2.0, 1.0]])


def costs(zs, make, cost, axis, log_p=LOG_P, log_q=LOG_Q, **settings):
    """A bound, a surrogate cost of it, and that cost's gradients."""
    log_p, log_q = tf.constant(log_p), tf.constant(log_q)
    latent = {"z": (tf.zeros([]), log_q)}
    bound = getattr(zs.variational, make)(lambda _: log_p, {}, latent, axis)
    costs = getattr(bound, cost)(**settings)
    costs = list(costs) if isinstance(costs, tuple) else [costs]
    gradients = [g for c in costs for g in tf.gradients(c, [log_p, log_q])]
    return [tf.convert_to_tensor(bound)] + costs + gradients


@pytest.mark.parametrize("axis", [None, 0, 1, -1, [0, 1]])
@pytest.mark.parametrize(
    "make, cost, settings",
    [
        ("elbo", "sgvb", {}),
        ("elbo", "reinforce", {"variance_reduction": False}),
        ("elbo", "reinforce", {"variance_reduction": False, "baseline": 2.0}),
        ("iw_objective", "sgvb", {}),
    ],
)
def test_bounds_costs_and_their_gradients(make, cost, settings, axis):
    assert_alike(lambda zs: costs(zs, make, cost, axis, **settings))


@pytest.mark.parametrize(
    "axis, rows, log_q",
    [
        (0, 2, LOG_Q),
        (1, 2, LOG_Q[:, :1]),
        (0, 2, LOG_Q[0]),
        (1, 1, LOG_Q[:1]),
    ],
)
def test_vimco_and_its_gradients(axis, rows, log_q):
    calls = ("iw_objective", "vimco", axis, LOG_P[:rows], log_q)
    assert_same(lambda zs: costs(zs, *calls))


def test_vimco_refuses_one_particle():
    calls = ("iw_objective", "vimco", 0, LOG_P[:1], LOG_Q[:1])
    assert_refused(lambda zs: costs(zs, *calls))


@pytest.mark.parametrize("baseline", [None, 2.0])
def test_the_moving_mean_of_reinforce(baseline):
    """Not what is subtracted: the real one reads before it writes, or after."""

    def calls(zs):
        log_p = tf.placeholder(tf.float32, [2])
        latent = {"z": (0.0, tf.constant([-1.0, 2.0]))}
        bound = zs.variational.elbo(lambda _: log_p, {}, latent, axis=0)
        baseline_tensor = None if baseline is None else tf.constant(baseline)
        cost = bound.reinforce(baseline=baseline_tensor)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for signal in ([1.0, 3.0], [10.0, -4.0]):
                session.run(cost, {log_p: signal})
            mean = round(float(session.run(tf.global_variables()[0])), 4)
        names = sorted(variable.name for variable in tf.global_variables())
        return [names, mean, len(tf.trainable_variables())]

    assert_same(calls)


def asked(zs, make, ask):
    """How often a net was observed, and its variables, as an objective is asked."""
    calls, seen = [], []

    def counted():
        calls.append(None)
        return net(zs)

    def note():
        seen.append((len(calls), [v.name for v in tf.global_variables()]))

    q = zs.BayesianNet()
    q.normal("a", tf.zeros([3, 2]), std=1.0, group_ndims=1)
    meta_bn = zs.meta_bayesian_net("gen")(counted)()
    with tf.variable_scope("made"):
        bound = getattr(zs.variational, make)(meta_bn, {}, axis=0, variational=q)
    note()
    q.normal("b", tf.zeros([2]), std=1.0)
    with tf.variable_scope("asked"):
        ask(bound)
        note()
    bound.sgvb()
    note()
    bn = bound.bn
    return seen + [bn is bound.bn, bn["a"].is_observed(), bn["b"].is_observed()]


@pytest.mark.parametrize("make", ["elbo", "iw_objective"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda bound: bound.bn,
        lambda bound: bound.tensor,
        lambda bound: bound.sgvb(),
        lambda bound: bound.reinforce() if hasattr(bound, "reinforce") else None,
        lambda bound: -bound,
        lambda bound: (bound.meta_bn, bound.variational),
        lambda bound: hasattr(bound, "shape") or hasattr(bound, "dtype"),
        tf.convert_to_tensor,
        lambda bound: tf.Session().make_callable(bound),
    ],
)
def test_when_an_objective_observes_its_net(make, ask):
    assert_same(lambda zs: asked(zs, make, ask))


@pytest.mark.parametrize("make", ["elbo", "iw_objective", "is_loglikelihood"])
@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("given", ["neither", "both", "latent", "list", "3"])
def test_which_arguments_an_objective_refuses_when_it_is_made(make, axis, given):
    def calls(zs):
        latent = {"z": (tf.zeros([3]), tf.zeros([3]))}
        latent, q = {
            "neither": (None, None),
            "both": (latent, zs.BayesianNet()),
            "latent": (latent, None),
            "list": ([1], None),
            "3": (None, 3),
        }[given]
        home = zs if make == "is_loglikelihood" else zs.variational
        bound = getattr(home, make)(lambda nodes: nodes["z"], {}, latent, axis, q)
        return [isinstance(bound, tf.Tensor)]

    assert_alike(calls)


# Functions


@pytest.mark.parametrize("axis", [None, 0, 1, -1, [0, 1], (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_log_mean_exp(axis, keepdims):
    x = np.float32([[1.0, 2.0], [1e4, -np.inf]])
    assert_same(lambda zs: [zs.log_mean_exp(x, axis, keepdims)])


def test_merge_dicts_and_reuse_variables():
    def calls(zs):
        double = zs.reuse_variables("dense")(lambda: tf.get_variable("w", []))
        other = zs.reuse_variables("dense")(lambda: tf.get_variable("w", []))
        names = [variable.name for variable in (double(), other(), double())]
        return [names, zs.merge_dicts({"a": 1}, {"a": 2, "b": 3}, {})]

    assert_same(calls)
