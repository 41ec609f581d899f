"""Models whose log p(x | y) is known without sampling, and what is known of them."""

import itertools

import numpy as np
import reference
import tensorflow.compat.v1 as tf
from numpy.polynomial import hermite_e
from scipy import linalg, stats
from scipy.special import logsumexp

from cvae import zs
from cvae.backend.stateless import StatelessNormal
from cvae.config import Config
from cvae.model import Networks


def all_images(n_pixels):
    """Every image of `n_pixels` bits, uint8 `[2^n, n]`."""
    return np.array(list(itertools.product((0, 1), repeat=n_pixels)), np.uint8)


class LinearGaussian:
    """z ~ N(0, I), x | y, z ~ N(W z + b_y, σ² I), as ZhuSuan nets, and in closed form.

    A density at any x, so also where x is bits. `variational` proposes from the exact
    posterior's neighbourhood: moved, wider, and without its correlations.
    """

    config = Config(n_classes=3, x_dim=6, z_dim=3, hidden=(1,), seed=5)
    noise = 0.5

    def __init__(self):
        random = np.random.RandomState(0)
        d, n = self.config.z_dim, self.config.x_dim
        self.w = (0.5 * random.standard_normal((n, d))).astype(np.float32)
        self.b = random.random_sample((self.config.n_classes, n)).astype(np.float32)
        w = self.w.astype(np.float64)
        precision = np.eye(d) + w.T @ w / self.noise**2
        self.covariance = linalg.inv(precision)
        self.information = np.diag(precision) - 1.0  # of x about z
        self.gain = self.covariance @ w.T / self.noise**2  # posterior mean of x - b_y

    def put_into(self, monkeypatch, *rooms):
        for room in rooms:
            monkeypatch.setattr(room, "build_networks", self.networks)
            monkeypatch.setattr(room, "build_generator", self.generator)
            monkeypatch.setattr(room, "build_variational", self.variational)

    def networks(self, config):
        """Nets of which only the shape of the logits matters."""
        return Networks(lambda y, z: tf.tensordot(z, self.w.T, 1), encoder=None)

    def generator(self, nets, n, config, n_particles=1):
        @zs.meta_bayesian_net(scope="gen", reuse_variables=True)
        def build():
            bn = zs.BayesianNet()
            uniform = tf.zeros([n, config.n_classes])
            y = bn.onehot_categorical("y", uniform, dtype=tf.float32)
            origin = tf.zeros([n, config.z_dim])
            z = bn.normal("z", origin, std=1.0, group_ndims=1, n_samples=n_particles)
            mean = tf.tensordot(z, self.w.T, 1) + tf.matmul(y, self.b)
            bn.deterministic("x_mean", mean)
            bn.normal("x", mean, std=self.noise, group_ndims=1)
            return bn

        return build()

    def variational(self, nets, x, y, draw_key, config, n_particles=1):
        @zs.meta_bayesian_net(scope="q_net", reuse_variables=True)
        def build():
            bn = zs.BayesianNet()
            gain = self.gain.T.astype(np.float32)
            mean = tf.matmul(x - tf.matmul(y, self.b), gain) + self.shift
            logstd = tf.zeros_like(mean) + self.logstd
            posterior = StatelessNormal(mean, logstd, draw_key, group_ndims=1)
            bn.stochastic("z", posterior, n_samples=n_particles)
            return bn

        return build()

    @property
    def shift(self):
        return (0.5 * np.sqrt(np.diag(self.covariance))).astype(np.float32)

    @property
    def logstd(self):
        return np.log(1.3 * np.sqrt(np.diag(self.covariance))).astype(np.float32)

    def log_likelihood(self, bits, labels):
        """log p(x | y) of each image: a normal's, z integrated out."""
        w = self.w.astype(np.float64)
        covariance = w @ w.T + self.noise**2 * np.eye(len(w))
        return stats.multivariate_normal(cov=covariance).logpdf(bits - self.b[labels])

    def divergence(self):
        """KL(q(z | x, y) || p(z | x, y)), the same for each image: two normals."""
        precision = linalg.inv(self.covariance)
        variance = np.exp(2.0 * self.logstd.astype(np.float64))
        logdets = np.linalg.slogdet(self.covariance)[1] - np.log(variance).sum()
        square = self.shift @ precision @ self.shift
        return 0.5 * ((np.diag(precision) * variance).sum() + square - 3 + logdets)

    def posterior(self, bits, labels, seed):
        """An exact sample of p(z | x, y) of each image, float32 `[n, d]`."""
        noise = np.random.RandomState(seed).standard_normal((len(bits), 3))
        mean = (bits - self.b[labels]) @ self.gain.T
        return (mean + noise @ linalg.cholesky(self.covariance)).astype(np.float32)


class ExactPosterior:
    """p(z | x, y) of a `LinearGaussian`, in NumPy.

    Its log joint is quadratic, so that the Laplace approximation is the posterior.
    """

    def __init__(self, model, bits, labels):
        self.model, self.bits, self.labels = model, bits, labels

    def __getitem__(self, rows):
        return ExactPosterior(self.model, self.bits[rows], self.labels[rows])

    def _residual(self, z):
        return self.bits - self.model.b[self.labels] - z @ self.model.w.T

    def log_joint(self, z):
        given_z = stats.norm.logpdf(self._residual(z), scale=self.model.noise).sum(-1)
        return given_z + stats.norm.logpdf(z).sum(-1)

    def linearize(self, z):
        gradient = self._residual(z) @ self.model.w / self.model.noise**2 - z
        precision = linalg.inv(self.model.covariance)
        return gradient, np.tile(precision, (len(z), 1, 1))


def quadrature(bits, labels, weights, config, nodes=80):
    """log p(x | y) of the homework's model with z in the plane: Gauss and Hermite."""
    points, masses = hermite_e.hermegauss(nodes)
    z = np.stack(np.meshgrid(points, points), -1).reshape(-1, 2)
    mass = np.outer(masses, masses).reshape(-1, 1) / masses.sum() ** 2
    totals = np.empty(len(bits))
    for c in range(config.n_classes):
        y = reference.one_hot(np.full(len(z), c), config.n_classes)
        means = reference.decode(y, z, weights, len(config.hidden))
        means = np.clip(means, 1e-15, 1.0 - 1e-15)  # far out they are rounded to 1
        x = bits[labels == c].T.astype(np.float64)
        log_px = np.log(means) @ x + np.log1p(-means) @ (1.0 - x)  # [points, images]
        totals[labels == c] = logsumexp(log_px, 0, mass)
    return totals
