"""REINFORCE and VIMCO against sums over all states, quadrature and by hand.

Most tests have a latent with three states, whose expectations are sums; the others
`gaussian_model`.
"""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from gaussian_model import (
    Q,
    X,
    assert_mean,
    derivatives,
    exact_elbo,
    exact_two_particle_bound,
    independent_gradients,
    log_joint,
    model,
    variational,
)
from scipy import special

from cvae.zs.variational import elbo, iw_objective

pytestmark = pytest.mark.usefixtures("graph")


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
    past = tf.global_variables()[0]
    log_q = special.log_softmax([0.3, -0.5, 0.9])
    expected = 0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for z in range(3):
            session.run(past.assign(0.5))
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
            def far(values):
                return log_joint(values) - 10.0

            return elbo(far, {"x": X}, variational=q).reinforce(variance_reduction)

        return independent_gradients(cost, 40000, is_reparameterized=False)

    plain, reduced = gradients(False), gradients(True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(reduced)
        plain, reduced = session.run([plain, reduced])
    assert_mean(reduced, derivatives(exact_elbo, *Q))
    assert (reduced.var(axis=0) < 0.5 * plain.var(axis=0)).all()


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
            mean = np.average(means, weights=past) if means else 0.0
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
    expected = np.mean([-1.0, -5.0] - error * [0.5, -1.0])
    assert cost_value == pytest.approx(expected)
    assert run(tf.gradients(baseline_cost, level))[0] == pytest.approx(-error.mean())
    assert tf.gradients(baseline_cost, [log_p, log_q]) == [None, None]
    plain = bound.reinforce(variance_reduction=False, baseline=level)
    assert isinstance(plain, tf.Tensor)


def test_the_moving_mean_is_a_variable_of_the_current_scope():
    bound = elbo(lambda _: tf.constant([1.0]), {}, {"z": (0.0, tf.constant([0.5]))})
    for scope in ("a", "b"):
        with tf.variable_scope(scope):
            bound.reinforce()
    names = {variable.op.name for variable in tf.global_variables()}
    assert {"a/moving_mean", "b/moving_mean"} < names
    assert not tf.trainable_variables()
    with tf.variable_scope("a"):
        with pytest.raises(ValueError, match="a/moving_mean already exists"):
            bound.reinforce()


def test_costs_keep_the_axes_that_are_not_particles():
    q = variational(*Q, shape=[5], n_samples=3, is_reparameterized=False)
    mean = elbo(model(), {"x": X}, variational=q, axis=0)
    weighted = iw_objective(model(), {"x": X}, variational=q, axis=0)
    for cost in (mean.sgvb(), mean.reinforce(), weighted.sgvb(), weighted.vimco()):
        assert cost.shape.as_list() == [5]
    whole = elbo(model(), {"x": X}, variational=q)
    with tf.variable_scope("whole"):
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
