"""`cvae.zs.variational` against exact bounds, exact expectations and quadrature.

Most tests use p(z) = N(0, 1), p(x | z) = N(z, 1), whose evidence is N(x | 0, 2) and
whose posterior is N(x / 2, 1 / 2); or a latent with three states, whose expectations
are sums.
"""

import itertools
import math

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special, stats

from cvae import zs
from cvae.zs.distributions import Normal
from cvae.zs.evaluation import is_loglikelihood
from cvae.zs.framework import BayesianNet, meta_bayesian_net
from cvae.zs.utils import log_mean_exp
from cvae.zs.variational import (
    EvidenceLowerBoundObjective,
    ImportanceWeightedObjective,
    elbo,
    importance_weighted_objective,
    iw_objective,
)

X = 1.3
EVIDENCE = stats.norm.logpdf(X, 0, np.sqrt(2))
POSTERIOR = (X / 2, -0.5 * math.log(2))  # mean and logstd
Q = (-0.2, 0.1)  # mean and logstd of a q that is not the posterior


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        tf.set_random_seed(5)
        yield


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


@meta_bayesian_net()
def model():
    bn = BayesianNet()
    z = bn.normal("z", 0.0, std=1.0)
    bn.normal("x", z, std=1.0)
    return bn


def log_joint(values):
    """The same model as a function."""
    z, x = values["z"], values["x"]
    return Normal(0.0, std=1.0).log_prob(z) + Normal(z, std=1.0).log_prob(x)


def variational(mean, logstd, shape=(), n_samples=None, **settings):
    bn = BayesianNet()
    mean, logstd = (tf.convert_to_tensor(p, tf.float32) for p in (mean, logstd))
    bn.normal(
        "z", mean + tf.zeros(shape), logstd=logstd, n_samples=n_samples, **settings
    )
    return bn


def exact_elbo(mean, logstd):
    """Evidence minus KL(q || posterior)."""
    m, s = POSTERIOR
    ratio = np.exp(2 * (logstd - s))
    kl = (s - logstd) + (ratio + np.exp(-2 * s) * (mean - m) ** 2) / 2 - 0.5
    return EVIDENCE - kl


def exact_two_particle_bound(mean, logstd):
    """E[log((w1 + w2) / 2)] by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    z = mean + np.exp(logstd) * nodes
    log_w = stats.norm.logpdf(z) + stats.norm.logpdf(X, z, 1)
    log_w = log_w - stats.norm.logpdf(z, mean, np.exp(logstd))
    pair = np.logaddexp(log_w[:, None], log_w[None, :]) - np.log(2)
    return weights @ pair @ weights


def derivatives(function, mean, logstd, step=1e-5):
    """Central differences in both arguments."""
    by_mean = function(mean + step, logstd) - function(mean - step, logstd)
    by_logstd = function(mean, logstd + step) - function(mean, logstd - step)
    return np.array([by_mean, by_logstd]) / (2 * step)


def assert_mean(samples, expected, errors=4.5):
    """The mean of `samples` over axis 0 is `expected` within its standard error."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    off = np.abs(samples.mean(axis=0) - expected)
    assert (off <= errors * error + 1e-6).all(), (samples.mean(axis=0), expected, error)


def independent_gradients(cost_of, n, k=None, **settings):
    """Gradients in (mean, logstd) of minus a cost, for `n` independent repetitions."""
    mean, logstd = tf.fill([n], Q[0]), tf.fill([n], Q[1])
    q = variational(mean, logstd, [n], k, **settings)
    cost = cost_of(q)
    gradients = tf.gradients(-cost, [mean, logstd])
    return tf.stack(gradients, axis=-1)


# Values


@pytest.mark.parametrize("meta_bn", [lambda: model(), lambda: log_joint])
def test_elbo_is_the_evidence_minus_the_divergence_from_the_posterior(meta_bn):
    bounds = elbo(meta_bn(), {"x": X}, variational=variational(*Q, shape=[40000]))
    assert bounds.shape.as_list() == [40000]
    assert_mean(run(bounds), exact_elbo(*Q))


def test_every_bound_is_the_evidence_when_q_is_the_posterior():
    q = variational(*POSTERIOR, n_samples=7)
    bounds = [
        elbo(model(), {"x": X}, variational=q),
        elbo(model(), {"x": X}, variational=q, axis=0),
        importance_weighted_objective(model(), {"x": X}, variational=q, axis=0),
        is_loglikelihood(model(), {"x": X}, proposal=q, axis=0),
    ]
    values = run(bounds)
    assert [value.shape for value in values] == [(7,), (), (), ()]
    for value in values:
        np.testing.assert_allclose(value, EVIDENCE, rtol=1e-5)


def test_axis_averages_the_log_weights_or_the_weights():
    q = variational(*Q, shape=[5], n_samples=3)
    objectives = [
        elbo(model(), {"x": X}, variational=q),
        elbo(model(), {"x": X}, variational=q, axis=0),
        elbo(model(), {"x": X}, variational=q, axis=[0, 1]),
        iw_objective(model(), {"x": X}, variational=q, axis=0),
        iw_objective(model(), {"x": X}, variational=q, axis=-1),
    ]
    log_w, mean, whole, iw, iw_last = run(objectives)
    np.testing.assert_allclose(mean, log_w.mean(0), rtol=1e-5)
    np.testing.assert_allclose(whole, log_w.mean(), rtol=1e-5)
    np.testing.assert_allclose(iw, special.logsumexp(log_w, 0) - np.log(3), rtol=1e-5)
    np.testing.assert_allclose(
        iw_last, special.logsumexp(log_w, 1) - np.log(5), rtol=1e-5
    )


def test_the_importance_weighted_bound_rises_with_k_from_elbo_to_evidence():
    means, errors = [], []
    for k in (1, 2, 8, 64):
        q = variational(*Q, shape=[20000], n_samples=k)
        bound = run(iw_objective(model(), {"x": X}, variational=q, axis=0))
        means.append(bound.mean())
        errors.append(bound.std() / np.sqrt(len(bound)))
        if k == 1:
            assert_mean(bound, exact_elbo(*Q))
        if k == 2:
            assert_mean(bound, exact_two_particle_bound(*Q))
    for i in range(3):
        assert means[i + 1] - means[i] > 3 * (errors[i] + errors[i + 1])
    assert means[-1] < EVIDENCE + 3 * errors[-1]
    assert means[-1] == pytest.approx(EVIDENCE, abs=0.05)


def test_is_loglikelihood_estimates_the_evidence():
    q = variational(*Q, n_samples=100000)
    estimate = is_loglikelihood(model(), {"x": X}, proposal=q, axis=0)
    assert isinstance(estimate, tf.Tensor)
    assert run(estimate) == pytest.approx(EVIDENCE, abs=0.02)


def test_latents_may_be_given_as_samples_with_their_log_q():
    z, log_q = np.float32([0.0, 1.0, 3.0]), np.float32([-1.0, -2.0, -0.5])
    log_w = stats.norm.logpdf(z) + stats.norm.logpdf(X, z, 1) - log_q
    for meta_bn in (model(), log_joint):
        for latent in ({"z": (z, log_q)}, {"z": [tf.constant(z), tf.constant(log_q)]}):
            bound = elbo(meta_bn, {"x": X}, latent=latent, axis=0)
            estimate = is_loglikelihood(meta_bn, {"x": X}, latent, axis=0)
            values = run([bound, estimate])
            exact = special.logsumexp(log_w) - np.log(3)
            np.testing.assert_allclose(values, [log_w.mean(), exact], rtol=1e-5)


def test_latents_are_the_stochastic_nodes_of_q_that_are_not_observed():
    q = BayesianNet({"x": X})
    x = q.normal("x", 10.0, std=1.0)
    h = q.deterministic("h", x / 2)
    q.normal("z", h, logstd=POSTERIOR[1])
    bound = elbo(model(), {"x": X}, variational=q)
    assert run(bound) == pytest.approx(EVIDENCE, rel=1e-5)
    fetched = run([bound.bn["z"], q["z"]])
    assert fetched[0] == fetched[1]


def test_without_latents_the_bound_is_the_log_joint():
    observed = {"x": np.float64(X), "z": np.float64(0.5)}

    def joint(values):
        return tf.constant(stats.norm.logpdf(values["z"]), tf.float64)

    bound = elbo(joint, observed, variational=BayesianNet())
    assert run(bound) == pytest.approx(stats.norm.logpdf(0.5))


# The objects


def test_an_objective_tells_what_it_is_made_of():
    meta_bn, q = model(), variational(*Q, n_samples=2)
    for make in (elbo, iw_objective):
        bound = make(meta_bn, {"x": X}, variational=q, axis=0)
        assert bound.meta_bn is meta_bn
        assert bound.variational is q
        assert isinstance(bound.bn, BayesianNet)
        assert bound.bn["z"].tensor is q["z"].tensor
        assert bound.bn["x"].is_observed()
        bound = make(log_joint, {"x": X}, latent={"z": ([0.0], [0.0])}, axis=0)
        assert (bound.meta_bn, bound.bn, bound.variational) == (None, None, None)
    assert isinstance(elbo(log_joint, {"x": X, "z": 0.0}, {}), elbo)
    assert elbo is EvidenceLowerBoundObjective
    assert iw_objective is importance_weighted_objective is ImportanceWeightedObjective


def test_an_objective_behaves_like_its_tensor():
    latent = {"z": ([0.0, 1.0], [0.0, 0.0])}
    z = np.array([0, 1])
    log_w = stats.norm.logpdf(z) + stats.norm.logpdf(X, z, 1)
    bound = elbo(log_joint, {"x": X}, latent)
    assert tf.convert_to_tensor(bound) is bound.tensor
    assert bound.dtype == tf.float32
    assert bound.shape.as_list() == bound.get_shape().as_list() == [2]
    results = run([bound, -bound, bound + 1, 2 * bound, bound[1], tf.exp(bound)])
    expected = [log_w, -log_w, log_w + 1, 2 * log_w, log_w[1], np.exp(log_w)]
    for got, want in zip(results, expected):
        np.testing.assert_allclose(got, want, rtol=1e-5)
    assert {bound: 1}[bound] == 1
    assert run(bound * 2, {bound: [1.0, 2.0]}).tolist() == [2, 4]


@pytest.mark.parametrize("make", [elbo, iw_objective, is_loglikelihood])
def test_exactly_one_of_latent_and_the_variational_net_is_passed(make):
    q = variational(*Q, n_samples=2)
    latent = {"z": ([0.0], [0.0])}
    keyword = "proposal" if make is is_loglikelihood else "variational"
    with pytest.raises(ValueError, match="[Ee]ither"):
        make(model(), {"x": X}, axis=0)
    with pytest.raises(ValueError, match="[Ee]ither"):
        make(model(), {"x": X}, latent=latent, axis=0, **{keyword: q})
    with pytest.raises(TypeError, match="BayesianNet"):
        make(model(), {"x": X}, axis=0, **{keyword: latent})


@pytest.mark.parametrize("make", [iw_objective, is_loglikelihood])
def test_importance_weighting_needs_an_axis(make):
    with pytest.raises(ValueError, match="axis"):
        make(model(), {"x": X}, latent={"z": ([0.0], [0.0])})


# Pathwise gradients


def test_sgvb_is_minus_the_bound():
    q = variational(*Q, n_samples=4)
    for make in (elbo, iw_objective):
        bound = make(model(), {"x": X}, variational=q, axis=0)
        value, cost = run([bound, bound.sgvb()])
        assert cost == -value


@pytest.mark.parametrize("path", [False, True])
def test_sgvb_gradient_of_the_elbo_is_the_exact_one_on_average(path):
    def cost(q):
        return elbo(model(), {"x": X}, variational=q).sgvb()

    samples = independent_gradients(cost, 40000, use_path_derivative=path)
    assert_mean(run(samples), derivatives(exact_elbo, *Q))


def test_sgvb_gradient_of_the_weighted_bound_is_the_exact_one_on_average():
    def cost(q):
        return iw_objective(model(), {"x": X}, variational=q, axis=0).sgvb()

    samples = independent_gradients(cost, 40000, k=2)
    assert_mean(run(samples), derivatives(exact_two_particle_bound, *Q))


def test_path_derivative_gradients_vanish_at_the_posterior_and_plain_ones_do_not():
    def gradients(path):
        mean, logstd = tf.fill([50], POSTERIOR[0]), tf.fill([50], POSTERIOR[1])
        q = variational(mean, logstd, [50], use_path_derivative=path)
        bound = elbo(model(), {"x": X}, variational=q)
        return tf.gradients(bound.sgvb(), [mean, logstd])

    np.testing.assert_allclose(run(gradients(True)), 0, atol=1e-5)
    assert np.abs(run(gradients(False))).mean() > 0.1


# Score-function gradients


class ThreeStates:
    """A latent in {0, 1, 2} with softmax logits, for `k` particles fed by hand."""

    def __init__(self, k):
        self.logits = tf.constant([0.3, -0.5, 0.9], tf.float64)
        self.theta = tf.constant([0.2, -1.0, -0.3], tf.float64)
        self.z = tf.placeholder(tf.int32, [k])
        log_q = tf.gather(tf.nn.log_softmax(self.logits), self.z)
        self.latent = {"z": (self.z, log_q)}
        self.k = k

    def gradients(self, cost):
        """Gradients of minus `cost` in the logits and in theta, as one vector."""
        gradients = tf.gradients(-cost, [self.logits, self.theta])
        return tf.concat(gradients, axis=0)

    def log_joint(self, values):
        return tf.gather(self.theta, values["z"])

    def expected(self, fetches):
        """Expectation of `fetches` over all states of all particles."""
        log_q = special.log_softmax([0.3, -0.5, 0.9])
        total = 0
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for z in itertools.product(range(3), repeat=self.k):
                values = np.array(session.run(fetches, {self.z: z}))
                total = total + np.exp(log_q[list(z)].sum()) * values
        return total


def exact_state_bound(logits, theta, k):
    """E[log mean exp(theta_z - log q_z)] over k particles, by enumeration."""
    log_q = special.log_softmax(logits)
    return sum(
        np.exp(log_q[list(z)].sum())
        * (special.logsumexp((theta - log_q)[list(z)]) - np.log(k))
        for z in itertools.product(range(3), repeat=k)
    )


def exact_state_gradients(k):
    """Derivatives of the exact bound in logits and theta, by central differences."""
    point = np.array([0.3, -0.5, 0.9, 0.2, -1.0, -0.3])
    steps = 1e-6 * np.eye(6)

    def bound(p):
        return exact_state_bound(p[:3], p[3:], k)

    return [(bound(point + s) - bound(point - s)) / 2e-6 for s in steps]


@pytest.mark.parametrize("k", [1, 2])
def test_the_expected_reinforce_gradient_is_the_exact_one(k):
    states = ThreeStates(k)
    bound = elbo(states.log_joint, {}, states.latent, axis=0)
    cost = bound.reinforce(variance_reduction=False)
    gradients = states.gradients(cost)
    exact = exact_state_gradients(1)
    np.testing.assert_allclose(states.expected(gradients), exact, atol=1e-8)


def test_a_baseline_leaves_the_expected_gradient_as_it_is_once_there_is_a_past():
    states = ThreeStates(1)
    b = tf.constant([0.7], tf.float64)
    bound = elbo(states.log_joint, {}, states.latent, axis=0)
    cost, _ = bound.reinforce(baseline=b)
    gradients = states.gradients(cost)
    total, weight = tf.global_variables()
    log_q = special.log_softmax([0.3, -0.5, 0.9])
    expected = 0
    with tf.Session() as session:
        for z in range(3):
            session.run([total.assign(0.5), weight.assign(0.3)])
            values = session.run(gradients, {states.z: [z]})
            expected = expected + np.exp(log_q[z]) * values
        assert tf.gradients(cost, b) == [None]
    np.testing.assert_allclose(expected, exact_state_gradients(1), atol=1e-8)


@pytest.mark.parametrize("k", [2, 3])
def test_the_expected_vimco_gradient_is_that_of_the_weighted_bound(k):
    states = ThreeStates(k)
    bound = iw_objective(states.log_joint, {}, states.latent, axis=0)
    gradients = states.gradients(bound.vimco())
    exact = exact_state_gradients(k)
    np.testing.assert_allclose(states.expected(gradients), exact, atol=1e-8)


def test_reinforce_gradient_on_a_gaussian_is_the_exact_one_on_average():
    def cost(q):
        bound = elbo(model(), {"x": X}, variational=q)
        return bound.reinforce(variance_reduction=False)

    samples = independent_gradients(cost, 100000, is_reparameterized=False)
    assert_mean(run(samples), derivatives(exact_elbo, *Q))


def test_variance_reduction_keeps_the_mean_gradient_and_cuts_its_variance():
    def gradients(variance_reduction):
        def cost(q):
            bound = elbo(model(), {"x": X}, variational=q)
            return bound.reinforce(variance_reduction)

        return independent_gradients(cost, 40000, is_reparameterized=False)

    plain, reduced = gradients(False), gradients(True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(reduced)
        plain, reduced = session.run([plain, reduced])
    assert_mean(reduced, derivatives(exact_elbo, *Q))
    assert (reduced.var(axis=0) < 0.7 * plain.var(axis=0)).all()


def test_vimco_gradient_on_a_gaussian_is_the_exact_one_with_less_variance():
    def cost(q):
        return iw_objective(model(), {"x": X}, variational=q, axis=0).vimco()

    def naive_cost(q):
        bound = iw_objective(model(), {"x": X}, variational=q, axis=0)
        log_q = tf.reduce_sum(q.cond_log_prob("z"), 0)
        return -bound - tf.stop_gradient(bound.tensor) * log_q

    settings = {"n": 100000, "k": 2, "is_reparameterized": False}
    vimco = independent_gradients(cost, **settings)
    naive = independent_gradients(naive_cost, **settings)
    vimco, naive = run([vimco, naive])
    exact = derivatives(exact_two_particle_bound, *Q)
    assert_mean(vimco, exact)
    assert_mean(naive, exact)
    assert (vimco.var(axis=0) < 0.5 * naive.var(axis=0)).all()


def test_reinforce_subtracts_the_moving_mean_of_earlier_runs():
    signals = np.array([[1.0, 3.0], [10.0, 0.0], [-2.0, 4.0], [7.0, 7.0]])
    log_p, log_q = tf.placeholder(tf.float64, [2]), tf.constant([-1.0, 2.0], tf.float64)
    bound = elbo(lambda _: log_p, {}, {"z": (0.0, log_q)}, axis=0)
    cost = bound.reinforce(decay=0.7)
    assert not tf.trainable_variables()
    means, past = [], []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for signal in signals:
            fed = signal + [-1.0, 2.0]
            got = session.run(cost, {log_p: fed})
            mean = np.average(means, weights=past) if means else signal.mean()
            expected = np.mean(-fed - (signal - mean) * np.array([-1.0, 2.0]))
            assert got == pytest.approx(expected)
            past = [0.7 * weight for weight in past] + [1.0]
            means.append(signal.mean())


def test_reinforce_returns_half_the_squared_error_of_a_baseline_for_its_parameters():
    log_p = tf.constant([1.0, 5.0])
    log_q = tf.constant([0.5, -1.0])
    level = tf.constant(2.0)
    bound = elbo(lambda _: log_p, {}, {"z": (0.0, log_q)}, axis=0)
    cost, baseline_cost = bound.reinforce(baseline=level)
    error = np.array([0.5, 6.0]) - 2.0
    cost_value, baseline_value = run([cost, baseline_cost])
    assert baseline_value == pytest.approx((0.5 * error**2).mean())
    centred = error - error.mean()
    expected = np.mean([-1.0, -5.0] - centred * [0.5, -1.0])
    assert cost_value == pytest.approx(expected)
    assert run(tf.gradients(baseline_cost, level))[0] == pytest.approx(-error.mean())
    assert tf.gradients(baseline_cost, [log_p, log_q]) == [None, None]
    plain = bound.reinforce(variance_reduction=False, baseline=level)
    assert isinstance(plain, tf.Tensor)


def test_two_reinforce_costs_keep_their_own_moving_means():
    bound = elbo(lambda _: tf.constant([1.0]), {}, {"z": (0.0, tf.constant([0.5]))})
    bound.reinforce()
    bound.reinforce()
    assert len({variable.name for variable in tf.global_variables()}) == 4


def test_costs_keep_the_axes_that_are_not_particles():
    q = variational(*Q, shape=[5], n_samples=3, is_reparameterized=False)
    mean = elbo(model(), {"x": X}, variational=q, axis=0)
    weighted = iw_objective(model(), {"x": X}, variational=q, axis=0)
    for cost in (mean.sgvb(), mean.reinforce(), weighted.sgvb(), weighted.vimco()):
        assert cost.shape.as_list() == [5]
    whole = elbo(model(), {"x": X}, variational=q)
    assert whole.reinforce().shape.as_list() == [3, 5]


def vimco_by_hand(log_w, log_q):
    """VIMCO cost over axis 0, one particle after the other."""
    k = len(log_w)
    bound = special.logsumexp(log_w, 0) - np.log(k)
    cost = -bound
    for j in range(k):
        replaced = log_w.copy()
        replaced[j] = np.delete(log_w, j, 0).mean(0)
        signal = bound - (special.logsumexp(replaced, 0) - np.log(k))
        cost = cost - signal * log_q[j]
    return cost


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("static", [[3, 4, 5], [None, 4, None], None])
def test_vimco_agrees_with_particles_replaced_one_by_one_along_any_axis(axis, static):
    rng = np.random.RandomState(0)
    log_p, log_q = rng.normal(size=[2, 3, 4, 5]) * 3
    tensors = [tf.placeholder(tf.float64, static) for _ in range(2)]
    bound = iw_objective(lambda _: tensors[0], {}, {"z": (0.0, tensors[1])}, axis=axis)
    cost = run(bound.vimco(), dict(zip(tensors, [log_p, log_q])))
    log_w = np.moveaxis(log_p - log_q, axis, 0)
    expected = vimco_by_hand(log_w, np.moveaxis(log_q, axis, 0))
    np.testing.assert_allclose(cost, expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [[3, 1], [1, 4], [4]])
def test_vimco_broadcasts_a_log_q_with_fewer_entries(shape):
    rng = np.random.RandomState(0)
    log_p, log_q = rng.normal(size=[3, 4]), rng.normal(size=shape)
    bound = iw_objective(lambda _: tf.constant(log_p), {}, {"z": (0.0, log_q)}, axis=1)
    expected = vimco_by_hand((log_p - log_q).T, (log_q + np.zeros([3, 4])).T)
    np.testing.assert_allclose(run(bound.vimco()), expected, rtol=1e-9)


def test_vimco_needs_at_least_two_particles():
    def cost(static):
        log_q = tf.placeholder(tf.float32, static)
        bound = iw_objective(lambda _: log_q * 2, {}, {"z": (0.0, log_q)}, axis=0)
        return bound.vimco(), {log_q: np.zeros([1, 3], "f4")}

    with pytest.raises(ValueError, match="larger than 1"):
        cost([1, 3])
    for static in ([None, 3], None):
        vimco, feed = cost(static)
        with pytest.raises(tf.errors.InvalidArgumentError, match="larger than 1"):
            run(vimco, feed)


def test_vimco_takes_one_particle_axis():
    log_q = tf.zeros([2, 3])
    bound = iw_objective(lambda _: log_q, {}, {"z": (0.0, log_q)}, axis=[0, 1])
    with pytest.raises(ValueError, match="one particle axis"):
        bound.vimco()


# log_mean_exp

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


# The package


def test_the_package_offers_what_upstream_users_write():
    assert zs.IMPLEMENTATION == "cvae.zs" or zs.IMPLEMENTATION.startswith("zhusuan 0.4")
    for name in (
        "BayesianNet",
        "StochasticTensor",
        "meta_bayesian_net",
        "reuse_variables",
        "is_loglikelihood",
        "log_mean_exp",
        "merge_dicts",
    ):
        assert callable(getattr(zs, name))
    for name in ("elbo", "importance_weighted_objective", "iw_objective"):
        assert callable(getattr(zs.variational, name))
    for name in (
        "Distribution",
        "Normal",
        "Bernoulli",
        "Categorical",
        "Discrete",
        "OnehotCategorical",
        "OnehotDiscrete",
        "Uniform",
    ):
        assert isinstance(getattr(zs.distributions, name), type)
    assert zs.framework.BayesianNet is zs.BayesianNet
