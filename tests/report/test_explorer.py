"""The explorer in a real browser: its numbers are Python's, every control works."""

import json
import re

import browser as browsers
import explored
import numpy as np
import pytest
import tiny

from cvae.config import Config
from cvae.data.dataset import Dataset, Split
from cvae.inference import importance, laplace
from cvae.inference.trained import Model
from cvae.report import explorer
from cvae.runs import pretrained
from cvae.runs.run import Run

IMAGES = 20
CONFIGS = {
    "dense": Config(hidden=(120, 50), z_dim=10, film=True),
    "small": Config(
        **{"network": "conv", "n_classes": 2, "x_dim": 64, "z_dim": 1, "blocks": 2},
        **{"channels": (3,), "hidden": (3,), "activation": "relu"},
    ),
    "large": Config(
        n_classes=62, x_dim=1024, z_dim=7, hidden=(33,), activation="tanh"
    ),
}
SIX = [(0.62, 0.12), (0.45, 0.3), (0.35, 0.5), (0.33, 0.7), (0.42, 0.86), (0.58, 0.86)]
SIX += [(0.66, 0.74), (0.62, 0.6), (0.5, 0.56), (0.38, 0.64)]
BITS = """
const canvas = document.getElementById("given"), side = canvas.width;
const data = canvas.getContext("2d").getImageData(0, 0, side, side).data;
return Array.from({ length: side * side }, (_, i) => Number(data[4 * i + 3] > 0));
"""
LOOKS = """return [...document.querySelectorAll(arguments[0])].map(
  (canvas) => canvas.toDataURL());"""
DONE = """return !document.getElementById("progress").textContent.includes("…")
  && document.querySelector("[data-number=ess]").textContent !== "–";"""


@pytest.fixture(scope="session")
def chromium():
    try:
        with browsers.started() as found:
            yield found
    except browsers.Lacking as reason:
        pytest.skip(str(reason))


@pytest.fixture
def browser(chromium):
    """The browser; at the end of a test, its console is empty."""
    chromium.look(1200)
    yield chromium
    assert chromium.errors() == []


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Runs by name: with random weights, and the published one, of convolutions."""
    folder = tmp_path_factory.mktemp("runs")
    found = {name: explored.run(folder / name, c) for name, c in CONFIGS.items()}
    return dict(found, best=Run(pretrained.HERE))


@pytest.fixture(scope="session")
def pages(runs, mnist, tmp_path_factory):
    """The runs' pages by name."""
    folder, paths = tmp_path_factory.mktemp("pages"), {}
    few = tiny.dataset(mnist)
    for name, run in runs.items():
        paths[name] = folder / f"{name}.html"
        fits = run.config.x_dim == 784
        explorer.write(run, paths[name], few if fits else None)
    return paths


def some_bits(config, mnist):
    """The same 20 images and classes in every test."""
    random = np.random.RandomState(3)
    if config.x_dim == 784:
        bits = (mnist.test.images[:IMAGES] > 127).astype(np.uint8)
        return bits, mnist.test.labels[:IMAGES].astype(int)
    bits = (random.random_sample((IMAGES, config.x_dim)) < 0.3).astype(np.uint8)
    return bits, random.randint(0, config.n_classes, IMAGES)


@pytest.mark.parametrize("simd", [True, False], ids=["simd", "plain"])
@pytest.mark.parametrize("name", ["best", *CONFIGS])
def test_networks_bound_and_weights_are_pythons(
    name, simd, runs, pages, mnist, browser
):
    config = runs[name].config
    bits, labels = some_bits(config, mnist)
    random = np.random.RandomState(4)
    z = random.standard_normal((IMAGES, config.z_dim)).astype(np.float32)
    eps = random.standard_normal((5, IMAGES, config.z_dim)).astype(np.float32)
    with Model(config, runs[name].weights()) as model:
        mean, logstd = model.encode(bits, labels)
        x_mean = model.decode(labels, z)
        posterior, q = model.posterior(bits, labels), laplace.diagonal(mean, logstd)
        log_weights = importance.log_weights(posterior, q, eps)
    browser.open(pages[name])
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


def test_a_padded_side_is_an_image_amid_zeros(runs, pages, browser):
    """Image and padding stay apart where the image is scaled to -1 and 1."""
    config, side = runs["small"].config, 6
    bits = np.random.RandomState(5).randint(0, 2, (1, side, side))
    browser.open(pages["small"])
    settings = {"side": side, "padded": 8, "x_dim": side * side}
    calls = [["encode", bits.ravel().tolist(), [1]], ["decode", [1], [0.5]]]
    _, (_, encoded), (_, logits) = browser.calls(*calls, settings=settings)
    _, (_, whole) = browser.calls(["decode", [1], [0.5]])
    inner = np.reshape(whole, (8, 8))[1:7, 1:7]
    np.testing.assert_array_equal(np.reshape(logits, (side, side)), inner)
    # Half-way between the bits, 2 x - 1 is zero.
    framed = np.full((8, 8), 0.5)
    framed[1:7, 1:7] = bits[0]
    _, (_, expected) = browser.calls(["encode", framed.ravel().tolist(), [1]])
    assert encoded == expected and config.side == 8


def test_what_is_written_by_mouse_gets_pythons_probabilities(
    runs, pages, mnist, browser
):
    run = runs["best"]
    browser.open(pages["best"])
    browser.wait(DONE)
    browser.drag("#sketch", SIX)
    browser.wait(DONE)
    bits = np.array(browser.run(BITS), np.uint8)
    _, (_, summary) = browser.calls(["estimate", bits.tolist()])
    with Model(run.config, run.weights()) as model:
        logs = [
            log_likelihood(model, bits, label, found["particles"])
            for label, found in enumerate(summary["classes"])
        ]
    js = [found["logLikelihood"] for found in summary["classes"]]
    np.testing.assert_allclose(js, logs, rtol=0, atol=2e-3)
    shares = np.exp(logs - np.logaddexp.reduce(logs))
    assert shares.argmax() == 6
    np.testing.assert_allclose(
        [found["probability"] for found in summary["classes"]], shares, atol=2e-3
    )
    assert abs(summary["logMarginal"] - np.logaddexp.reduce(logs) + np.log(10)) < 2e-3
    printed = browser.run(
        "return [...document.querySelectorAll('.bar .share')].map(s => s.textContent)"
    )
    assert printed[6] == f"{100 * summary['classes'][6]['probability']:.1f} %"


def log_likelihood(model, bits, label, particles):
    """log p(x | y) from as many of the page's draws."""
    d = model.config.z_dim
    eps = explored.normals(label + 1, particles * d).reshape(particles, 1, d)
    some = bits[None], np.array([label])
    proposals = laplace.diagonal(*model.encode(*some))
    log_weights = importance.log_weights(model.posterior(*some), proposals, eps)
    return importance.log_mean_exp(log_weights, 0)[0]
