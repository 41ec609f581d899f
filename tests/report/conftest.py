"""A report made from nothing, once for all tests that read it, and a browser."""

import contextlib
import io
import os
from typing import NamedTuple

import browser as browsers
import pytest
import tiny
from explorer_pages import DONE, Pages

from cvae import config as config_module
from cvae.data import mnist as mnist_module
from cvae.data.dataset import Dataset
from cvae.report import pipeline
from cvae.runs.run import Run


class Made(NamedTuple):
    """What `make report` made, of a network that trains in a second."""

    run: Run
    dataset: Dataset
    status: int
    printed: str


@pytest.fixture
def tiny_preset(monkeypatch, tmp_path):
    """The preset "tiny", in an empty current directory."""
    with _tiny_preset(tmp_path):
        yield tmp_path


@pytest.fixture(scope="session")
def made(mnist, tmp_path_factory):
    """A finished `make report PRESET=tiny` in a directory of its own."""
    dataset = tiny.dataset(mnist, n_test=70)  # all classes; near-ties cost
    folder = tmp_path_factory.mktemp("made")
    with _tiny_preset(folder) as patch, io.StringIO() as out:
        patch.setattr(mnist_module, "load", lambda name, mnist_dir=None: dataset)
        with contextlib.redirect_stdout(out):
            status = pipeline.make_report("tiny", None, None)
        printed = out.getvalue()
    return Made(Run(folder / "runs" / "report-tiny"), dataset, status, printed)


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
def pages(mnist, tmp_path_factory):
    return Pages(mnist, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def written(pages, browser):
    """The page of dense layers, with something written on it, as others left it."""
    browser.show(pages["dense"])
    return _written(browser)


@pytest.fixture
def fresh(pages, browser):
    """The same as `written`, but the page is loaded again."""
    browser.open(pages["dense"])
    return _written(browser)


def _written(browser):
    browser.wait(browsers.IDLE)
    browser.run("document.getElementById('clear').click()")
    browser.drag("#sketch", browsers.STROKE)
    browser.wait(DONE)
    return browser


@contextlib.contextmanager
def _tiny_preset(folder):
    before = os.getcwd()
    settings = {"hidden": (32,), "z_dim": 5, "epochs": 0.1, "minutes": 1.0}
    patch = pytest.MonkeyPatch()
    patch.setitem(config_module.PRESETS, "tiny", settings)
    patch.setattr(pipeline, "PARTICLES", 2)
    patch.setattr(pipeline, "CHECKS", 3)
    patch.setattr(pipeline, "RUNS", folder / "runs")
    os.chdir(str(folder))
    try:
        yield patch
    finally:
        os.chdir(before)
        patch.undo()
