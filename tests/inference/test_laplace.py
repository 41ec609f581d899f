"""The Laplace proposal: exact where the posterior is Gaussian, never lost elsewhere."""

import numpy as np
import pytest
from exact import ExactPosterior, LinearGaussian
from scipy import stats

from cvae.inference import importance, laplace
from cvae.inference.laplace import diagonal, fit

N = 40
LINEAR = LinearGaussian()
BITS = np.random.RandomState(1).randint(0, 2, (N, 6))
LABELS = np.random.RandomState(2).randint(0, 3, N)
POSTERIOR = ExactPosterior(LINEAR, BITS, LABELS)
START = diagonal(np.zeros((N, 3)), np.zeros((N, 3)))


def gaussians(n=5, d=4):
    random = np.random.RandomState(0)
    factor = random.standard_normal((n, d, d)) + 2.0 * np.eye(d)
    return laplace.gaussians(random.standard_normal((n, d)), factor)


def test_the_density_is_that_of_the_gaussian_that_is_sampled():
    found = gaussians()
    eps = np.random.RandomState(1).standard_normal((3, 5, 4))
    z, log_q = found.sample(eps), found.log_density(eps)
    for i in range(5):
        covariance = found.factor[i].T @ found.factor[i]
        normal = stats.multivariate_normal(found.center[i], covariance)
        np.testing.assert_allclose(log_q[:, i], normal.logpdf(z[:, i]), rtol=1e-9)
    np.testing.assert_allclose(found.draws(z[1]), eps[1], rtol=1e-9)


def test_a_diagonal_gaussian_is_the_encoders():
    mean, logstd = np.random.RandomState(0).standard_normal((2, 6, 3))
    eps = np.random.RandomState(1).standard_normal((7, 6, 3))
    found = diagonal(mean, logstd)
    z = mean + np.exp(logstd) * eps
    np.testing.assert_allclose(found.sample(eps), z, rtol=1e-12)
    expected = stats.norm.logpdf(z, mean, np.exp(logstd)).sum(-1)
    np.testing.assert_allclose(found.log_density(eps), expected, rtol=1e-12)


def test_of_a_linear_gaussian_model_it_is_the_posterior_and_every_weight_equal():
    found, converged = fit(POSTERIOR, START, 1.0)
    assert converged.all()
    mean = (BITS - LINEAR.b[LABELS]) @ LINEAR.gain.T
    np.testing.assert_allclose(found.center, mean, atol=1e-5)
    covariance = np.matmul(found.factor.transpose(0, 2, 1), found.factor)
    np.testing.assert_allclose(covariance, np.tile(LINEAR.covariance, (N, 1, 1)), 1e-6)
    eps = np.random.RandomState(3).standard_normal((20, N, 3))
    weights = importance.log_weights(POSTERIOR, found, eps)
    truth = LINEAR.log_likelihood(BITS, LABELS)
    np.testing.assert_allclose(weights, np.tile(truth, (20, 1)), atol=1e-5)


def test_a_proposal_is_wider_by_its_scale():
    found, _ = fit(POSTERIOR, START, 1.3)
    exact, _ = fit(POSTERIOR, START, 1.0)
    np.testing.assert_allclose(found.factor, 1.3 * exact.factor, rtol=1e-12)


class Stub:
    """A posterior of scalars z whose log joint and derivatives are given functions."""

    def __init__(self, log_joint, gradient, curvature, rows=None):
        self.functions = log_joint, gradient, curvature
        self.rows = np.arange(3) if rows is None else rows

    def __getitem__(self, rows):
        return Stub(*self.functions, rows=self.rows[rows])

    def log_joint(self, z):
        return self.functions[0](z[..., 0], self.rows)

    def linearize(self, z):
        gradient, curvature = (f(z[:, 0], self.rows) for f in self.functions[1:])
        return gradient[:, None] * 1.0, curvature[:, None, None] * 1.0


THREE = diagonal(np.array([[4.0], [-3.0], [2.0]]), np.full((3, 1), -1.0))


def test_a_step_that_is_too_long_is_shortened_and_the_mode_found():
    """Of -z⁴ / 4, with a curvature that makes every step twice too long."""
    climbed = []

    def log_joint(z, rows):
        climbed.append(-(z**4) / 4.0)
        return climbed[-1]

    stub = Stub(log_joint, lambda z, _: -(z**3), lambda z, _: 0.5 * z**2 + 1e-9)
    found, converged = fit(stub, THREE, 1.0)
    assert converged.all() and (np.abs(found.center[:, 0]) < 1.0).all()
    best = [tried.max(0).min() for tried in climbed]
    assert best == sorted(best)  # the worst pair climbs with every step


@pytest.mark.parametrize("bad", ["endless", "nan gradient", "nan joint"])
def test_a_search_that_ends_nowhere_keeps_the_fallback_and_no_other_does(bad):
    """The second of three pairs; the others have the posterior N(1, 1)."""

    def spoilt(values, rows, by):
        return np.where(rows == 1, by, values)

    def log_joint(z, rows):
        wrong = {"endless": 100.0 * z, "nan joint": np.nan}.get(bad, z)
        return spoilt(-0.5 * (z - 1.0) ** 2, rows, wrong)

    def gradient(z, rows):
        return spoilt(1.0 - z, rows, np.nan if bad == "nan gradient" else 100.0)

    found, converged = fit(
        Stub(log_joint, gradient, lambda z, _: 1.0 + 0 * z), THREE, 1.2
    )
    assert list(converged) == [True, False, True]
    np.testing.assert_allclose(found.center[:, 0], [1.0, -3.0, 1.0])
    width = [1.2, np.exp(-1.0), 1.2]
    np.testing.assert_allclose(found.factor[:, 0, 0], width)


def test_pairs_that_have_converged_are_not_asked_again():
    asked = []

    def curvature(z, rows):
        asked.append(list(rows))
        return np.where(rows == 2, 4.0, 1.0) + 0 * z  # steps of a quarter for row 2

    stub = Stub(lambda z, _: -50.0 * (z - 1.0) ** 2, lambda z, _: 1.0 - z, curvature)
    start = diagonal(np.array([[1.0], [1.0], [30.0]]), np.zeros((3, 1)))
    fit(stub, start, 1.0)
    assert asked[: laplace.MIN_STEPS] == [[0, 1, 2]] * laplace.MIN_STEPS
    assert len(asked) > laplace.MIN_STEPS and asked[-1] == [2]
