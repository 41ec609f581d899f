"""Find an interpreter that TensorFlow 1.15 runs on. Standard library only."""

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

VERSIONS = ("3.7", "3.6")  # in order of preference: typst has no build for 3.6
MACHINES = ("x86_64", "amd64")
NEEDS = "TensorFlow 1.15 needs CPython 3.7 or 3.6, 64-bit, x86-64"
PROBE_SECONDS = 20

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
}))
"""

NONE_FOUND = """found no Python that TensorFlow 1.15 runs on
  {needs}{machine}
  looked on PATH, in pyenv, conda and uv, and at the Python that runs this script:
    {refused}
  get one in any of these ways, then run make again:
    pyenv install 3.7
    conda create -n python37 python=3.7
    uvx 'uv<0.7' python install 3.7   (later releases of uv no longer have it)
    make PYTHON=/path/to/python3.7 ..."""


def named_interpreter(command):
    """Facts of the interpreter that the user names: (facts, None) or (None, reason)."""
    path = shutil.which(os.path.expanduser(command))
    return probe(path) if path else (None, "is not a program that can be run")


def fit_interpreters(environ, refused):
    """Yield the facts of fit interpreters, best first; note the others in `refused`."""
    second, tried, known = [], set(), set()
    for path in candidates(environ):
        if path in tried:
            continue
        tried.add(path)
        facts, reason = probe(path)
        if reason:
            refused.append("{} {}".format(path, reason))
        elif facts["executable"] not in known:
            known.add(facts["executable"])
            if facts["version"].startswith(VERSIONS[0] + "."):
                yield facts
            else:
                second.append(facts)
    yield from second


def none_found(refused):
    """The message for a machine that has no fit interpreter."""
    here = platform.machine()
    foreign = here.lower() not in MACHINES
    return NONE_FOUND.format(
        needs=NEEDS,
        machine="; this machine is {}".format(here) if foreign else "",
        refused="\n    ".join(refused or ["no candidate"]),
    )


def candidates(environ):
    """Yield paths of what may be a fit interpreter, in the order to try them."""
    names = ["python" + version for version in VERSIONS]
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
    for version in VERSIONS if uv else ():
        status, out, _ = _run([uv, "python", "find", "--system", version])
        if status == 0 and out.strip():
            yield out.strip()


def probe(path):
    """Start the interpreter: (facts, None), or (None, why it is of no use)."""
    status, out, err = _run([path, "-E", "-s", "-c", PROBE])
    if status != 0:
        first = (err.strip().splitlines() or ["no message"])[0]
        return None, "does not start (status {}: {})".format(status, first)
    try:
        facts = json.loads(out)
        return facts, _unfit(facts)
    except (ValueError, KeyError, TypeError):
        return None, "is not a Python"


def _unfit(facts):
    """Why TensorFlow 1.15 does not run on an interpreter, None if it does."""
    short = ".".join(facts["version"].split(".")[:2])
    if facts["implementation"] != "CPython" or short not in VERSIONS:
        return "is {implementation} {version}".format(**facts)
    if facts["bits"] != 64 or facts["machine"].lower() not in MACHINES:
        return "is a {bits}-bit build for {machine}".format(**facts)
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
            return "unknown", "", "no answer within {} s".format(PROBE_SECONDS)
        except OSError as error:
            return "unknown", "", error.strerror or str(error)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        return status, texts[0], texts[1]
