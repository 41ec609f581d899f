"""The bounds of `cvae.zs.variational` and their pathwise gradients, against exact ones.

The model is p(z) = N(0, 1), p(x | z) = N(z, 1): its evidence is N(x | 0, 2) and its
posterior N(x / 2, 1 / 2).
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import run
from gaussian_model import (
    EVIDENCE,
    POSTERIOR,
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
from scipy import special, stats

from cvae.zs.evaluation import is_loglikelihood
from cvae.zs.framework import BayesianNet, meta_bayesian_net
from cvae.zs.variational import (
    EvidenceLowerBoundObjective,
    ImportanceWeightedObjective,
    elbo,
    importance_weighted_objective,
    iw_objective,
)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        tf.set_random_seed(5)
        yield


# Values


@pytest.mark.parametrize("meta_bn", [lambda: model(), lambda: log_joint])
def test_elbo_is_the_evidence_minus_the_divergence_from_the_posterior(meta_bn):
    bounds = elbo(meta_bn(), {"x": X}, variational=variational(*Q, shape=[40000]))
    assert bounds.tensor.shape.as_list() == [40000]
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


def counted():
    """`model` with a variable, and a list that grows with every call."""
    calls = []

    @meta_bayesian_net(scope="net")
    def net():
        calls.append(None)
        bn = BayesianNet()
        mean = tf.get_variable("mean", [], initializer=tf.zeros_initializer())
        z = bn.normal("z", mean, std=1.0)
        bn.normal("x", z, std=1.0)
        return bn

    return net(), calls


@pytest.mark.parametrize(
    "ask",
    [
        lambda bound: bound.bn,
        lambda bound: bound.tensor,
        lambda bound: bound.sgvb(),
        lambda bound: bound.vimco() if hasattr(bound, "vimco") else bound.reinforce(),
        lambda bound: -bound,
        tf.convert_to_tensor,
        lambda bound: tf.Session().make_callable(bound),
    ],
)
@pytest.mark.parametrize("make", [elbo, iw_objective])
def test_the_net_is_observed_once_and_where_the_bound_is_first_asked_for(make, ask):
    meta_bn, calls = counted()
    with tf.variable_scope("made"):
        bound = make(
            meta_bn, {"x": X}, variational=variational(*Q, n_samples=2), axis=0
        )
    assert (bound.meta_bn, bound.variational) != (None, None)
    assert not calls
    assert not tf.global_variables()
    with tf.variable_scope("asked"):
        ask(bound)
    assert len(calls) == 1
    assert tf.trainable_variables()[0].op.name == "asked/net/mean"
    assert bound.bn is bound.bn
    assert bound.tensor is bound.tensor
    run([bound, bound + bound.sgvb()])
    assert len(calls) == 1


def test_latents_are_those_of_the_variational_net_when_the_objective_is_made():
    q, observed, seen = variational(*Q), {"x": X}, []
    bound = elbo(seen.append, observed, variational=q)
    q.normal("late", 0.0, std=1.0)
    observed["later"] = 1.0
    assert not seen
    with pytest.raises(ValueError, match="None"):
        run(bound)
    assert seen == [{"z": q["z"], "x": X}]


def test_an_observation_wins_over_a_latent_of_that_name():
    bound = elbo(lambda values: values["z"], {"z": 5.0}, {"z": (7.0, 1.0)})
    assert run(bound) == 4.0


@pytest.mark.parametrize("make", [elbo, iw_objective])
def test_a_node_that_is_neither_observed_nor_a_latent_is_drawn(make):
    bound = make(model(), {}, variational=variational(*Q, n_samples=2), axis=0)
    assert not bound.bn["x"].is_observed()
    assert bound.bn["z"].is_observed()
    assert np.isfinite(run(bound))


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
