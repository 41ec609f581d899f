"""Steps of the set-up: commands that run, say how long they take, or why they failed.

Standard library only, as `setup_env.py`, which calls them.
"""

import contextlib
import os
import re
import signal
import subprocess
import time

LOG = "setup.log"  # in the environment: what venv and pip said last

REMEDIES = (  # what pip says, what it means; the first that matches counts
    (r"No space left|Disk quota", "the disk is full; 2 GB are needed here"),
    (r"DO NOT MATCH THE HASHES", "a download differs from the lock's; try once more"),
    (r"CERTIFICATE_VERIFY|SSLError", "the certificate is not trusted; set PIP_CERT"),
    (r"ProxyError|Proxy Auth", "the proxy refuses; check https_proxy"),
    (
        r"Connection|Timeout|timed out|name resolution|unreachable|IncompleteRead",
        "the package index is out of reach; check the network, or set https_proxy",
    ),
    (r"Permission denied", "no permission to write; choose another place with --venv"),
    (r"No matching distribution", "the package index has no build for this platform"),
)


class SetupError(Exception):
    """What went wrong and what to do, for a person to read."""


@contextlib.contextmanager
def step(what):
    """Print what is done, and in how many seconds."""
    print(f"  {what} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.0f} s", flush=True)


def call(command, venv):
    """Run a command: its output. SetupError with the last lines if it fails."""
    environ = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    environ["LC_ALL"] = "C.UTF-8"  # under C, pip fails on non-ASCII paths
    environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX"):
        environ.pop(name, None)
    log = venv / LOG
    status, said = run(command, log, environ)
    if status != 0:
        raise SetupError(_what_failed(status, said, log))
    return said


def run(command, log, environ, deadline=None):
    """Run a command without input: (status, output, which is also in the file `log`).

    With a deadline, in seconds of `time.monotonic()`, the command has a process group
    of its own. The group is killed then (subprocess.TimeoutExpired) and on Ctrl-C.
    """
    with log.open("wb") as output, subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environ,
        start_new_session=deadline is not None,
    ) as child:
        try:
            status = _wait(child, deadline)
        except BaseException:
            if deadline is not None and hasattr(os, "killpg"):
                with contextlib.suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.kill()
            raise
    return status, log.read_text(encoding="utf-8", errors="replace")


def _wait(child, deadline):
    """Wait for a process, with a dot every ten seconds: its status."""
    while True:
        left = 10 if deadline is None else deadline - time.monotonic()
        try:
            return child.wait(timeout=max(0, min(10, left)))
        except subprocess.TimeoutExpired:
            if left <= 10 and deadline is not None:
                raise
            print(".", end="", flush=True)


def _what_failed(status, said, log):
    """One line with cause and remedy, then the last lines of the output."""
    cause = f"the command failed with status {status}"
    if status == -4:
        cause = "this processor lacks instructions that TensorFlow needs (AVX)"
    for pattern, meaning in REMEDIES:
        if re.search(pattern, said):
            cause = meaning
            break
    last = "".join("\n  | " + line[:150] for line in said.splitlines()[-6:])
    return f"{cause} (all of it: {log}){last}"
