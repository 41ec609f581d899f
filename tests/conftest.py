"""What the tests share: the import path and MNIST itself."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))
sys.path.append(str(ROOT / "scripts"))  # for `setup_env` and what it is made of
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


# They build graphs with ZhuSuan: `-m zhusuan` selects them, for another implementation.
ON_ZHUSUAN = (
    *("ais", "draws", "evaluation", "exact", "implementations", "importance"),
    *("inference", "model", "muon", "networks", "trainer", "training", "zs_upstream"),
)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.module.__name__[len("test_") :] in ON_ZHUSUAN:
            item.add_marker("zhusuan")


@pytest.fixture(scope="session")
def mnist_dir():
    """Where MNIST is: $MNIST_DIR, else data/mnist, else ../shared/mnist."""
    places = [ROOT / "data" / "mnist", ROOT.parent / "shared" / "mnist"]
    if os.environ.get("MNIST_DIR"):
        places = [Path(os.environ["MNIST_DIR"]).resolve()]
    for place in places:
        if place.is_dir() and any(place.glob("t10k-labels*")):
            return place
    pytest.fail("the tests need MNIST: set MNIST_DIR, or run scripts/download_mnist.py")


@pytest.fixture(scope="session")
def mnist(mnist_dir):
    """The real data set, a `cvae.mnist.Dataset`."""
    from cvae import mnist

    return mnist.load("mnist", mnist_dir)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder with a stand-in for every figure of the report."""
    import standin

    folder = tmp_path_factory.mktemp("drawn")
    standin.draw(folder / "figures")
    return folder


@pytest.fixture
def machine(tmp_path):
    """A bare machine with a checkout, for scripts/setup_env.py."""
    from machine import Machine

    return Machine(tmp_path)


@pytest.fixture
def graph():
    """An empty default graph of TensorFlow, seeded."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        yield graph


@pytest.fixture
def server():
    """A running hostile server whose files are the four tiny ones."""
    import hostile_server
    from tiny_mirrors import PACKED

    with hostile_server.serve(PACKED) as running:
        yield running
