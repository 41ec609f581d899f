"""Find an interpreter that one of the two stacks runs on. Standard library only."""

import contextlib
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Tuple

X86, ARM = ("x86_64", "amd64"), ("aarch64", "arm64")  # as platform.machine() names them
PROBE_SECONDS = 20


class Stack(NamedTuple):
    """A TensorFlow with the Pythons and machines that its wheels are for."""

    name: str  # what STACK=... calls it
    title: str
    versions: Tuple[str, ...]  # of CPython, in order of preference
    platforms: Tuple[Tuple[str, str], ...]  # (sys.platform, platform.machine())
    needs: str
    ways: str  # to get a Python for it


# In order of preference.
STACKS = (
    Stack(
        "1.15",
        "TensorFlow 1.15",
        ("3.7",),
        tuple((system, m) for system in ("linux", "darwin", "win32") for m in X86),
        "CPython 3.7, 64-bit, on x86-64",
        """pyenv install 3.7
    conda create -n python37 python=3.7
    uvx 'uv<0.7' python install 3.7   (later releases of uv no longer have it)
    make STACK=1.15 PYTHON=/path/to/python3.7 ...""",
    ),
    Stack(
        "current",
        "TensorFlow 2.20",
        ("3.12", "3.13", "3.11", "3.10"),
        tuple(("linux", m) for m in X86 + ARM)
        + (("darwin", "arm64"),)
        + tuple(("win32", m) for m in X86),
        "CPython 3.10 to 3.13, 64-bit, on Linux (x86-64, ARM), Windows, Apple silicon",
        """uv python install 3.12
    pyenv install 3.12
    conda create -n python312 python=3.12
    make STACK=current PYTHON=/path/to/python3.12 ...""",
    ),
)

# Runs in the interpreter in question, which may be of any version.
PROBE = """
import json, os, platform, struct, sys
missing = []
for name in ("venv", "ensurepip", "ssl", "zlib"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
if sys.platform.startswith("linux"):
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        missing.append("glibc")
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({
    "executable": os.path.realpath(base), "version": platform.python_version(),
    "implementation": platform.python_implementation(), "missing": missing,
    "bits": 8 * struct.calcsize("P"), "machine": platform.machine(),
    "system": sys.platform,
}))
"""

NONE_FOUND = """found no Python that {title} runs on
  {needs}
  looked on PATH, in pyenv, conda and uv, and at the Python that runs this script:
    {refused}
  get one in any of these ways, then run make again:
    {ways}"""


def named_interpreter(command, stacks):
    """Facts of the interpreter that the user names: (facts, None) or (None, reason)."""
    path = shutil.which(os.path.expanduser(command))
    return probe(path, stacks) if path else (None, "is not a program that can be run")


def fit_interpreters(environ, stacks, refused):
    """Yield the facts of fit interpreters, best first; note the others in `refused`."""
    found, tried, known = [], set(), set()
    best = 0, 0
    for path in candidates(environ, stacks):
        if path in tried:
            continue
        tried.add(path)
        facts, reason = probe(path, stacks)
        if reason:
            refused.append(f"{path} {reason}")
        elif facts["executable"] not in known:
            known.add(facts["executable"])
            if _rank(facts, stacks) == best:  # nothing to wait for
                yield facts
            else:
                found.append(facts)
    yield from sorted(found, key=lambda facts: _rank(facts, stacks))


def none_found(stacks, refused):
    """The message for a machine that has no fit interpreter."""
    here = f"this machine is {sys.platform} {platform.machine()}"
    return NONE_FOUND.format(
        title=" or ".join(stack.title for stack in stacks),
        needs="\n  ".join(
            [f"{stack.title} needs {stack.needs}" for stack in stacks] + [here]
        ),
        refused="\n    ".join(refused or ["no candidate"]),
        ways="\n    ".join(stack.ways for stack in stacks[::-1]),
    )


def stack_of(facts, stacks=STACKS):
    """The stack that has builds for an interpreter, None if none of `stacks` has."""
    for stack in stacks:
        platform_fits = (facts["system"], facts["machine"].lower()) in stack.platforms
        if _short(facts) in stack.versions and platform_fits:
            return stack
    return None


def _rank(facts, stacks):
    stack = stack_of(facts, stacks)
    return stacks.index(stack), stack.versions.index(_short(facts))


def _short(facts):
    return ".".join(facts["version"].split(".")[:2])


def candidates(environ, stacks):
    """Yield paths of what may be a fit interpreter, in the order to try them."""
    versions = [version for stack in stacks for version in stack.versions]
    names = ["python" + version for version in versions]
    search_path = environ.get("PATH", "")
    for name in names:
        for folder in filter(None, search_path.split(os.pathsep)):
            path = shutil.which(name, path=folder)
            if path:
                yield path
    yield sys.executable
    for prefix in _prefixes(environ):
        for name in names:
            found = glob.glob(os.path.join(prefix, "bin", name))
            yield from sorted(found, key=_numbers, reverse=True)
    uv = shutil.which("uv", path=search_path)
    for version in versions if uv else ():
        status, out, _ = _run([uv, "python", "find", "--system", version])
        if status == 0 and out.strip():
            yield out.strip()


def probe(path, stacks):
    """Start the interpreter: (facts, None), or (None, why it is of no use)."""
    status, out, err = _run([path, "-E", "-s", "-c", PROBE])
    if status != 0:
        first = (err.strip().splitlines() or ["no message"])[0]
        return None, f"does not start (status {status}: {first})"
    try:
        facts = json.loads(out)
        return facts, _unfit(facts, stacks)
    except (ValueError, KeyError, TypeError):
        return None, "is not a Python"


def _unfit(facts, stacks):
    """Why none of `stacks` runs on an interpreter, None if one does."""
    versions = [version for stack in stacks for version in stack.versions]
    if facts["implementation"] != "CPython" or _short(facts) not in versions:
        return "is {implementation} {version}".format(**facts)
    if facts["bits"] != 64 or stack_of(facts, stacks) is None:
        return "is a {bits}-bit {version} for {system} {machine}".format(**facts)
    if facts["missing"]:
        return "cannot make environments: no " + ", ".join(facts["missing"])
    return None


def _prefixes(environ):
    """Yield glob patterns of the prefixes that pyenv, conda and uv install into."""
    home = os.path.expanduser("~")
    for root in (environ.get("PYENV_ROOT"), os.path.join(home, ".pyenv")):
        if root:
            yield os.path.join(glob.escape(root), "versions", "*")
    roots = [environ.get("CONDA_PREFIX")]
    if environ.get("CONDA_EXE"):
        roots.append(os.path.dirname(os.path.dirname(environ["CONDA_EXE"])))
    names = ("miniconda3", "anaconda3", "miniforge3", "mambaforge")
    roots += [os.path.join(home, name) for name in names]
    with contextlib.suppress(OSError):
        roots += Path(home, ".conda", "environments.txt").read_text().splitlines()
    for root in filter(None, roots):
        yield glob.escape(root)
        yield os.path.join(glob.escape(root), "envs", "*")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    uv = environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    yield os.path.join(glob.escape(uv), "cpython-*")


def _numbers(path):
    return [int(digits) for digits in re.findall(r"\d+", path)]


def _run(command):
    """Run a short command: (status, stdout, stderr); an unknown status if it cannot."""
    # Files, not pipes: a wrapper's child that lives on would keep a pipe open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            status = subprocess.call(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=PROBE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "unknown", "", f"no answer within {PROBE_SECONDS} s"
        except OSError as error:
            return "unknown", "", error.strerror or str(error)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        return status, texts[0], texts[1]
