"""Pages of the explorer that its tests share, and what they look for in them."""

import explored
import tiny
from browser import IDLE

from cvae.config import Config
from cvae.report import explorer
from cvae.runs import pretrained
from cvae.runs.run import Run

CONFIGS = {  # "small" has a side that its channel cannot halve
    "dense": Config(hidden=(24, 12), z_dim=10, film=True),
    "small": Config(
        **{"network": "conv", "n_classes": 2, "x_dim": 81, "z_dim": 1, "blocks": 2},
        **{"channels": (3,), "hidden": (3,), "activation": "relu"},
    ),
    "large": Config(n_classes=62, x_dim=256, z_dim=7, hidden=(33,), activation="tanh"),
}
BITS = """
const canvas = document.getElementById("given"), side = canvas.width;
const data = canvas.getContext("2d").getImageData(0, 0, side, side).data;
return Array.from({ length: side * side }, (_, i) => Number(data[4 * i + 3] > 0));
"""
DONE = f"""{IDLE}
  && document.querySelector("[data-number=ess]").textContent !== "\u2013";"""


class Pages(dict):
    """Pages by name, each built when it is first asked for, and their `runs`.

    The runs have random weights; "best" is the published one, of convolutions.
    """

    def __init__(self, mnist, folder):
        super().__init__()
        self._mnist, self._folder = mnist, folder
        self.runs = {n: explored.run(folder / n, c) for n, c in CONFIGS.items()}
        self.runs["best"] = Run(pretrained.HERE)

    def __missing__(self, name):
        run, self[name] = self.runs[name], self._folder / f"{name}.html"
        fits = run.config.x_dim == 784
        explorer.write(run, self[name], tiny.dataset(self._mnist) if fits else None)
        return self[name]


def assert_changes(browser, canvases, act):
    """Check that each of `canvases`, selectors, changes after `act`."""
    browser.wait(IDLE)
    before = {one: looks(browser, one) for one in canvases}
    act()
    for one in canvases:
        browser.wait(
            "const [one, before] = arguments;"
            "return [...document.querySelectorAll(one)].some("
            "  (canvas, i) => canvas.toDataURL() !== before[i]);",
            one,
            before[one],
        )


def looks(browser, selector):
    """Return what canvases show, as data URLs."""
    return browser.run(
        "return [...document.querySelectorAll(arguments[0])].map("
        "  (canvas) => canvas.toDataURL());",
        selector,
    )
