"""Scripts in processes of their own that need not import TensorFlow again.

A server imports it once and forks for each script: that takes some milliseconds instead
of seconds. Each is a process as any other, with its own signals, limits and output. A
start of the interpreter itself is tested where scripts are run by `subprocess`.
"""

import atexit
import functools
import gc
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from paths import ROOT, SCRIPTS

# In the tests ---------------------------------------------------------------------


def start(script, *args, **kwargs):
    """Run a script of scripts/, or the one at a path: a `Process`.

    Args:
        cwd: its current directory.
        stdout: path of a file to write to instead of what `communicate` returns.
        file_size: bytes beyond which the kernel lets no file grow.
        mnist_dir: of a `tiny.whole` that the process is to find read already.
        graphs: settings and number of images of a training whose graphs it is to find
            built already.
    """
    return Process([str(SCRIPTS / script), *map(str, args)], **kwargs)


def run(script, *args, **kwargs):
    """Run it to its end: (status, stdout, stderr)."""
    process = start(script, *args, **kwargs)
    out, err = process.communicate()
    return process.returncode, out, err


class Process:
    """A running script, as `subprocess.Popen` has it."""

    def __init__(
        self, args, cwd=None, stdout=None, file_size=None, mnist_dir=None, graphs=None
    ):
        self.args, self.returncode, self.cpu_seconds = args, None, None
        self._folder = tempfile.TemporaryDirectory(prefix="cvae-forks-")
        self._err = Path(self._folder.name, "err")
        self._out = Path(stdout or Path(self._folder.name, "out"))
        self._regular = stdout is None
        self.pid = _ask(
            args=args,
            cwd=str(cwd or os.getcwd()),
            out=str(self._out),
            err=str(self._err),
            file_size=file_size,
            mnist_dir=mnist_dir and str(mnist_dir),
            graphs=graphs,
            cores=_cores(),
        )

    def poll(self):
        """The status, None while it runs."""
        if self.returncode is None:
            self.returncode, self.cpu_seconds = _ask(poll=self.pid)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=600):
        """Wait for its end: (stdout, stderr)."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"no end within {timeout} s: {self}")
            time.sleep(0.005)
        out = _text(self._out) if self._regular else ""
        return out, _text(self._err)

    def __repr__(self):
        return f"{' '.join(self.args)} {_text(self._err)}"


def _cores():
    """The cores of this process, which the server had from the first test that ran."""
    return list(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _text(path):
    return path.read_bytes().decode("utf-8", "backslashreplace")


_ASKING = threading.Lock()


def _ask(**request):
    with _ASKING:
        server = _server()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())


@functools.lru_cache(maxsize=None)
def _server():
    """The server of this process, which ends with it."""
    server = subprocess.Popen(
        [sys.executable, __file__],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    atexit.register(server.stdin.close)
    return server


# In the server --------------------------------------------------------------------


def _serve():
    gc.set_threshold(10**6)  # as _env.py of the scripts has it
    _import_all()
    import inherited_graphs
    import tiny

    from cvae.config import preset

    running = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            reply = _poll(request["poll"], running)
        else:
            mnist_dir, graphs = request.pop("mnist_dir"), request.pop("graphs")
            if mnist_dir:
                tiny.whole(mnist_dir)
            if graphs:
                settings, n_images = graphs
                inherited_graphs.build(preset("default", **settings), n_images)
            gc.freeze()  # a collection in the fork would copy all pages
            reply = os.fork()
            if reply == 0:
                _live(**request)
            running.add(reply)
        print(json.dumps(reply), flush=True)
    for pid in running:  # the tests ended without waiting for it
        os.kill(pid, signal.SIGKILL)


def _import_all():
    """Import what any script may need, and make no session: threads do not fork."""
    os.chdir("/")  # paths that modules make from it must hold in any directory
    import cvae.report.pipeline  # noqa: F401  (imports all but Matplotlib)


def _poll(pid, running):
    """[status, CPU seconds] of a process, None for each while it runs."""
    found, status, usage = os.wait4(pid, os.WNOHANG)
    if found == 0:
        return None, None
    running.remove(pid)
    died = os.WIFSIGNALED(status)
    status = -os.WTERMSIG(status) if died else os.WEXITSTATUS(status)
    return status, usage.ru_utime + usage.ru_stime


def _live(args, cwd, out, err, file_size, cores):
    """Be the script: never returns."""
    status = 1
    try:
        _redirect(0, os.devnull, os.O_RDONLY)
        _redirect(1, out, os.O_WRONLY | os.O_CREAT)
        _redirect(2, err, os.O_WRONLY | os.O_CREAT)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(cwd)
        if cores:
            os.sched_setaffinity(0, cores)
        if file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        sys.argv = args
        sys.path[0] = os.path.dirname(args[0])
        runpy.run_path(args[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code or 0
        if isinstance(status, str):
            sys.stderr.write(status + "\n")
            status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                status = status or 120  # as the interpreter ends then
        os._exit(status)


def _redirect(descriptor, path, flags):
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    _serve()
