"""What the tests share: the import path and MNIST itself."""

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(ROOT)]
sys.path.append(str(ROOT / "scripts"))  # for `setup_env` and what it is made of
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cvae  # noqa: E402, F401  (its settings of TensorFlow, before a test imports it)

# Under `nohup`, and behind a shell's `&`, a process starts with signals ignored.
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# They build graphs with ZhuSuan: `-m zhusuan` selects them, for another implementation.
ON_ZHUSUAN = (
    *("evaluate", "exact", "implementations", "estimates", "sandwich", "stateless"),
    *("doors", "loop", "model", "muon", "networks", "step", "trained", "upstream"),
)


# Nothing in them differs between the stacks: .ci/run runs them on one.
ONCE = (
    *("find_python", "setup_env", "setup_git", "setup_zhusuan"),
    *("findings", "likelihood", "method", "package", "pages", "results", "typst"),
)

# The groups that take longest, in this order, start first: one that starts last would
# keep a single core busy at the end.
LONGEST = (
    *("survival", "peers", "scripts", "stacks", "implementations", "step", "report"),
    *("loop", "evaluate", "environments", "muon", "exact"),
)


def pytest_addoption(parser):
    parser.addoption(
        "--measuring",
        choices=["yes", "no", "only"],
        default="yes",
        help="what to do with the tests that measure, and need an idle machine",
    )


def pytest_ignore_collect(collection_path, config):
    """Only the files that name the marker have tests that measure."""
    if config.getoption("measuring") != "only" or collection_path.suffix != ".py":
        return None
    return "mark.measures" not in collection_path.read_text("utf-8") or None


def pytest_itemcollected(item):
    name = item.module.__name__[len("test_") :]
    if name in ON_ZHUSUAN:
        item.add_marker("zhusuan")
    if name in ONCE:
        item.add_marker("once")
    if not item.get_closest_marker("xdist_group"):  # what a file shares is made once
        group = "report" if name in ("build", "pipeline") else name
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(config, items):
    only = {"yes": (True, False), "no": (False,), "only": (True,)}
    wanted = only[config.getoption("measuring")]
    kept, left_out = [], []
    for item in items:
        measures = item.get_closest_marker("measures") is not None
        (kept if measures in wanted else left_out).append(item)
    if left_out:
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadGroupScheduling

    class LongestFirst(LoadGroupScheduling):
        def _assign_work_unit(self, node):
            self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
            super()._assign_work_unit(node)

    return LongestFirst(config, log) if config.option.dist == "loadgroup" else None


def _place(scope):
    """Where a group stands in the order of the groups; the rest follow as they are."""
    group = scope.rpartition("@")[2]
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


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
    """The real data set, a `cvae.data.dataset.Dataset`."""
    import tiny

    return tiny.whole(str(mnist_dir))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder with a stand-in for every figure of the report."""
    import standin

    folder = tmp_path_factory.mktemp("drawn")
    standin.draw(folder / "figures")
    return folder


@pytest.fixture(scope="session")
def graphs():
    """Trainers and models that tests of the loop share."""
    from kept_graphs import KeptGraphs

    made = KeptGraphs()
    yield made
    made.close()


@pytest.fixture
def kept_graphs(graphs, monkeypatch):
    """Let the loop use graphs that other tests have built."""
    graphs.use(monkeypatch)


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
