"""Find a Python that one of the two TensorFlows runs on."""

import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple, Tuple

from _steps import run

from cvae.errors import CvaeError


class Stack(NamedTuple):
    """A TensorFlow, with the Pythons and machines that it has builds for."""

    name: str  # the value of STACK
    title: str
    lock: str
    versions: Tuple[str, ...]  # of CPython, best first
    machines: Tuple[str, ...]


OLD = ("linux x86_64", "darwin x86_64")
NEW = ("linux x86_64", "linux aarch64", "darwin arm64")
LATER = ("3.12", "3.13", "3.11", "3.10")
STACKS = (  # best first
    Stack("1.15", "TensorFlow 1.15", "requirements.txt", ("3.7",), OLD),
    Stack("current", "TensorFlow 2.20", "requirements-current.txt", LATER, NEW),
)

# Runs in an interpreter of any version; prints the path of its base, and what it is.
PROBE = """
import ensurepip, json, os, platform, sys
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps([base, "is {} {}.{} on {} {}".format(
    platform.python_implementation(), sys.version_info[0], sys.version_info[1],
    sys.platform, platform.machine() if sys.maxsize > 2**32 else "32-bit")]))
"""


def find_python(stacks, command=None):
    """Return (the first of `stacks` that has a Python here, path of that Python).

    Args:
        command: path or name of the only interpreter to consider; None looks on PATH,
            at the Python that runs this script and in pyenv. Where these have none,
            the result is a version for uv to find or to fetch.

    Raises:
        CvaeError: there is none.
    """
    refused = {}
    for stack, version in [(s, version) for s in stacks for version in s.versions]:
        fit = [f"is CPython {version} on {machine}" for machine in stack.machines]
        for path in [command] if command else _candidates(version):
            base, what = _probe(path)
            if what in fit:
                return stack, base
            refused[path] = f"{path} {what}"
    last = [stack for stack in STACKS if stack in stacks][-1]
    if shutil.which("uv") and not command:  # which today has later Pythons only
        return last, last.versions[0]
    needs = " or ".join(
        f"{s.title} (CPython {', '.join(s.versions)}; {', '.join(s.machines)})"
        for s in stacks
    )
    best = f"python{last.versions[0]}"
    raise CvaeError(
        f"found no Python for {needs}: {'; '.join(refused.values())}; install {best} "
        f"or name one that is not on PATH: make PYTHON=/path/to/{best} ..."
    )


def _candidates(version):
    """Yield paths of what may be CPython `version`, such as 3.7, best first."""
    name = f"python{version}"
    yield from filter(None, [shutil.which(name, path=f) for f in os.get_exec_path()])
    yield sys.executable
    pyenv = glob.escape(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    found = glob.glob(os.path.join(pyenv, "versions", f"{version}.*", "bin", name))
    numbers = {path: list(map(int, re.findall(r"\d+", path))) for path in found}
    yield from sorted(found, key=numbers.get, reverse=True)


@functools.lru_cache(maxsize=None)
def _probe(path):
    """Return what an interpreter prints for `PROBE`, or [None, what is wrong]."""
    program = shutil.which(os.path.expanduser(path))
    if not program:
        return None, "is not a program"
    try:
        command = [program, "-E", "-s", "-c", PROBE]
        status, output = run(command, deadline=time.monotonic() + 20)
        if status == 0:
            return json.loads(output.splitlines()[-1])
        lines = output.strip().splitlines() or [f"status {status}"]
        return None, f"fails: {next((x for x in lines if 'Error' in x), lines[0])}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"does not start: {error}"
    except (ValueError, IndexError):
        return None, "is not a Python"
