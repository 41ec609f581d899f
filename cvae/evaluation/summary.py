"""Summarize measured numbers as `evaluation.json`: means, errors, rates, in NumPy."""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from cvae.evaluation import sandwich
from cvae.evaluation.sandwich import Sandwich
from cvae.inference.estimates import decisive_particles
from cvae.inference.importance import log_mean_exp

ACTIVE = 0.01  # Cov_x(E_q[z_u]) above which a unit is active
LISTED = 20  # images of a kind, at most
_NORMAL_95 = 1.959963984540054  # the normal distribution's 97.5 % point


class Measured(NamedTuple):
    """The values of each test image, float64, in nats unless stated otherwise."""

    labels: np.ndarray  # [n]
    bound: np.ndarray  # [n], one sample of z each, as are its two parts
    reconstruction: np.ndarray
    kl_sampled: np.ndarray
    kl: np.ndarray  # [n], in closed form
    mean: np.ndarray  # [n, d], of q(z | x, y), y being the image's class
    logstd: np.ndarray  # [n, d], log standard deviation of the same q
    levels: Tuple[int, ...]  # numbers of particles; `ess` is at the last one
    decisive: np.ndarray  # [n, K], log p(x | y) of each y for Bayes' rule
    ess: np.ndarray  # [n], effective sample size of the image's class
    own: np.ndarray  # [n, levels], log p(x | y) of the image's class at each level
    marginal: np.ndarray  # [n, levels], log p(x)
    particles: np.ndarray  # [n, K], number of particles of `decisive`
    fallback: np.ndarray  # [n, K], whether no mode was found for the proposal


def summarize(measured: Measured) -> Dict[str, Any]:
    """Return the entries of `evaluation.json` on the test images."""
    particles = measured.levels[-1]
    quantities = _quantities(measured)
    results: Dict[str, Any] = {k: mean_and_stderr(v) for k, v in quantities.items()}
    results["log_likelihood"]["particles"] = particles
    results["marginal"]["particles"] = particles
    results["growth"] = _growth(measured)
    results["ess"] = _ess(measured.ess, particles)
    failed = measured.fallback.any(1)
    results["fallback"] = {
        "pairs": int(measured.fallback.sum()),
        "images": np.flatnonzero(failed)[:LISTED].tolist(),
    }
    results["classifier"] = dict(
        _classifier(measured.decisive, measured.labels),
        particles=decisive_particles(particles),
    )
    results["latent"] = _latent(measured.mean, measured.logstd)
    results["per_class"] = _per_class(measured, quantities)
    results["n_images"] = len(measured.labels)
    return results


def arrays(measured: Measured) -> Dict[str, np.ndarray]:
    """Return the arrays of `evaluation.npz`, except for the step."""
    return dict(
        _quantities(measured),
        ess=measured.ess,
        log_likelihoods=measured.decisive,
        particles=measured.particles.astype(np.int32),
    )


def of_encoder(
    marks: Sequence[int], rows: np.ndarray, measured: Measured
) -> Dict[str, Any]:
    """Return "encoder" of `evaluation.json`: the same images by the encoder's proposal.

    Args:
        marks: the numbers of particles.
        rows: log p(x | y) of the first images at each of them, and the effective sample
            size at the last, `[n, levels + 1]`.
    """
    estimates, ess = rows[:, :-1], rows[:, -1]
    laplace = measured.own[: len(rows), -1]
    return {
        "images": len(rows),
        "growth": [
            {"particles": particles, "log_likelihood": mean_and_stderr(column)}
            for particles, column in zip(marks, estimates.T)
        ],
        "ess": _ess(ess, marks[-1]),
        "laplace": mean_and_stderr(laplace),
        "difference": mean_and_stderr(laplace - estimates[:, -1]),
    }


def of_sandwich(found: Sandwich) -> Dict[str, Any]:
    """Return "sandwich" of `evaluation.json`: means over simulated images, in nats."""
    return {
        "images": len(found.below),
        "particles": sandwich.PARTICLES,
        "steps": sandwich.STEPS,
        "acceptance": float(found.acceptance.mean()),
        "below": mean_and_stderr(found.below),
        "above": mean_and_stderr(found.above),
        "gap": mean_and_stderr(found.above - found.below),
    }


def mean_and_stderr(values: np.ndarray) -> Dict[str, float]:
    """Return mean and standard error over images."""
    values = np.asarray(values, np.float64)
    stderr = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "stderr": float(stderr)}


def marginal(log_likelihoods: np.ndarray) -> np.ndarray:
    """Return log p(x) = log Σ_y π_y p(x | y), π_y = 1/K, of log p(x | y) `[…, K]`."""
    return log_mean_exp(log_likelihoods, -1)


def wilson(errors: int, n: int) -> Tuple[float, float]:
    """Return the 95 % interval of a rate of `errors` in `n` (Wilson 1927)."""
    square = _NORMAL_95**2
    middle = (errors + square / 2) / (n + square)
    half = _NORMAL_95 * np.sqrt(errors * (n - errors) / n + square / 4) / (n + square)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _ess(values, particles):
    median, p5 = (float(np.percentile(values, share)) for share in (50, 5))
    return {"median": median, "p5": p5, "particles": particles}


def _quantities(measured):
    return {
        "bound": measured.bound,
        "reconstruction": measured.reconstruction,
        "kl": measured.kl,
        "kl_sampled": measured.kl_sampled,
        "log_likelihood": measured.own[:, -1],
        "marginal": measured.marginal[:, -1],
    }


def _growth(measured):
    rows = []
    for column, particles in enumerate(measured.levels):
        own = measured.own[:, column]
        row = {
            "particles": particles,
            "log_likelihood": mean_and_stderr(own),
            "marginal": mean_and_stderr(measured.marginal[:, column]),
        }
        if column:
            row["gain"] = mean_and_stderr(own - measured.own[:, column - 1])
        rows.append(row)
    return rows


def _classifier(log_likelihoods, labels):
    """Summarize Bayes' rule: p(y | x) is proportional to p(x | y), as all π_y are 1/K.

    A mistake's log-odds are those of the predicted class against the true class.
    """
    n, n_classes = log_likelihoods.shape
    predicted = log_likelihoods.argmax(1)
    own = log_likelihoods[np.arange(n), labels]
    log_odds = log_likelihoods.max(1) - own
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-log_odds[wrong], kind="stable")][:LISTED]
    confusion = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    low, high = wilson(len(wrong), n)
    return {
        "errors": len(wrong),
        "n_images": n,
        "error_rate": len(wrong) / n,
        "low": low,
        "high": high,
        "log_loss": mean_and_stderr(
            marginal(log_likelihoods) + np.log(n_classes) - own
        ),
        "confusion": confusion.tolist(),
        "mistakes": [
            {
                "image": int(i),
                "class": int(labels[i]),
                "predicted": int(predicted[i]),
                "log_odds": float(log_odds[i]),
            }
            for i in worst
        ],
    }


def _latent(mean, logstd):
    """Summarize KL of each dimension and active units (Burda et al. 2016, section 5.2).

    A unit is active if the variance of its posterior mean over test images is above
    `ACTIVE`.
    """
    kl = 0.5 * (np.exp(2.0 * logstd) + mean**2 - 1.0 - 2.0 * logstd)
    activity = mean.var(0, ddof=1) if len(mean) > 1 else np.zeros(mean.shape[1])
    return {
        "kl": kl.mean(0).tolist(),
        "activity": activity.tolist(),
        "active": int((activity > ACTIVE).sum()),
        "threshold": ACTIVE,
    }


def _per_class(measured, quantities):
    wrong = measured.decisive.argmax(1) != measured.labels
    rows = []
    for c in range(measured.decisive.shape[1]):
        chosen = measured.labels == c
        if chosen.any():
            means = {k: float(v[chosen].mean()) for k, v in quantities.items()}
            counts = {"n": int(chosen.sum()), "errors": int(wrong[chosen].sum())}
            rows.append(dict(means, **{"class": c}, **counts))
    return rows
