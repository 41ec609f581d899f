"""The explorer in a real browser: its numbers are Python's."""

import explored
import numpy as np
import pytest
from browser import SIX
from explorer_pages import BITS, CONFIGS, DONE

from cvae.inference import importance, laplace
from cvae.inference.trained import Model

IMAGES = 20
ESTIMATED = """
const { logMarginal, classes } = window.estimated;
return [logMarginal, ...["logLikelihood", "probability", "particles"].map(
  (name) => classes.map((found) => found[name]))];
"""


def test_what_is_written_by_mouse_gets_pythons_probabilities(pages, browser):
    run = pages.runs["best"]
    browser.show(pages["best"])
    browser.drag("#sketch", SIX)
    browser.wait(DONE)
    bits = np.array(browser.run(BITS), np.uint8)
    marginal, js, probabilities, particles = browser.run(ESTIMATED)
    with Model(run.config, run.weights()) as model:
        logs = [
            log_likelihood(model, bits, label, count)
            for label, count in enumerate(particles)
        ]
    np.testing.assert_allclose(js, logs, rtol=0, atol=2e-3)
    shares = np.exp(logs - np.logaddexp.reduce(logs))
    assert shares.argmax() == 6
    np.testing.assert_allclose(probabilities, shares, atol=2e-3)
    assert abs(marginal - np.logaddexp.reduce(logs) + np.log(10)) < 2e-3
    printed = browser.run(
        "return [...document.querySelectorAll('.bar .share')].map(s => s.textContent)"
    )
    assert printed[6] == f"{100 * probabilities[6]:.1f} %"


def log_likelihood(model, bits, label, particles):
    """log p(x | y) from as many of the page's draws."""
    d = model.config.z_dim
    eps = explored.normals(label + 1, particles * d).reshape(particles, 1, d)
    some = bits[None], np.array([label])
    proposals = laplace.diagonal(*model.encode(*some))
    log_weights = importance.log_weights(model.posterior(*some), proposals, eps)
    return importance.log_mean_exp(log_weights, 0)[0]


@pytest.mark.parametrize("simd", [True, False], ids=["simd", "plain"])
@pytest.mark.parametrize("name", ["best", *CONFIGS])
def test_networks_bound_and_weights_are_pythons(name, simd, pages, mnist, browser):
    config = pages.runs[name].config
    bits, labels = some_bits(config, mnist)
    random = np.random.RandomState(4)
    z = random.standard_normal((IMAGES, config.z_dim)).astype(np.float32)
    eps = random.standard_normal((5, IMAGES, config.z_dim)).astype(np.float32)
    with Model(config, pages.runs[name].weights()) as model:
        mean, logstd = model.encode(bits, labels)
        x_mean = model.decode(labels, z)
        posterior, q = model.posterior(bits, labels), laplace.diagonal(mean, logstd)
        log_weights = importance.log_weights(posterior, q, eps)
    browser.show(pages[name])
    rows = [
        ["weigh", bits[i].tolist(), int(labels[i]), eps[:, i].ravel().tolist()]
        for i in range(IMAGES)
    ]
    encode = ["encode", bits.ravel().tolist(), labels.tolist()]
    means = ["means", labels.tolist(), z.ravel().tolist()]
    answers = browser.calls(encode, means, *rows, simd=simd)
    (_, has_kernel), (_, encoded), (_, found), *weighed = answers
    assert has_kernel == simd
    near = {"rtol": 0, "atol": 1e-4}
    np.testing.assert_allclose(encoded["mean"], mean.ravel(), **near)
    np.testing.assert_allclose(encoded["logstd"], logstd.ravel(), **near)
    np.testing.assert_allclose(found, x_mean.ravel(), **near)
    js = np.transpose([value["logWeights"] for _, value in weighed])
    np.testing.assert_allclose(js, log_weights, rtol=0, atol=1e-3)
    np.testing.assert_allclose(js.mean(0), log_weights.mean(0), rtol=0, atol=1e-3)


def test_the_worker_answers_while_it_estimates(pages, mnist, browser):
    browser.show(pages["large"])
    bits, _ = some_bits(CONFIGS["large"], mnist)
    calls = [["estimate", bits[0].tolist()], ["means", [3], [0.0] * 7]]
    order = [number for number, _ in browser.calls(*calls)]
    assert order == [-1, 1, 0]


def test_an_estimate_gives_way_to_a_newer_one(pages, mnist, browser):
    browser.show(pages["large"])
    bits, _ = some_bits(CONFIGS["large"], mnist)
    calls = [["estimate", some.tolist()] for some in bits[:2]]
    _, first, second = browser.calls(*calls)
    assert first == [0, None] and second[1]["isDone"]


def some_bits(config, mnist):
    """The same 20 images and classes in every test."""
    random = np.random.RandomState(3)
    if config.x_dim == 784:
        bits = (mnist.test.images[:IMAGES] > 127).astype(np.uint8)
        return bits, mnist.test.labels[:IMAGES].astype(int)
    bits = (random.random_sample((IMAGES, config.x_dim)) < 0.3).astype(np.uint8)
    return bits, random.randint(0, config.n_classes, IMAGES)
