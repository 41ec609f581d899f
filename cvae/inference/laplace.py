"""The Laplace proposal: a Gaussian at the mode of p(z | x, y), with its curvature.

With a(z) the logits of x given y and z, m = σ(a) and the Jacobian J = ∂a/∂z,

    ∇ log p(x, z | y) = Jᵀ(x - m) - z,        H = Jᵀ diag(m (1 - m)) J + I,

where H, the generalized Gauss-Newton matrix (Schraudolph 2002), is minus the Hessian
but for the curvature of a(z). It is always positive definite. Steps of H⁻¹∇ find the
mode, and the proposal is N(mode, s² H⁻¹) (Laplace's method: Tierney & Kadane 1986),
with s a little above 1, as an importance weight must not grow in the tails.

All is float64 NumPy on n pairs (x, y) at once. A posterior is an object with

    log_joint(z): log p(x, z | y) `[particles, n]` of z `[particles, n, d]`,
    linearize(z): the gradient `[n, d]` and H `[n, d, d]` at z `[n, d]`,
    posterior[rows]: the same for some of the pairs.
"""

from typing import Any, Callable, NamedTuple, Tuple

import numpy as np

SCALE = 1.05  # s
MIN_STEPS, MAX_STEPS = 2, 10  # of the search for the mode
TOLERANCE = 0.5  # nats that the last step may promise
FRACTIONS = (1.0, 0.5, 0.25, 0.0)  # of a step that are tried; the best is taken
MAX_DIM = 1000  # of z; more would need a Jacobian of gigabytes


class Gaussians(NamedTuple):
    """Gaussians of n pairs: z = `center` + eps `factor`, with eps from N(0, I)."""

    center: np.ndarray  # [n, d]
    factor: np.ndarray  # [n, d, d]
    log_volume: np.ndarray  # [n], log |det factor|

    def sample(self, eps: np.ndarray) -> np.ndarray:
        """Return z, `[particles, n, d]`, of standard normal draws `eps`."""
        moved = np.matmul(eps.transpose(1, 0, 2), self.factor)
        return self.center + moved.transpose(1, 0, 2)

    def draws(self, z: np.ndarray) -> np.ndarray:
        """Return the eps `[n, d]` of which `sample` makes z `[n, d]`."""
        away = (z - self.center)[:, :, None]
        return np.linalg.solve(self.factor.transpose(0, 2, 1), away)[:, :, 0]

    def log_density(self, eps: np.ndarray) -> np.ndarray:
        """Return log q(z) of z = `sample(eps)`, for eps `[..., n, d]`: `[..., n]`."""
        d = eps.shape[-1]
        return -0.5 * ((eps**2).sum(-1) + d * np.log(2.0 * np.pi)) - self.log_volume

    def take(self, rows: Any) -> "Gaussians":
        """Return the Gaussians of some of the pairs."""
        return Gaussians(*(part[rows] for part in self))


def gaussians(center: np.ndarray, factor: np.ndarray) -> Gaussians:
    """Return the Gaussians of centers `[n, d]` and factors `[n, d, d]`."""
    return Gaussians(center, factor, np.linalg.slogdet(factor)[1])


def diagonal(mean: np.ndarray, logstd: np.ndarray) -> Gaussians:
    """Return N(mean, diag exp(logstd)²) of `[n, d]` each, as the encoder's q is."""
    std = np.exp(np.asarray(logstd, np.float64))
    factor = std[:, :, None] * np.eye(std.shape[1])
    return gaussians(np.asarray(mean, np.float64), factor)


def fit(
    posterior: Any,
    fallback: Gaussians,
    scale: float,
    go_on: Callable[[], None] = lambda: None,
) -> Tuple[Gaussians, np.ndarray]:
    """Return the Laplace proposal of each pair, and which searches converged, `[n]`.

    A search starts at the center of `fallback`. It has converged when the last step
    promised less than `TOLERANCE` nats: ∇ᵀH⁻¹∇ / 2, its gain if log p(x, z | y) were
    quadratic. Pairs whose search did not get there keep their `fallback`.

    Args:
        scale: s; `SCALE` is the shipped one.
        go_on: called before each step; it raises to end the search.
    """
    center, factor = fallback.center.copy(), fallback.factor.copy()
    converged = np.zeros(len(center), bool)
    todo, z = np.arange(len(center)), center.copy()
    for number in range(1, MAX_STEPS + 1):
        go_on()
        part = posterior[todo]
        gradient, curvature = part.linearize(z)
        is_finite = np.isfinite(gradient).all(1) & np.isfinite(curvature).all((1, 2))
        gradient[~is_finite], curvature[~is_finite] = 0.0, np.eye(z.shape[1])
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        promised = 0.5 * (gradient * step).sum(1)
        z = _best(part, z, step)
        done = (promised < TOLERANCE) & is_finite & (number >= MIN_STEPS)
        found = todo[done]
        converged[found], center[found] = True, z[done]
        factor[found] = scale * np.linalg.inv(np.linalg.cholesky(curvature[done]))
        z, todo = z[~done], todo[~done]
        if not len(todo):
            break
    return gaussians(center, factor), converged


def _best(posterior, z, step):
    """Return z moved by the one of `FRACTIONS` of each step that is most likely."""
    tried = np.stack([z + fraction * step for fraction in FRACTIONS])
    log_joint = posterior.log_joint(tried)
    best = np.where(np.isnan(log_joint), -np.inf, log_joint).argmax(0)
    return tried[best, np.arange(len(z))]
