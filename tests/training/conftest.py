"""A small run that is trained to its end, and copies of it."""

import shutil

import pytest
import tiny


@pytest.fixture(scope="session")
def data(mnist):
    """The first images of MNIST."""
    return tiny.dataset(mnist)


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """A run of `tiny.CONFIG` that nothing disturbed, with graphs of its own."""
    from cvae.runs.run import Run
    from cvae.training import loop

    run = Run.create(tmp_path_factory.mktemp("runs") / "whole", tiny.CONFIG)
    loop.train(run, data)
    return run


@pytest.fixture
def copy(whole, tmp_path):
    """The same run for a test that changes it."""
    from cvae.runs.run import Run

    shutil.copytree(str(whole.path), str(tmp_path / "copy"))
    return Run(tmp_path / "copy")
