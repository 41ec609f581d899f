"""The explorer in a real browser: its looks, and what it keeps from doing."""

import itertools
import re
import signal
import subprocess
import sys

import browser as browsers
import explored
import pytest
from browser import IDLE, STROKE
from explorer_pages import DONE, assert_changes
from processes import are_gone

from cvae.config import Config
from cvae.report import explorer
from cvae.storage import files

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
    browser.drag("#sketch", STROKE)
    browser.wait(DONE)
    for button in (
        "#prior",
        "#bits",
        "#new-rows",
        "#tiles button",
        "#keep-0",
        "#clear",
    ):
        browser.press(button, "mouse")
    browser.wait(IDLE)
    assert browser.run(f"return {root}scrollWidth") == width
    assert browser.run("return window.shifts") == []


def test_text_has_contrast_and_controls_have_names_and_sizes(written):
    for dark, width in itertools.product((False, True), (360, 1200)):
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


KILLED = """
import os, signal, browser, psutil
with browser.started():
    started = psutil.Process().children(recursive=True)
    print(*(process.pid for process in started), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_test_run_leaves_no_browser(chromium):
    found = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=browsers.DRIVER.parent,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    pids = list(map(int, found.stdout.split()))
    assert found.returncode == -signal.SIGKILL
    assert len(pids) > 3  # the driver, its shell, and Chromium's processes
    assert are_gone(pids)


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
    chromium.driver.get("about:blank")  # what was added is in no other test's page
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
    pages, tmp_path, browser
):
    explorer.write(pages.runs["dense"], tmp_path / "page.html", None)
    browser.open(tmp_path / "page.html")
    assert browser.run("return document.getElementById('examples').hidden")
    browser.drag("#sketch", STROKE)
    browser.wait(DONE)
    assert_changes(browser, ["#image"], lambda: browser.drag("#pad", [(0.1, 0.2)]))
    text = browser.run("return document.getElementById('directions-words').textContent")
    assert text == "Its coordinates"
