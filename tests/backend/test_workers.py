"""Work by processes: in order, after a worker's death, and faults as one line."""

import os
import pickle
import sys
from concurrent.futures import Future

import processes
import pytest

from cvae import config
from cvae.backend import compat, workers
from cvae.backend.workers import Pool, Workers
from cvae.errors import CvaeError


class Died(Exception):
    """A worker died, as a backend reports it."""


class Lost(Exception):
    """A backend failed."""


def pool(*faults):
    """A pool of one, whose futures fail in this order; None is no fault."""
    left = list(faults)

    def submit(call):
        future, fault = Future(), left.pop(0) if left else None
        if fault is None:
            try:
                future.set_result(pickle.loads(call))
            except Exception as error:
                future.set_exception(error)
        else:
            future.set_exception(fault)
        return future

    return Pool(1, submit, (Died,), (Lost,))


def test_results_come_in_the_order_of_the_items():
    assert list(pool().each(str, range(20))) == [str(i) for i in range(20)]


def test_after_a_death_only_what_was_not_returned_is_computed_again(capsys):
    found = list(pool(None, None, Died(), None, Died()).each(str, range(9)))
    assert found == [str(i) for i in range(9)]
    out, err = capsys.readouterr()
    assert not out and set(err.splitlines()) == {
        "warning: a worker died; what it had begun is computed again"
    }


def test_workers_that_keep_dying_are_one_line(capsys):
    deaths = [Died()] * (workers.threads.AHEAD + 1) * workers.MOST_DEATHS
    with pytest.raises(CvaeError, match="the workers failed.*again to resume"):
        list(pool(*deaths).each(str, range(50)))
    assert len(capsys.readouterr().err.splitlines()) == workers.MOST_DEATHS - 1


def test_deaths_far_apart_do_not_add_up():
    faults = ([Died()] + [None] * 9) * 2 * workers.MOST_DEATHS
    assert list(pool(*faults).each(str, range(200))) == [str(i) for i in range(200)]


@pytest.mark.parametrize(
    "fault, message",
    [
        (Lost("no route"), "the workers failed .Lost: no route.*again to resume"),
        (ImportError("No module named 'cvae'"), "cannot import this program's cvae"),
        (AttributeError("no new_name"), "cannot import.*install the same version"),
        (CvaeError("its own line"), "^its own line$"),
    ],
)
def test_a_fault_of_the_backend_is_one_line(fault, message):
    results = pool(None, fault).each(str, range(50))
    assert next(results) == "0"
    with pytest.raises(CvaeError, match=message) as caught:
        next(results)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bad, message",
    [
        (Workers("lokky"), "there is no backend 'lokky': did you mean 'loky'"),
        (Workers("loky", address="x:1"), "address is for the backends dask and ray"),
        (Workers("threads", address=""), "address is for the backends dask and ray"),
        (Workers("ray", 2, "x:1"), "at x:1 has its own number of workers: leave out"),
    ],
)
def test_workers_that_cannot_be_are_one_line(bad, message):
    with pytest.raises(CvaeError, match=message):
        bad.check()


@pytest.mark.parametrize("backend, package", [("dask", "distributed"), ("ray", "ray")])
def test_a_package_that_is_missing_is_one_line(backend, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CvaeError, match=f"pip install {package}"):
        with workers.open_pool(Workers(backend)):
            pass


def test_threads_are_not_started_as_processes():
    with pytest.raises(CvaeError, match="not processes: choose from loky, dask, ray"):
        with workers.open_pool(Workers()):
            pass


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere", ""])
def test_a_scheduler_that_does_not_answer_is_one_line(address, monkeypatch):
    monkeypatch.setattr(workers, "WAIT", 0.5)
    with pytest.raises(CvaeError, match="no Dask cluster.*check the address"):
        with workers.open_pool(Workers("dask", address=address)):
            pass


@pytest.mark.parametrize(
    "backend, lines",
    [
        ("loky", {"warning: a worker died; what it had begun is computed again"}),
        pytest.param(
            *("dask", set()),
            marks=pytest.mark.skipif(
                compat.VERSION.startswith("1."),
                reason="on TensorFlow 1.15, test_spread.py kills one in an evaluation",
            ),
        ),
    ],
)
def test_a_process_that_is_killed_is_replaced_and_all_of_them_end(
    backend, lines, capfd
):
    before = processes.workers()
    with workers.open_pool(Workers(backend, 2)) as pool:
        results = pool.each(str, range(200))
        found = [next(results)]
        first = processes.workers(before)
        first[0].kill()
        processes.are_gone([first[0].pid])
        found.extend(results)
        second = processes.workers(before)
    assert found == [str(i) for i in range(200)]
    assert set(capfd.readouterr().err.splitlines()) <= lines  # none if it was idle
    assert len(first) >= 2 and len(second) >= 2
    assert processes.are_gone([process.pid for process in first + second])


def test_an_error_in_a_process_is_raised_here_as_it_is():
    with workers.open_pool(Workers("loky", 1)) as pool:
        with pytest.raises(CvaeError, match="did you mean 'quick'"):
            list(pool.each(config.preset, ["quik"]))


def test_whoever_starts_processes_is_left_as_before(monkeypatch):
    main, path = sys.modules["__main__"], list(sys.path)
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    with workers.open_pool(Workers("loky")):
        assert not hasattr(main, "__file__")
        assert os.environ["PYTHONPATH"].startswith("/elsewhere:")
    assert main.__file__ == "script.py" and sys.path == path
    assert os.environ["PYTHONPATH"] == "/elsewhere"
