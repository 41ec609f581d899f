#!/usr/bin/env python3
"""Make .venv: a Python that TensorFlow runs on, with every package of the stack's lock.

The stack is TensorFlow 1.15 where there is a Python for it, else today's.

    python3 scripts/setup_env.py                    # what `make env` runs
    STACK=current make env                          # this stack: 1.15 or current
    PYTHON=/opt/python3.7/bin/python make env       # on this interpreter or none
    ZHUSUAN=builtin make env                        # cvae.zs instead of ZhuSuan
    python3 scripts/setup_env.py --extra offline    # requirements-offline.txt, too

On TensorFlow 1.15 it installs ZhuSuan 0.4.0 from its git repository, too. Where that is
out of reach, cvae.zs stands in; ZHUSUAN names another copy of the repository.

Silent and done in well under a second when nothing changed. Standard library only: it
runs on any Python from 3.7 on, before anything is installed.
"""

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

from _find_python import (
    STACKS,
    fit_interpreters,
    named_interpreter,
    none_found,
    stack_of,
)
from _stamp import STAMP, python_of, read_stamp, write_stamp
from _steps import SetupError, call, step
from _zhusuan import ZhuSuan

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"1.15": "requirements.txt", "current": "requirements-current.txt"}
INSTALLER = ("pip", "setuptools", "wheel")  # first: the bundled ones may be too old

# Runs in the finished environment.
CHECK = """
import json, tensorflow, numpy, google.protobuf
modules = {"tensorflow": tensorflow, "numpy": numpy, "protobuf": google.protobuf}
print(json.dumps({name: module.__version__ for name, module in modules.items()}))
"""


def set_up(venv, extras=(), python=None, stack=None, zhusuan=None):
    """Bring the environment at `venv` (Path) up to date; return at once if it is.

    Args:
        extras: names; `requirements-NAME.txt` is installed for each.
        python: path or name of the interpreter to use; None looks for one.
        stack: name of the stack to install; None takes what `venv` has, or the first
            that there is an interpreter for.
        zhusuan: `real`, `builtin`, or the path or URL of a git repository; None takes
            what `venv` has or had, or the real one if it can be installed.

    Raises:
        SetupError: no interpreter, a failed installation, a `venv` that is not ours.
    """
    zhusuan = ZhuSuan(zhusuan, venv)
    stacks = _stacks(stack, venv)
    wanted = _named(python, stacks) if python else None
    locks = [_lock_of_extra(name) for name in extras]
    finished = not (_why_anew(venv, wanted, stacks) or _not_installed(venv, locks))
    if finished and zhusuan.is_settled(_stack_in(venv)):
        return
    venv.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(venv), zhusuan:
        # Another set-up may have finished meanwhile.
        reason = _why_anew(venv, wanted, stacks)
        if reason:
            _refuse_foreign(venv)
            made = _make_anew(venv, wanted, stacks, reason, zhusuan)
            _install_stack(venv, made)
        zhusuan.settle(_stack_in(venv))
        for lock in _not_installed(venv, locks):
            _install_extra(venv, lock)


# What there is --------------------------------------------------------------------


def installed_stacks():
    """The interpreters of the checkout's environments, by the names of their stacks."""
    venvs = sorted(path.parent for path in ROOT.glob(".venv*/" + STAMP))
    return {_stack_in(venv): python_of(venv) for venv in venvs if _stack_in(venv)}


def _stack_in(venv):
    """The name of the stack that is installed in the environment, None if none is."""
    locks = (read_stamp(venv) or {}).get("locks", {})
    return next((name for name, lock in LOCKS.items() if lock in locks), None)


def _why_anew(venv, wanted, stacks):
    """Why the environment must be made anew, None if it need not."""
    stamp, name = read_stamp(venv), _stack_in(venv)
    if stamp is None:
        return "not there yet"
    if name is None:
        return "was not finished"
    if not python_of(venv).exists():
        return "its Python is gone"
    lock = LOCKS[name]
    if stamp["locks"][lock] != _digest(lock):
        return f"{lock} has changed"
    if name not in [stack.name for stack in stacks]:
        return f"was of {lock}"
    if wanted and wanted["executable"] != stamp["python"]:
        return "was for {}".format(stamp["python"])
    return None


def _not_installed(venv, locks):
    """The locks, in order, that the environment does not hold as they are now."""
    done = (read_stamp(venv) or {}).get("locks", {})
    return [lock for lock in locks if done.get(lock) != _digest(lock)]


def _digest(lock):
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def _lock_of_extra(name):
    lock = f"requirements-{name}.txt"
    if lock in LOCKS.values() or not (ROOT / lock).is_file():
        every = {path.name for path in ROOT.glob("requirements-*.txt")}
        known = sorted(path[13:-4] for path in every.difference(LOCKS.values()))
        raise SetupError(
            "--extra {}: there is no {}; choose from {}".format(
                name, lock, ", ".join(known) or "none"
            )
        )
    return lock


# Making it ------------------------------------------------------------------------


def _stacks(name, venv):
    """The stacks to choose from, in order: what `venv` has or had goes first."""
    if name is None:
        before = (read_stamp(venv) or {}).get("locks", {})
        return tuple(sorted(STACKS, key=lambda s: LOCKS[s.name] not in before))
    known = [stack for stack in STACKS if stack.name == name]
    if not known:
        names = " or ".join(stack.name for stack in STACKS)
        raise SetupError(f"STACK={name} is no stack; take {names}")
    return tuple(known)


def _named(command, stacks):
    facts, reason = named_interpreter(command, stacks)
    if reason:
        needs = "; ".join(f"{s.title} needs {s.needs}" for s in stacks)
        raise SetupError(f"PYTHON={command} {reason}; {needs}")
    return facts


@contextlib.contextmanager
def _one_at_a_time(venv):
    """Hold a lock on the folder around `venv`; it dies with this process."""
    if fcntl is None:
        yield
        return
    folder = os.open(str(venv.parent), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another set-up of {venv.name}", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _refuse_foreign(venv):
    if os.path.lexists(str(venv)) and not venv.is_dir():
        raise SetupError(f"{venv} is not a directory; move it away")
    if venv.is_dir() and read_stamp(venv) is None and any(venv.iterdir()):
        raise SetupError(
            f"{venv} was not made by this script, which leaves it alone; move it away "
            "or choose another place with --venv DIR"
        )


def _make_anew(venv, wanted, stacks, reason, zhusuan):
    """An empty environment on the first interpreter that can make one: its stack."""
    refused = []
    found = [wanted] if wanted else fit_interpreters(os.environ, stacks, refused)
    for facts in found:
        python, stack = facts["executable"], stack_of(facts, stacks)
        print(f"{os.path.relpath(str(venv))} ({reason})", flush=True)
        print(f"  {stack.title}, because {_why(stack, wanted, stacks)}")
        zhusuan.fetch(stack.name)  # if this fails, the environment is as it was
        stamp = {"zhusuan": {"asked": zhusuan.asked}}
        _empty(venv, stamp)
        try:
            with step("Python {} of {}".format(facts["version"], python)):
                call([python, "-E", "-s", "-m", "venv", str(venv)], venv)
        except SetupError as error:
            if wanted:
                raise
            why = str(error).replace("\n", "\n    ")
            refused.append(f"{python} makes no environment: {why}")
        else:
            write_stamp(venv, dict(stamp, python=python, locks={}))
            return stack
    raise SetupError(none_found(stacks, refused))


def _why(stack, wanted, stacks):
    """Why it is this stack, in a few words."""
    if len(stacks) == 1:
        return f"STACK={stack.name} asks for it"
    if wanted:
        return "PYTHON={executable} is {version}".format(**wanted)
    if stack is STACKS[0]:
        return "there is a Python {} for it, and the homework asks for it".format(
            " or ".join(stack.versions)
        )
    if stack is stacks[0]:
        return "it was there before"
    return f"{stacks[0].title} needs {stacks[0].needs}, and there is none"


def _empty(venv, stamp):
    """Leave an empty directory with a stamp that says: ours, nothing done."""
    venv.mkdir(exist_ok=True)
    write_stamp(venv, stamp)
    for path in venv.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != STAMP:
            path.unlink()


def _install_stack(venv, stack):
    """Install a stack's lock, the installer first, and try it."""
    lock = LOCKS[stack.name]
    text = (ROOT / lock).read_text(encoding="utf-8")
    first = venv / "installer.txt"
    first.write_text(_entries(text, INSTALLER), encoding="utf-8")
    with step(f"pip, setuptools and wheel of {lock}"):
        _pip(venv, first)
    with step(f"packages of {lock}, a minute or two"):
        _pip(venv, ROOT / lock)
    with step("trying TensorFlow"):
        _try_out(venv, lock, text)
    _note_installed(venv, lock)


def _install_extra(venv, lock):
    """Install a lock; the stamp says so when all is there."""
    with step(f"packages of {lock}"):
        _pip(venv, ROOT / lock)
    _note_installed(venv, lock)


def _pip(venv, lock):
    # What comes as source is built with the lock's setuptools, not with any other.
    options = ["-q", "--require-hashes", "--no-deps", "--no-build-isolation"]
    python = [str(python_of(venv)), "-I", "-m", "pip", "install"]
    call(python + options + ["-r", str(lock)], venv)


def _note_installed(venv, lock):
    stamp = read_stamp(venv)
    stamp["locks"][lock] = _digest(lock)
    write_stamp(venv, stamp)


def _entries(text, names):
    """The entries of a lock, hashes and all, of the packages named."""
    wanted = "|".join(re.escape(name) for name in names)
    pattern = rf"^(?:{wanted})==.*(?:\n[ \t]+--hash.*)*"
    return "\n".join(re.findall(pattern, text, re.MULTILINE)) + "\n"


def _try_out(venv, lock, text):
    """Import what matters and compare its versions with the lock's text."""
    said = call([str(python_of(venv)), "-I", "-W", "ignore", "-c", CHECK], venv)
    for name, version in json.loads(said.splitlines()[-1]).items():
        pins = re.findall(rf"^{name}==([^\s;]+)", text, re.MULTILINE)
        if version not in pins:
            raise SetupError(
                "{} {} was installed, but {} says {}; delete {}".format(
                    name, version, lock, " or ".join(pins), venv
                )
            )


def _name(text):
    """Argparse type: text that can be printed on one line."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name")
    return text


def _no_option(text, options):
    name = text.partition("=")[0]
    near = difflib.get_close_matches(name, options, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no {name!r}{guess}"


def main():
    """Parse the command line; 0 if the environment is ready, 2 and one line if not."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--venv",
        default=".venv",
        type=_name,
        metavar="DIR",
        help="the directory to make (default: .venv)",
    )
    parser.add_argument(
        "--python",
        default=os.environ.get("PYTHON") or None,
        type=_name,
        metavar="PROGRAM",
        help="the interpreter to use (default: $PYTHON, else the best one found)",
    )
    parser.add_argument(
        "--stack",
        default=os.environ.get("STACK") or None,
        type=_name,
        metavar="NAME",
        help="1.15 or current (default: $STACK, else what is there, else 1.15 where "
        "there is a Python for it)",
    )
    parser.add_argument(
        "--zhusuan",
        default=os.environ.get("ZHUSUAN") or None,
        type=_name,
        metavar="WHICH",
        help="real, builtin, or the path or URL of a git repository of ZhuSuan 0.4.0 "
        "(default: $ZHUSUAN, else what is there, else real where it can be installed)",
    )
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        type=_name,
        metavar="NAME",
        help="install requirements-NAME.txt, too; may be given several times",
    )
    parser.error = lambda message: parser.exit(
        2, "error: {} (see --help)\n".format(" ".join(message.split()))
    )
    args, unknown = parser.parse_known_args()
    if unknown:
        options = ("--venv", "--python", "--stack", "--zhusuan", "--extra")
        parser.error(_no_option(unknown[0], options))
    try:
        venv = ROOT / args.venv
        set_up(venv, args.extra, args.python, args.stack, args.zhusuan)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print(f"error: cannot make {args.venv}: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the next run starts afresh", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))  # clean up first
    sys.exit(main())
