"""A real browser: Chromium without a window, driven by Selenium.

The README's picture of the explorer is made with it, from the page of a run:

    python tests/helpers/browser.py runs/pretrained/explorer.html docs/explorer.png
"""

import base64
import contextlib
import math
import os
import shutil
import sys
import time
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = Path(__file__).with_name("chromedriver.sh")  # ends when this process does
OPTIONS = ("--headless=new", "--hide-scrollbars", "--force-device-scale-factor=1")
# A six: its stem, a quadratic curve, and its bowl, a circle.
SIX = [
    (0.63 * (1 - t) ** 2 + 0.7 * t * (1 - t) + 0.345 * t**2, 0.12 + 0.56 * t)
    for t in (i / 20 for i in range(20))
]
SIX += [
    (0.5 - 0.155 * math.cos(i / 5), 0.68 + 0.155 * math.sin(i / 5)) for i in range(33)
]
STROKE = [(0.3, 0.2), (0.4, 0.6), (0.6, 0.7)]
IDLE = "return document.documentElement.dataset.state === 'idle'"
KEYS = {" ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
KEYS.update(Backspace=8, Delete=46, Home=36, End=35)
FOCUS = """
const target = document.querySelector(arguments[0]);
target.scrollIntoView({ block: "center", behavior: "instant" });
target.focus({ preventScroll: true });
"""
WAIT = """
const done = arguments[arguments.length - 1];
const look = () => {
  const found = (() => { %s })();
  if (found) done(found);
  else setTimeout(look, 10);
};
look();
"""
# Keeps the last whole estimate that a page gets from its worker.
LISTEN = """
window.Worker = class extends Worker {
  constructor(...values) {
    super(...values);
    this.addEventListener("message", ({ data: { value } }) => {
      if (value && value.isDone) window.estimated = value;
    });
  }
};
"""
# Calls the functions of the page's worker, in one of the test's own.
WORKER = """
const [settings, simd, calls] = arguments, done = arguments[arguments.length - 1];
const text = (id) => document.getElementById(id).textContent;
const page = JSON.parse(text("page"));
const worker = new Worker(URL.createObjectURL(new Blob([text("worker")])));
const found = [];
worker.onmessage = ({ data: { id, value, error, isPartial } }) => {
  if (error !== undefined) done({ error });
  if (!isPartial) found.push([id, value]);
  if (found.length === calls.length) {
    worker.terminate();
    done(JSON.parse(JSON.stringify(found, (_, part) => (
      ArrayBuffer.isView(part) ? [...part] : part))));
  }
};
const all = { ...page.settings, ...settings };
const typed = (value) => (Array.isArray(value) ? Float32Array.from(value) : value);
calls.unshift(["load", all, page.shapes, text("weights"), simd]);
calls.forEach(([call, ...values], id) => worker.postMessage({
  id: id - 1, call, values: id ? values.map(typed) : values,
}));
"""
# Scrolls to an element and returns where it is. A touch is sent to what was painted
# last, so that the frames after the scrolling have to be painted first.
PLACE = """
const [selector, done] = arguments, element = document.querySelector(selector);
element.scrollIntoView({ block: "center", behavior: "instant" });
requestAnimationFrame(() => requestAnimationFrame(() => {
  const { left, top, width, height } = element.getBoundingClientRect();
  done([left, top, width, height]);
}));
"""


class Lacking(Exception):
    """There is no browser, no driver or no Selenium; the text says which."""


@contextlib.contextmanager
def started():
    """Yield a `Browser`.

    Raises:
        Lacking: this machine has none.
    """
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not binary or not shutil.which("chromedriver"):
        raise Lacking("there is no Chromium with its driver: `make browser`")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        raise Lacking("there is no Selenium: `make env`")
    options = webdriver.ChromeOptions()
    for option in OPTIONS + ("--no-sandbox",) * (os.geteuid() == 0):
        options.add_argument(option)
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(str(DRIVER), popen_kw={"start_new_session": True})
    chrome = webdriver.Chrome(options=options, service=service)
    chrome.set_script_timeout(120)
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()


class Browser:
    """A window with one page."""

    def __init__(self, driver):
        self.driver = driver
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        self.look(1200, 900)

    def look(self, width, height=900, dark=False, touch=False):
        """Set the size of the window, its colours, and whether it is a touch screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.cdp("Emulation.setDeviceMetricsOverride", mobile=touch, **size)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path):
        """Open the page at `path` and wait until its worker is idle."""
        self.driver.get(path.resolve().as_uri())
        self.wait(IDLE)

    def show(self, path):
        """Open the page at `path` if another one is open, and do not wait."""
        if self.driver.current_url != path.resolve().as_uri():
            self.driver.get(path.resolve().as_uri())

    def run(self, script, *arguments):
        """Return what a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, *arguments):
        """Wait until the script `condition` returns something true, and return it."""
        return self.driver.execute_async_script(WAIT % condition, *arguments)

    def calls(self, *calls, settings=None, simd=True):
        """Return (number, value) of calls of the worker, in the order of its answers.

        The first is -1, with whether the kernel of WebAssembly is used.
        """
        found = self.driver.execute_async_script(WORKER, settings or {}, simd, calls)
        assert isinstance(found, list), found
        return found

    def errors(self):
        """Return the errors on the console since the last call."""
        found = self.driver.get_log("browser")
        return [entry["message"] for entry in found if entry["level"] == "SEVERE"]

    def picture(self, path, height=None):
        """Write the page, or its first `height` pixels, as a PNG."""
        root = "document.documentElement."
        width, whole = self.run(f"return [innerWidth, {root}scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height or whole, "scale": 1}
        found = self.cdp(
            "Page.captureScreenshot",
            format="png",
            captureBeyondViewport=True,
            clip=clip,
        )
        path.write_bytes(base64.b64decode(found["data"]))

    def cdp(self, command, **values):
        return self.driver.execute_cdp_cmd(command, values)

    def press(self, selector, by):
        """Activate a button by "mouse", "touch" or "keyboard"."""
        if by == "keyboard":
            self.run(FOCUS, selector)
            self.key(" ")
        else:
            self.drag(selector, [(0.5, 0.5)], touch=by == "touch")

    def key(self, name, times=1):
        """Press a key, and release it, so many times."""
        found = {"key": name, "windowsVirtualKeyCode": KEYS[name]}
        text = name[:1] * (name == " ")
        for _ in range(times):
            self.cdp("Input.dispatchKeyEvent", type="keyDown", text=text, **found)
            self.cdp("Input.dispatchKeyEvent", type="keyUp", **found)

    def drag(self, selector, points, touch=False, rest=0.1):
        """Press at the first of `points` of an element, move along them, and release.

        Points are in units of the element's size. A finger rests so many seconds at the
        last of them, or the browser takes it for a fling, and a tap for its end.
        """
        left, top, width, height = self.driver.execute_async_script(PLACE, selector)
        places = [{"x": left + x * width, "y": top + y * height} for x, y in points]
        for i, place in enumerate(places):
            if touch:
                kind = "touchMove" if i else "touchStart"
                self.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=[place])
            else:
                kind = "mouseMoved" if i else "mousePressed"
                self._mouse(kind, place)
        if touch:
            time.sleep(rest if len(points) > 1 else 0)
            self.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            self._mouse("mouseReleased", places[-1])

    def _mouse(self, kind, place):
        look = {"button": "left", "buttons": 1, "clickCount": 1}
        self.cdp("Input.dispatchMouseEvent", type=kind, **place, **look)


def main(page, picture):
    """Write a digit on the page, and the page's first two parts as a PNG."""
    with started() as browser:
        browser.open(Path(page))
        browser.drag("#sketch", SIX)
        browser.wait(IDLE)
        browser.run("document.activeElement.blur()")
        top = "document.getElementById('explore').getBoundingClientRect().top"
        browser.picture(Path(picture), int(browser.run(f"return {top} + scrollY")))


if __name__ == "__main__":
    main(*sys.argv[1:])
