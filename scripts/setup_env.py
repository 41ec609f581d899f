#!/usr/bin/env python3
"""Make .venv: a Python that TensorFlow runs on, with every package of its lock.

Where uv is on PATH, it finds or fetches the Python and installs the packages; venv and
pip do so elsewhere. Any Python from 3.7 on can run this script: it needs no package.

    python3 scripts/setup_env.py                    # what `make env` runs
    STACK=current make env                          # TensorFlow 2.20 rather than 1.15
    PYTHON=/opt/python3.7/bin/python make env       # only this interpreter
    ZHUSUAN=builtin make env                        # cvae.zs instead of ZhuSuan
    python3 scripts/setup_env.py --extra offline    # requirements-offline.txt, too
"""

import contextlib
import fcntl
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import _stamp
from _find_python import STACKS, find_python
from _stamp import ROOT, STAMP, python_of
from _steps import call, step
from _zhusuan import ZhuSuan

from cvae.cli import Parser, options, run_main
from cvae.errors import CvaeError


def set_up(venv, extras, python, stack, zhusuan):
    """Bring the environment at `venv` (Path) up to date; return at once if it is.

    The arguments are the options of the command line. None means what `venv` has or
    had, or the best that this machine has or can install.
    """
    zhusuan = ZhuSuan(zhusuan, venv)
    stacks = [one for one in STACKS if stack in (None, one.name)]
    stacks.sort(key=lambda one: one.lock not in _stamp.locks(venv))
    extras = [f"requirements-{name}.txt" for name in extras]
    named = find_python(stacks, python) if python else None
    made = _is_made(venv, stacks, named)
    if made and not _stamp.missing(venv, extras) and zhusuan.is_settled(_stack(venv)):
        return
    with zhusuan:
        if not made:  # what may fail comes before the environment is touched
            _refuse_foreign(venv)
            stack, python = named or find_python(stacks)
            print(f"{os.path.relpath(str(venv))}: {stack.title} on Python {python}")
            zhusuan.fetch(stack.name)
        with _locked(venv):
            if not made and not _is_made(venv, stacks, named):
                _make(venv, stack.lock, python, {"zhusuan": {"asked": zhusuan.asked}})
            zhusuan.settle(_stack(venv))
            for lock in _stamp.missing(venv, extras):
                _install(venv, lock)


def installed_stacks():
    """Return the interpreters of the checkout's environments by their stacks' names."""
    venvs = sorted(path.parent for path in ROOT.glob(f".venv*/{STAMP}"))
    return {_stack(venv): python_of(venv) for venv in venvs if _stack(venv)}


def _stack(venv):
    return next((one.name for one in STACKS if one.lock in _stamp.locks(venv)), None)


def _is_made(venv, stacks, named):
    """Return whether the environment holds one of the stacks as its lock is now."""
    locks = [one.lock for one in stacks if one.lock in _stamp.locks(venv)]
    if not locks or _stamp.missing(venv, locks) or not python_of(venv).exists():
        return False
    return named is None or named[1] == _stamp.read(venv)["python"]


def _refuse_foreign(venv):
    ours = venv.is_dir() and all(path.name.startswith(STAMP) for path in venv.iterdir())
    if os.path.lexists(str(venv)) and not ours and _stamp.read(venv) is None:
        raise CvaeError(
            f"cannot use {venv}: this script did not make it; move it away or choose "
            "another place with --venv DIR (make VENV=DIR)"
        )


@contextlib.contextmanager
def _locked(venv):
    """Lock the directory `venv`, which is made if need be."""
    venv.mkdir(parents=True, exist_ok=True)
    folder = os.open(str(venv), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another set-up of {venv.name}", flush=True)
        fcntl.flock(folder, fcntl.LOCK_EX)
    except OSError:
        print(f"note: {venv} cannot be locked; do not start a second set-up of it")
    yield  # the lock ends with this process, too
    os.close(folder)


def _make(venv, lock, python, stamp):
    """Make the environment anew, with the packages of a lock."""
    _stamp.write(venv, stamp)  # the directory is ours, and nothing is finished
    for path in venv.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != STAMP:
            path.unlink()
    uv = [shutil.which("uv"), "venv", "-q", "--no-project", "--allow-existing", "-p"]
    program = [*uv, python] if uv[0] else [python, "-E", "-s", "-m", "venv"]
    with step("make the environment"):
        call([*program, str(venv)], venv)
    _stamp.write(venv, dict(stamp, python=str(python_of(venv).resolve()), locks={}))
    # The bundled pip may be too old, and sources are built with the lock's setuptools.
    entry = r"^(?:pip|setuptools|wheel)==.*(?:\n[ \t]+--hash.*)*\n"
    text = (ROOT / lock).read_text(encoding="utf-8")
    first = venv / "installer.txt"
    first.write_text("".join(re.findall(entry, text, re.MULTILINE)), encoding="utf-8")
    with step("install pip, setuptools and wheel"):
        _pip_install(venv, first)
    _install(venv, lock)


def _install(venv, lock):
    """Install a lock, import TensorFlow as a check, and note the lock in the stamp."""
    with step(f"install {lock}"):
        _pip_install(venv, ROOT / lock)
        call([str(python_of(venv)), "-I", "-c", "import tensorflow"], venv)
    _stamp.add(venv, lock)


def _pip_install(venv, requirements):
    uv, python = shutil.which("uv"), str(python_of(venv))
    pip = [uv, "pip", "install", "-p", python]
    # Like uv, compile nothing yet: Python compiles what is imported, which is less.
    pip = pip if uv else [python, "-I", "-m", "pip", "install", "--no-compile"]
    flags = ["-q", "--require-hashes", "--no-deps", "--no-build-isolation"]
    call([*pip, *flags, "-r", str(requirements)], venv)


def main():
    stacks = [stack.name for stack in STACKS]
    extras = {path.stem[13:] for path in ROOT.glob("requirements-*.txt")} - set(stacks)
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--venv", type=options.path, default=".venv", help="directory to make")
    for name, kind, values in (
        ("python", str, "path or name of an interpreter"),
        ("stack", options.choice(stacks), "1.15 or current, the TensorFlow"),
        ("zhusuan", str, "real, builtin, or path or URL of a git repository"),
    ):
        text = f"{values}; left out, ${name.upper()}, then what is there"
        default = os.environ.get(name.upper()) or None
        add(f"--{name}", type=kind, default=default, help=text)
    text = "install requirements-EXTRA.txt, too; may be given several times"
    choice = options.choice(sorted(extras))
    add("--extra", type=choice, action="append", default=[], help=text)
    args = parser.parse_args()
    set_up(ROOT / args.venv, args.extra, args.python, args.stack, args.zhusuan)


if __name__ == "__main__":
    run_main(main)
