"""A Gaussian model whose bounds are known exactly.

p(z) = N(0, 1) and p(x | z) = N(z, 1): its evidence is N(x | 0, 2) and its posterior
N(x / 2, 1 / 2).
"""

import math

import numpy as np
import tensorflow.compat.v1 as tf
from scipy import stats

from cvae.zs.distributions import Normal
from cvae.zs.framework import BayesianNet, meta_bayesian_net

X = 1.3
EVIDENCE = stats.norm.logpdf(X, 0, np.sqrt(2))
POSTERIOR = (X / 2, -0.5 * math.log(2))  # mean and logstd
Q = (-0.2, 0.1)  # mean and logstd of a q that is not the posterior


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
