"""Work on many items in processes, of this machine or of a cluster.

joblib's own loop would do for processes. With Dask, that of joblib 1.3 returns nothing
before all is done, that of 1.6 waits forever if a task is lost, and with Ray, none
returns results one by one. So the loop is ours, and the processes are loky's (of
joblib), Dask's or Ray's.
"""

import contextlib
import functools
import importlib
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import (
    Any,
    Callable,
    Generator,
    Iterable,
    Iterator,
    NamedTuple,
    Optional,
    Tuple,
    Type,
)

from cvae.backend import threads
from cvae.errors import CvaeError, shown, suggest, warn

BACKENDS = ("threads", "loky", "dask", "ray")
CLUSTERS = ("dask", "ray")
MAX_JOBS = 1000
MOST_DEATHS = 3  # of workers in a row without a result
WAIT = 20.0  # seconds for a cluster to answer
IDLE = 300.0  # seconds after which a process without work ends
_ROOT = str(Path(__file__).resolve().parents[2])  # where the package is


class Workers(NamedTuple):
    """Where work is done: in threads, in processes, or by the workers of a cluster.

    Attributes:
        backend: one of `BACKENDS`.
        jobs: threads or processes on this machine, None for as many as cores.
        address: of the scheduler of a cluster of `CLUSTERS`, None for a cluster of
            `jobs` processes on this machine.
    """

    backend: str = "threads"
    jobs: Optional[int] = None
    address: Optional[str] = None

    def check(self) -> None:
        """Raise `CvaeError` unless the attributes fit each other."""
        if self.backend not in BACKENDS:
            choices = suggest(self.backend, BACKENDS)
            raise CvaeError(f"there is no backend {self.backend!r}: {choices}")
        if self.address is not None and self.backend not in CLUSTERS:
            raise CvaeError(
                f"an address is for the backends {' and '.join(CLUSTERS)}, not for "
                f"{self.backend}: leave it out"
            )
        if self.address is not None and self.jobs is not None:
            raise CvaeError(
                f"the cluster at {self.address} has its own number of workers: leave "
                "out the number of jobs"
            )


class Pool:
    """Worker processes of one backend, which `open_pool` has started or found.

    Args:
        size: their number.
        submit: a function that lets a worker unpickle bytes, and returns the future.
        died: exceptions of a future that report the death of a worker, after which
            `submit` starts another.
        lost: exceptions of a future that report any other fault of the backend.
    """

    def __init__(
        self,
        size: int,
        submit: Callable[[bytes], Any],
        died: Tuple[Type[BaseException], ...] = (),
        lost: Tuple[Type[BaseException], ...] = (),
    ):
        self._ahead, self._submit = threads.AHEAD * size, submit
        self._died, self._lost = died, lost

    def each(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Generator:
        """Yield `work(item)` of each item, in their order.

        What a worker that died has not returned is computed again by the others.

        Raises:
            CvaeError: `work` raised it, a worker cannot import this package, workers
                keep dying, or the cluster is gone.
        """
        calls = [_Call(work, item) for item in items]
        done = deaths = 0
        while done < len(calls):
            try:
                for result in threads.in_order(self._begin, calls[done:], self._ahead):
                    yield result
                    done, deaths = done + 1, 0
            except self._died as error:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise _failed(error)
                warn("a worker died; what it had begun is computed again")
            except CvaeError:
                raise
            except (ImportError, AttributeError) as error:
                raise CvaeError(
                    f"a worker cannot import this program's cvae: {error}; install the "
                    "same version there, or set PYTHONPATH to its checkout"
                )
            except self._lost as error:
                raise _failed(error)

    def _begin(self, call):
        return self._submit(pickle.dumps(call))


class _Call(NamedTuple):
    """Work that is done when it is unpickled: only workers have to import it."""

    work: Callable[[Any], Any]
    item: Any

    def __reduce__(self):
        return self.work, (self.item,)


def _failed(error):
    return CvaeError(
        f"the workers failed ({type(error).__name__}: {error}), perhaps for lack of "
        "memory; run the command again to resume"
    )


@contextlib.contextmanager
def open_pool(workers: Workers) -> Iterator[Pool]:
    """Start the workers of a backend other than threads, and end them in the end.

    Raises:
        CvaeError: the backend's package is missing, or the cluster does not answer.
    """
    workers.check()
    if workers.backend not in _OPEN:
        raise CvaeError(f"{workers.backend} are not processes: {suggest('', _OPEN)}")
    # A process that tracks semaphores and folders warns of each that it deletes.
    trackers = "ignore:resource_tracker,ignore:semaphore_tracker"
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environ({"PYTHONWARNINGS": trackers}))
        stack.enter_context(_importable())
        pool = stack.enter_context(_OPEN[workers.backend](workers))
        yield pool


@contextlib.contextmanager
def _loky(workers):
    loky = _package("joblib.externals.loky", "loky")
    size = workers.jobs or threads.cores()

    def submit(call):
        executor = loky.get_reusable_executor(size, timeout=IDLE)  # a new one if broken
        with _interrupts_held_back():  # from the processes that this starts
            return executor.submit(_as_child, os.getpid(), call)

    with _quiet_threads():
        try:
            yield Pool(size, submit, (BrokenProcessPool,))
        finally:
            loky.get_reusable_executor(size, timeout=IDLE).shutdown(kill_workers=True)


def _as_child(parent, call):
    _end_with(parent)
    return pickle.loads(call)


@functools.lru_cache(maxsize=None)
def _end_with(parent):
    """End this process when its parent is gone, which may have been killed."""

    def wait():
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _quiet_threads():
    """Let threads fail in silence, as loky's may do when its workers are killed."""
    before = getattr(threading, "excepthook", None)
    threading.excepthook = lambda unused: None
    try:
        yield
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def _dask(workers):
    distributed = _package("distributed", "dask")
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        place = workers.address
        try:
            if place is None:
                place = stack.enter_context(_local_dask(distributed, workers.jobs))
            else:  # a client that cannot connect leaves threads behind
                there = distributed.comm.get_address_host_port(place)
                socket.create_connection(there, timeout=WAIT).close()
            client = distributed.Client(place, timeout=WAIT, set_as_default=False)
            stack.enter_context(client)
            client.wait_for_workers(1, timeout=WAIT)
        except (OSError, ValueError, RuntimeError, distributed.TimeoutError) as error:
            raise CvaeError(
                f"no Dask cluster with workers answers at {_place(workers)} ({error}): "
                "check the address, the scheduler and the workers"
            )
        submit = functools.partial(client.submit, pickle.loads, pure=False)
        # Dask starts what a dead worker had begun elsewhere, three times.
        lost = (distributed.scheduler.KilledWorker, CancelledError, OSError)
        yield Pool(sum(client.nthreads().values()), submit, lost=lost)


@contextlib.contextmanager
def _local_dask(distributed, n_workers):
    quiet = {"DASK_LOGGING__DISTRIBUTED": "critical"}
    with _environ(quiet), tempfile.TemporaryDirectory(prefix="cvae-dask-") as folder:
        with _interrupts_held_back():
            cluster = distributed.LocalCluster(
                n_workers=n_workers or threads.cores(),
                threads_per_worker=1,
                dashboard_address=None,
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        with cluster:
            yield cluster


@contextlib.contextmanager
def _ray(workers):
    ray = _package("ray", "ray")
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if workers.address is None:
            n_cpus = workers.jobs or threads.cores()
            ray.init(num_cpus=n_cpus, include_dashboard=False, **quiet)
        else:
            ray.init(workers.address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise CvaeError(
            f"no Ray cluster answers at {_place(workers)} ({error}): check the address "
            "and `ray status`"
        )
    try:
        run = ray.remote(max_retries=MOST_DEATHS)(lambda call: pickle.loads(call))
        size = int(ray.cluster_resources()["CPU"])
        lost = (ray.exceptions.RayError,)
        yield Pool(size, lambda call: run.remote(call).future(), lost=lost)
    finally:
        ray.shutdown()


_OPEN = {"loky": _loky, "dask": _dask, "ray": _ray}


def _place(workers):
    return "this machine" if workers.address is None else shown(workers.address)


def _package(name, extra):
    try:
        return importlib.import_module(name)
    except ImportError:
        raise CvaeError(
            f"there is no {name}, which the backend {extra} needs: `pip install "
            f"{name}`, or choose another backend"
        )


@contextlib.contextmanager
def _importable():
    """Let processes that start meanwhile import the package, and not run the script."""
    main, places = vars(sys.modules["__main__"]), [os.environ.get("PYTHONPATH"), _ROOT]
    script = main.pop("__file__", None)
    sys.path.append(_ROOT)
    try:
        with _environ({"PYTHONPATH": os.pathsep.join(filter(None, places))}):
            yield
    finally:
        sys.path.remove(_ROOT)
        if script is not None:
            main["__file__"] = script


@contextlib.contextmanager
def _environ(variables):
    """Set environment variables for processes that start meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_held_back():
    """Keep SIGINT from this thread, and for good from processes that it starts.

    Ctrl-C reaches every process of a terminal; this one then ends the workers.
    """
    # With its first semaphore, multiprocessing starts a process that tracks them, and
    # then lets SIGINT through.
    multiprocessing.get_context("spawn").Semaphore()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
