"""The explorer in a real browser: its numbers are Python's, every control works."""

import re
from functools import partial

import browser as browsers
import explored
import numpy as np
import pytest
import tiny
from browser import SIX

from cvae.config import Config
from cvae.inference import importance, laplace
from cvae.inference.trained import Model
from cvae.report import explorer
from cvae.runs import pretrained
from cvae.runs.run import Run
from cvae.storage import files

IMAGES = 20
CONFIGS = {  # "small" has a side that its channel cannot halve
    "dense": Config(hidden=(120, 50), z_dim=10, film=True),
    "small": Config(
        **{"network": "conv", "n_classes": 2, "x_dim": 81, "z_dim": 1, "blocks": 2},
        **{"channels": (3,), "hidden": (3,), "activation": "relu"},
    ),
    "large": Config(n_classes=62, x_dim=1024, z_dim=7, hidden=(33,), activation="tanh"),
}
BITS = """
const canvas = document.getElementById("given"), side = canvas.width;
const data = canvas.getContext("2d").getImageData(0, 0, side, side).data;
return Array.from({ length: side * side }, (_, i) => Number(data[4 * i + 3] > 0));
"""
LOOKS = """return [...document.querySelectorAll(arguments[0])].map(
  (canvas) => canvas.toDataURL());"""
DONE = f"""{browsers.IDLE}
  && document.querySelector("[data-number=ess]").textContent !== "\u2013";"""


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


class Pages(dict):
    """The runs' pages by name, each built when it is first asked for."""

    def __init__(self, runs, mnist, folder):
        super().__init__()
        self._runs, self._mnist, self._folder = runs, mnist, folder

    def __missing__(self, name):
        run, self[name] = self._runs[name], self._folder / f"{name}.html"
        fits = run.config.x_dim == 784
        explorer.write(run, self[name], tiny.dataset(self._mnist) if fits else None)
        return self[name]


@pytest.fixture(scope="session")
def pages(runs, mnist, tmp_path_factory):
    return Pages(runs, mnist, tmp_path_factory.mktemp("pages"))


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


# ---------------------------------------------------------------- controls

CLICKS = {  # a button, and the canvases that it changes
    "#undo": ["#sketch", "#given"],
    "#clear": ["#sketch", "#given", "#reconstruction", "#tiles canvas", "#flow-z"],
    "#strip button:nth-child(5)": [
        "#sketch",
        "#given",
        "#reconstruction",
        "#tiles canvas",
    ],
    "#bars [aria-pressed=false]": ["#reconstruction", "#tiles canvas", "#flow-z"],
    "#tiles [aria-pressed=false]": ["#image"],
    "#classes [aria-pressed=false]": ["#image", "#path canvas"],
    "#prior": ["#image", "#pad", "#classes canvas"],
    "#zero": ["#image", "#pad", "#classes canvas"],
    "#bits": ["#image", "#tiles canvas", "#rows canvas", "#path canvas"],
    "#rows button:nth-child(2)": ["#image", "#pad"],
    "#new-rows": ["#rows canvas"],
    "#path button:nth-child(6)": ["#image", "#pad"],
    "#keep-0": ["#keep-0 canvas", "#path canvas"],
    "#keep-1": ["#keep-1 canvas", "#path canvas"],
    "#again": ["#flow-z", "#flow-made"],
}
WITH_STROKES = ("#undo", "#clear", "#strip button:nth-child(5)")
SLIDES = {"#sliders input": ["#image", "#pad"], "#share": ["#image", "#pad"]}
PLACE = """
const target = document.querySelector(arguments[0]);
target.scrollIntoView({ block: "center", behavior: "instant" });
target.focus({ preventScroll: true });
"""


@pytest.fixture
def written(pages, browser):
    """The page of dense layers, with a digit written on it."""
    browser.open(pages["dense"])
    browser.wait(DONE)
    browser.drag("#sketch", SIX)
    browser.wait(DONE)
    return browser


def press(browser, selector, by):
    """Activate a button by "mouse", "touch" or "keyboard"."""
    if by == "keyboard":
        browser.run(PLACE, selector)
        key(browser, " ")
    else:
        browser.drag(selector, [(0.5, 0.5)], touch=by == "touch")


def key(browser, name, times=1):
    codes = {" ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
    codes.update(Backspace=8, Delete=46, Home=36, End=35)
    found = {"key": name, "windowsVirtualKeyCode": codes[name]}
    for _ in range(times):
        browser.cdp(
            "Input.dispatchKeyEvent",
            type="keyDown",
            text=name[:1] * (name == " "),
            **found,
        )
        browser.cdp("Input.dispatchKeyEvent", type="keyUp", **found)


def assert_changes(browser, canvases, act):
    before = {one: browser.run(LOOKS, one) for one in canvases}
    act()
    for one in canvases:
        browser.wait(
            "const [one, before] = arguments;"
            "return [...document.querySelectorAll(one)].some("
            "  (canvas, i) => canvas.toDataURL() !== before[i]);",
            one,
            before[one],
        )


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_every_button_works_by(by, written):
    written.look(1200, touch=by == "touch")
    for selector, canvases in CLICKS.items():
        written.run("document.querySelector('#strip button:nth-child(9)').click()")
        if selector in WITH_STROKES:
            written.drag("#sketch", SIX, by == "touch")
        written.wait(DONE)
        assert_changes(written, canvases, partial(press, written, selector, by))
        if selector == "#bits":
            press(written, selector, by)
    alike = ("strip", "bars", "tiles", "classes", "rows", "path")
    others = written.run(
        "return [...document.querySelectorAll('button, input[type=checkbox]')]"
        "  .filter((one) => !one.matches(arguments[0])).map((one) => one.id);",
        ", ".join([*CLICKS, *(f"#{one} button" for one in alike)]),
    )
    assert others == ["back"]  # which the next test presses


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_the_way_back_from_an_exploration_is_to_the_written(by, written):
    written.look(1200, touch=by == "touch")
    before = written.run(LOOKS, "#image")
    assert_changes(written, ["#image"], lambda: press(written, "#prior", by))
    press(written, "#back", by)
    written.wait(
        "return document.getElementById('image').toDataURL() === arguments[0]",
        before[0],
    )


@pytest.mark.parametrize("by", ["mouse", "touch", "keyboard"])
def test_sliders_and_pad_move_z_by(by, written):
    written.look(1200, touch=by == "touch")

    def slide(selector):
        if by == "keyboard":
            written.run(PLACE, selector)
            key(written, "ArrowRight", times=5)
        else:
            written.drag(selector, [(0.5, 0.5), (0.6, 0.5), (0.9, 0.5)], by == "touch")

    for selector, canvases in SLIDES.items():
        assert_changes(written, canvases, partial(slide, selector))
    if by == "keyboard":
        written.run(PLACE, "#pad")
        assert_changes(written, ["#image"], lambda: key(written, "ArrowUp", times=5))
    else:
        drag = [(0.5, 0.5), (0.3, 0.3), (0.2, 0.75)]
        assert_changes(
            written, ["#image"], lambda: written.drag("#pad", drag, by == "touch")
        )
        point = written.run("return document.getElementById('pad').ariaValueText")
        first = written.run(
            "return document.querySelector('.slider output').textContent"
        )
        assert float(point.split(",")[0].replace("\u2212", "-")) == pytest.approx(
            (2 * 0.2 - 1) * 3.25, abs=0.05
        )
        assert point.startswith(first.strip())
    press(written, "#more summary", by)
    written.wait("return document.querySelector('#more').open")
    assert_changes(written, ["#image"], partial(slide, "#more input"))


def test_a_digit_is_written_by_the_keyboard_and_by_touch(written):
    browser = written
    press(browser, "#clear", "keyboard")
    assert not any(browser.run(BITS))
    browser.run(PLACE, "#sketch")
    key(browser, " ")
    key(browser, "ArrowDown", times=15)
    browser.wait(DONE)
    bits = np.reshape(browser.run(BITS), (28, 28))
    rows, columns = np.nonzero(bits)
    assert 18 <= np.ptp(rows) <= 22 and np.ptp(columns) <= 4
    key(browser, "Delete")
    assert not any(browser.run(BITS))
    browser.look(400, touch=True)
    browser.drag("#sketch", [(0.1, 0.5), (0.2, 0.5), (0.3, 0.5)], touch=True)
    bits = np.reshape(browser.run(BITS), (28, 28))
    rows, columns = np.nonzero(bits)
    assert 18 <= np.ptp(columns) <= 22 and np.ptp(rows) <= 4


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_written_is_centred_by_mass_and_fills_20_pixels(scale, written):
    press(written, "#clear", "mouse")
    placed = [(0.02 + scale * 0.9 * x, 0.05 + scale * 0.9 * y) for x, y in SIX]
    written.drag("#sketch", placed)
    rows, columns = np.nonzero(np.reshape(written.run(BITS), (28, 28)))
    assert abs(rows.mean() - 13.5) < 0.5 and abs(columns.mean() - 13.5) < 0.5
    assert 18 <= np.ptp(rows) <= 21


def test_the_worker_answers_while_it_estimates(pages, mnist, browser):
    browser.open(pages["best"])
    bits, _ = some_bits(Config(), mnist)
    calls = [["estimate", bits[0].tolist()], ["means", [3], [0.0] * 40]]
    order = [number for number, _ in browser.calls(*calls)]
    assert order == [-1, 1, 0]


def test_an_estimate_gives_way_to_a_newer_one(pages, mnist, browser):
    browser.open(pages["best"])
    bits, _ = some_bits(Config(), mnist)
    calls = [["estimate", some.tolist()] for some in bits[:2]]
    _, first, second = browser.calls(*calls)
    assert first == [0, None] and second[1]["isDone"]


# ---------------------------------------------------------------- looks

CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = colour.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92
    : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
  if (element.matches("script, option")) continue;
  let behind = element;
  while (behind && rgb(getComputedStyle(behind).backgroundColor)[3] === 0) {
    behind = behind.parentElement;
  }
  const back = getComputedStyle(behind || document.documentElement).backgroundColor;
  const parts = [getComputedStyle(element).color, back];
  const [low, high] = parts.map((c) => light(rgb(c).slice(0, 3))).sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) found.push([walker.currentNode.textContent, ...parts, ratio]);
}
return found;
"""
NAMELESS = """return [...document.querySelectorAll(
  "button, input, canvas[tabindex], summary")]
  .filter((one) => !(one.ariaLabel || one.textContent.trim()
    || (one.labels && [...one.labels].some((label) => label.textContent.trim()))))
  .map((one) => one.outerHTML);"""
SMALL = """return [...document.querySelectorAll("button, input, summary")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 24 || box.width < (box.height < 30 ? 20 : 24))
  .filter(([html]) => !html.includes("checkbox")).map(([html]) => html);"""
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(
  ...list.getEntries().map((entry) => [
  entry.value, ...entry.sources.map(({ node }) => node && (node.id || node.nodeName)),
]))).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("name", ["dense", "large"])
@pytest.mark.parametrize("width", [360, 900, 1600])
def test_the_page_fits_every_width_and_nothing_moves(name, width, pages, browser):
    browser.look(width)
    browser.open(pages[name])
    browser.run(SHIFTS)
    root = "document.documentElement."
    assert browser.run(f"return {root}scrollWidth") == width
    browser.drag("#sketch", SIX)
    browser.wait(DONE)
    for button in (
        "#prior",
        "#bits",
        "#new-rows",
        "#tiles button",
        "#keep-0",
        "#clear",
    ):
        press(browser, button, "mouse")
    browser.wait(browsers.IDLE)
    assert browser.run(f"return {root}scrollWidth") == width
    assert browser.run("return window.shifts") == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast_and_controls_have_names_and_sizes(dark, written):
    for width in (360, 1200):
        written.look(width, dark=dark)
        assert written.run(CONTRAST) == []
        assert written.run(NAMELESS) == []
        assert written.run(SMALL) == []


def test_dark_and_light_images_have_the_page_s_colours(written):
    ink = """
    const context = document.getElementById("given").getContext("2d");
    const { data } = context.getImageData(0, 0, 28, 28);
    return data[data.findIndex((value, i) => i % 4 === 3 && value) - 3];
    """
    assert written.run(ink) == 24
    written.look(1200, dark=True)
    written.wait(ink.replace("- 3];", "- 3] === 238;"))


def test_reduced_motion_stops_transitions(written):
    style = (
        "return getComputedStyle(document.querySelector('.fill')).transitionDuration"
    )
    assert written.run(style) != "0s"
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    written.cdp("Emulation.setEmulatedMedia", features=[feature])
    assert written.run(style) == "0s"


# ---------------------------------------------------------------- safety


def test_the_page_can_send_no_request(pages, chromium):
    chromium.look(1200)
    chromium.open(pages["dense"])
    refused = chromium.driver.execute_async_script(
        """
        const done = arguments[0], refused = [];
        addEventListener("securitypolicyviolation", (event) => {
          refused.push(event.effectiveDirective);
          if (refused.length === 5) done(refused.sort());
        });
        const add = (name, values) => document.body.append(
          Object.assign(document.createElement(name), values));
        fetch("http://localhost:9/").catch(() => {});
        add("img", { src: "http://localhost:9/" });
        add("script", { textContent: "window.ran = true" });
        add("iframe", { src: "http://localhost:9/" });
        add("style", { textContent: "body { display: none }" });
        """
    )
    assert refused == sorted(
        ["connect-src", "img-src", "script-src-elem", "frame-src", "style-src-elem"]
    )
    assert chromium.run("return window.ran === undefined")
    assert len(chromium.errors()) >= 5  # each was refused on the console, too
    text = pages["dense"].read_text(encoding="utf-8")
    assert not re.search(r"https?://|<link|@import|url\(", text)


def test_names_of_classes_and_runs_are_text(tmp_path, browser):
    hostile = "</script><script>window.ran=1</script><img src=x onerror=ran=1>&amp;"
    config = Config(hidden=(8,), z_dim=2, x_dim=64, n_classes=3)
    run = explored.run(tmp_path / "<b>run&lt;", config)
    names = (hostile, "<!--", "{{weights}}")
    facts = dict(run.data.to_dict(), classes=list(names))
    files.write_json(run.path / "dataset.json", facts)
    explorer.write(run, tmp_path / "page.html", None)
    browser.open(tmp_path / "page.html")
    shown = (
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    )
    assert tuple(browser.run(shown, ".bar .name")) == names
    assert tuple(browser.run(shown, "#classes span")) == names
    assert browser.run(shown, "#run") == ["<b>run&lt;"]
    assert browser.run("return window.ran === undefined")
    assert browser.run("return document.images.length + document.scripts.length") == 4


def test_a_page_without_data_has_no_examples_and_moves_along_coordinates(
    runs, tmp_path, browser
):
    explorer.write(runs["dense"], tmp_path / "page.html", None)
    browser.open(tmp_path / "page.html")
    assert browser.run("return document.getElementById('examples').hidden")
    browser.drag("#sketch", SIX)
    browser.wait(DONE)
    assert_changes(browser, ["#image"], lambda: browser.drag("#pad", [(0.1, 0.2)]))
    text = browser.run("return document.getElementById('directions-words').textContent")
    assert text == "Its coordinates"
