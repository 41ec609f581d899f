"""Steps of the set-up: commands that show progress and end in one line if they fail."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time

from cvae.errors import CvaeError

LOG = "setup.log"  # in the environment: the output of the last command
REMEDIES = (  # the first whose pattern the output matches
    ("SIGILL", "TensorFlow needs a processor with AVX"),
    ("No interpreter|No download", "install that Python, or choose one with PYTHON"),
    ("(?i)connect|timed out|dns|ssl|proxy", "check the network and https_proxy"),
    ("", "run `make env` again"),
)


@contextlib.contextmanager
def step(what):
    """Print what is done and in how many seconds; errors are "cannot `what`: ..."."""
    print(f"  {what} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException as error:
        print("failed", flush=True)
        if isinstance(error, (CvaeError, OSError)):
            raise CvaeError(f"cannot {what}: {error}")
        raise
    print(f"{time.monotonic() - start:.0f} s", flush=True)


def call(command, venv):
    """Run a command of uv, venv or pip; `CvaeError` if it fails."""
    environ = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    environ["LC_ALL"] = "C.UTF-8"  # under C, pip fails on non-ASCII paths
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX"):  # would install elsewhere
        environ.pop(name, None)
    status, output = run(command, environ)
    (venv / LOG).write_text(output, encoding="utf-8")
    if status != 0:
        end = signal.Signals(-status).name if status < 0 else f"status {status}"
        lines = [end, *filter(None, map(str.strip, output.splitlines()))]
        errors = [line for line in lines if re.match("(?i)error", line)] or lines
        remedy = next(do for why, do in REMEDIES if re.search(why, f"{end} {output}"))
        cause = re.sub("(?i)^error: ", "", errors[-1])[:200]
        raise CvaeError(f"{cause}; {remedy}, or see {venv / LOG}")


def run(command, environ=None, deadline=float("inf")):
    """Run a command without input, with a dot every ten seconds: (status, output).

    It has a process group of its own, which is killed at the deadline (in seconds of
    `time.monotonic()`; `subprocess.TimeoutExpired`) and when this process is stopped.
    """
    with tempfile.TemporaryFile() as output:  # a child that lives on keeps a pipe open
        files = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        child = subprocess.Popen(command, env=environ, start_new_session=True, **files)
        try:
            while child.returncode is None:
                left = deadline - time.monotonic()
                try:
                    child.wait(timeout=max(0, min(10, left)))
                except subprocess.TimeoutExpired:
                    if left <= 10:
                        raise
                    print(".", end="", flush=True)
        except BaseException:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        output.seek(0)
        return child.returncode, output.read().decode("utf-8", "replace")
