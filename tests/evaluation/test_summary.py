"""Rates, intervals, growth and the latent space, each once more by its definition."""

import numpy as np
import pytest
import reference
from scipy import optimize, stats

from cvae.evaluation import summary
from cvae.evaluation.sandwich import Sandwich
from cvae.evaluation.summary import Measured


def measured(n=60, n_classes=4, d=5):
    """Numbers of that many images, drawn at random; the classes take turns."""
    random = np.random.RandomState(3)
    labels = np.arange(n) % n_classes
    log_likelihoods = -90.0 + 4.0 * random.standard_normal((n, n_classes))
    log_likelihoods[np.arange(n), labels] += 6.0
    own = np.sort(random.standard_normal((n, 3)), 1) - 80.0
    own[:, -1] = log_likelihoods[np.arange(n), labels]
    marginal = own - 2.0
    marginal[:, -1] = reference.log_mean_exp(log_likelihoods, 1)
    return Measured(
        labels,
        *random.standard_normal((4, n)),
        random.standard_normal((n, d)) * np.linspace(0.05, 1.0, d),
        0.1 * random.standard_normal((n, d)),
        (10, 100, 300),
        log_likelihoods,
        1.0 + 99.0 * random.random_sample(n),
        own,
        marginal,
        np.full((n, n_classes), 300.0),
        np.zeros((n, n_classes), bool),
    )


def test_every_mean_has_the_standard_error_of_a_mean():
    m = measured()
    results = summary.summarize(m)
    for name, values in (
        ("bound", m.bound),
        ("kl", m.kl),
        ("log_likelihood", m.own[:, -1]),
        ("marginal", m.marginal[:, -1]),
    ):
        assert results[name]["mean"] == pytest.approx(values.mean())
        assert results[name]["stderr"] == pytest.approx(stats.sem(values))
    assert results["marginal"]["particles"] == 300


def test_log_px_is_the_sum_over_classes_of_prior_times_likelihood():
    m = measured()
    expected = np.log((np.exp(m.decisive) / 4.0).sum(1))
    np.testing.assert_allclose(summary.marginal(m.decisive), expected)
    far = np.array([[-9000.0, -1e5, -9000.0, -1e9]])
    assert summary.marginal(far) == pytest.approx([-9000.0 + np.log(0.5)])


def test_growth_has_the_paired_gain_of_each_level():
    m = measured()
    first, second, third = summary.summarize(m)["growth"]
    assert [row["particles"] for row in (first, second, third)] == [10, 100, 300]
    assert "gain" not in first
    gain = m.own[:, 2] - m.own[:, 1]
    assert third["gain"]["mean"] == pytest.approx(gain.mean())
    assert third["gain"]["stderr"] == pytest.approx(stats.sem(gain))
    assert second["marginal"]["mean"] == pytest.approx(m.marginal[:, 1].mean())


def test_the_classifier_follows_bayes_rule():
    m = measured()
    found = summary.summarize(m)["classifier"]
    weights = np.exp(m.decisive - m.decisive.max(1, keepdims=True))
    posterior = weights / weights.sum(1, keepdims=True)
    predicted = posterior.argmax(1)
    wrong = predicted != m.labels
    assert 0 < found["errors"] == wrong.sum() and found["n_images"] == 60
    assert found["particles"] == 1000  # decide a close call, of estimates from 300
    assert found["error_rate"] == pytest.approx(wrong.mean())
    log_loss = -np.log(posterior[np.arange(60), m.labels])
    assert found["log_loss"]["mean"] == pytest.approx(log_loss.mean())
    for a in range(4):
        for b in range(4):
            both = (m.labels == a) & (predicted == b)
            assert found["confusion"][a][b] == both.sum()
    odds = np.log(posterior[np.arange(60), predicted] / np.exp(-log_loss))
    assert [row["log_odds"] for row in found["mistakes"]] == pytest.approx(
        sorted(odds[wrong], reverse=True)
    )
    for row in found["mistakes"]:
        i = row["image"]
        assert (row["class"], row["predicted"]) == (m.labels[i], predicted[i])


def test_at_most_twenty_mistakes_are_listed():
    m = measured(400)
    m = m._replace(labels=(m.labels + 1) % 4)
    assert len(summary.summarize(m)["classifier"]["mistakes"]) == 20


@pytest.mark.parametrize("errors, n", [(0, 50), (1, 10000), (140, 10000), (7, 7)])
def test_the_interval_holds_the_rates_that_a_score_test_does_not_reject(errors, n):
    """Wilson: |share - p| <= 1.96 sqrt(p (1 - p) / n), solved for p by bisection."""
    share, z = errors / n, stats.norm.ppf(0.975)

    def excess(p):
        return (share - p) ** 2 - z**2 * p * (1 - p) / n

    # The share itself is a root where it is 0 or 1: beside it lies the other one.
    low = optimize.brentq(excess, 0.0, min(share, 1 - 1e-6)) if errors else 0.0
    high = optimize.brentq(excess, max(share, 1e-6), 1.0) if errors < n else 1.0
    assert summary.wilson(errors, n) == pytest.approx((low, high), abs=1e-9)


def test_a_unit_is_active_where_its_posterior_mean_varies_over_images():
    m = measured()
    found = summary.summarize(m)["latent"]
    covariance = np.cov(m.mean.T)
    np.testing.assert_allclose(found["activity"], np.diag(covariance))
    assert found["active"] == (np.diag(covariance) > 0.01).sum() == 4
    q = stats.norm(m.mean, np.exp(m.logstd))
    cross_entropy = 0.5 * (q.mean() ** 2 + q.var() + np.log(2 * np.pi))
    np.testing.assert_allclose(found["kl"], (cross_entropy - q.entropy()).mean(0))


def test_the_class_rows_add_up_to_the_whole():
    m = measured()
    results = summary.summarize(m)
    rows = results["per_class"]
    assert [row["class"] for row in rows] == [0, 1, 2, 3]
    assert sum(row["errors"] for row in rows) == results["classifier"]["errors"]
    for name in ("bound", "kl", "log_likelihood", "marginal"):
        whole = sum(row["n"] * row[name] for row in rows) / 60
        assert whole == pytest.approx(results[name]["mean"])


def test_effective_sample_sizes_are_the_middle_and_the_low_end():
    m = measured()
    found = summary.summarize(m)["ess"]
    ordered = np.sort(m.ess)
    assert found["median"] == pytest.approx(ordered[29:31].mean())
    assert ordered[2] <= found["p5"] <= ordered[3]


def test_searches_without_end_are_counted_and_their_images_named():
    m = measured()
    assert summary.summarize(m)["fallback"] == {"pairs": 0, "images": []}
    m.fallback[[3, 3, 7], [0, 1, 2]] = True
    assert summary.summarize(m)["fallback"] == {"pairs": 3, "images": [3, 7]}


def test_the_encoders_proposal_is_compared_image_by_image():
    m = measured()
    rows = np.random.RandomState(4).standard_normal((10, 3)) - 85.0
    rows[:, -1] = np.arange(1.0, 11.0)
    found = summary.of_encoder((10, 50), rows, m)
    assert found["images"] == 10
    assert [row["particles"] for row in found["growth"]] == [10, 50]
    for row, column in zip(found["growth"], rows.T):
        assert row["log_likelihood"]["mean"] == pytest.approx(column.mean())
        assert row["log_likelihood"]["stderr"] == pytest.approx(stats.sem(column))
    assert found["ess"]["median"] == 5.5 and found["ess"]["particles"] == 50
    gap = m.own[:10, -1] - rows[:, 1]
    assert found["difference"]["mean"] == pytest.approx(gap.mean())
    assert found["difference"]["stderr"] == pytest.approx(stats.sem(gap))
    assert found["laplace"]["mean"] == pytest.approx(m.own[:10, -1].mean())


def test_the_sandwich_has_means_errors_and_the_paired_gap():
    below, above = np.array([-5.0, -6.0, -7.0]), np.array([-4.0, -5.5, -6.5])
    found = summary.of_sandwich(Sandwich(below, above, np.array([0.2, 0.4, 0.6])))
    assert found["images"] == 3 and found["acceptance"] == pytest.approx(0.4)
    assert found["below"] == pytest.approx({"mean": -6.0, "stderr": 3**-0.5})
    assert found["above"]["mean"] == pytest.approx(-16 / 3)
    assert found["gap"] == pytest.approx({"mean": 2 / 3, "stderr": 1 / 6})
