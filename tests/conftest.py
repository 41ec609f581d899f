"""What the tests share: the import path and MNIST itself."""

import collections
import gc
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(ROOT)]
sys.path.append(str(ROOT / "scripts"))  # for `setup_env` and what it is made of
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # as scripts do: no import of Keras
gc.set_threshold(10**5)  # imports and graphs make many objects and little garbage

import cvae  # noqa: E402, F401  (its settings of TensorFlow, before a test imports it)

# Under `nohup`, and behind a shell's `&`, a process starts with signals ignored.
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# They build graphs with ZhuSuan: `-m zhusuan` selects them, for another implementation.
ON_ZHUSUAN = (
    *("evaluate", "exact", "implementations", "estimates", "sandwich", "stateless"),
    *("doors", "loop", "model", "muon", "networks", "resumed", "step", "trained"),
    *("upstream",),
)


# Nothing in them differs between the stacks: .ci/run runs them on one.
ONCE = (
    *("find_python", "setup_env", "setup_git", "setup_zhusuan"),
    *("findings", "likelihood", "method", "numbers", "other_data", "package", "pages"),
    *("results", "typst"),
    *("explorer_numbers", "explorer_controls", "explorer_looks"),
)

# Bits in them must not depend on the order in which threads end: they get all cores.
# Elsewhere, each process of several has its own: threads that compete take longer.
ON_ALL_CORES = ("resumed", "spread", "stateless", "step", "threads")
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

# The groups that take longest, in this order, start first: one that starts last would
# keep a single core busy at the end.
LONGEST = (
    *("explorer_pages", "survival", "scripts", "spread", "report", "notebook"),
    *("environments", "step", "loop", "stacks", "peers", "command_lines", "sweep"),
    *("implementations", "many_classes", "figures", "datasets", "successors"),
    *("networks", "package", "setup_zhusuan", "resumed", "nets_beside_the_real_one"),
    *("examples", "sharing", "page", "families", "style", "estimates", "muon", "fuzz"),
)
SHARED = dict.fromkeys(("build", "pipeline"), "report")
SHARED.update(
    dict.fromkeys(
        ("explorer_numbers", "explorer_controls", "explorer_looks"), "explorer_pages"
    )
)
PROCESSES = collections.defaultdict(set)  # that have run tests of a group


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
    name = _name(item)
    if name in ON_ZHUSUAN:
        item.add_marker("zhusuan")
    if name in ONCE:
        item.add_marker("once")


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Choose the cores of what the test starts: threads, sessions, processes."""
    worker, name = os.environ.get("PYTEST_XDIST_WORKER"), _name(item)
    if worker and CORES:
        n_workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        own = CORES[int(worker[len("gw") :]) % len(CORES) :: n_workers]
        os.sched_setaffinity(0, CORES if name in ON_ALL_CORES else own)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a process whole groups, so that what a group shares is made once."""
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return _group(super()._split_scope(nodeid))

        def _assign_work_unit(self, node):
            self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
            super()._assign_work_unit(node)

    return LongestFirst(config, log) if config.option.dist == "loadfile" else None


def pytest_runtest_logreport(report):
    group = _group(report.nodeid.partition("::")[0])
    PROCESSES[group].add(getattr(report, "node", None))


def pytest_terminal_summary(terminalreporter):
    split = sorted(group for group, found in PROCESSES.items() if len(found) > 1)
    if split:  # slow: a change of pytest or xdist, or a process has crashed
        terminalreporter.line(f"warning: groups in two processes: {', '.join(split)}")


def _name(item):
    return item.module.__name__[len("test_") :]


def _group(path):
    """Return the group of the tests of a file: its name, or what it shares."""
    name = Path(path).stem[len("test_") :]
    return SHARED.get(name, name)


def _place(group):
    """Return where a group stands in the order; the rest follow as they are."""
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
    from tensorflow.python.util import deprecation

    # Else 1.15 inspects the arguments of each operation.
    with deprecation.silence(), tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        yield graph


@pytest.fixture
def server():
    """A running hostile server whose files are the four tiny ones."""
    import hostile_server
    from tiny_mirrors import PACKED

    with hostile_server.serve(PACKED) as running:
        yield running
