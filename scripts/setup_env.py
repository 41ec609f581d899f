#!/usr/bin/env python3
"""Make .venv: a Python that TensorFlow 1.15 runs on, with every package of the lock.

    python3 scripts/setup_env.py                    # what `make env` runs
    PYTHON=/opt/python3.7/bin/python make env       # on this interpreter or none
    python3 scripts/setup_env.py --extra offline    # requirements-offline.txt, too

Silent and done in well under a second when nothing changed. Standard library only: it
runs on any Python from 3.6 on, before anything is installed.
"""

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from _find_python import NEEDS, fit_interpreters, named_interpreter, none_found

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.txt"
STAMP = ".cvae-env.json"  # in the environment: proof that we made it, what it holds
LOG = "setup.log"  # in the environment: what venv and pip said last
INSTALLER = ("pip", "setuptools", "wheel")  # first: the bundled ones may be too old

# Runs in the finished environment.
CHECK = """
import json, tensorflow, numpy, google.protobuf
modules = {"tensorflow": tensorflow, "numpy": numpy, "protobuf": google.protobuf}
print(json.dumps({name: module.__version__ for name, module in modules.items()}))
"""

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


def set_up(venv, extras=(), python=None):
    """Bring the environment at `venv` (Path) up to date; return at once if it is.

    Args:
        extras: names; `requirements-NAME.txt` is installed for each.
        python: path or name of the interpreter to use; None looks for one.

    Raises:
        SetupError: no interpreter, a failed installation, a `venv` that is not ours.
    """
    wanted = _named(python) if python else None
    locks = [LOCK] + [_lock_of_extra(name) for name in extras]
    if not _why_anew(venv, wanted) and not _not_installed(venv, locks):
        return
    venv.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(venv):
        reason = _why_anew(venv, wanted)  # another set-up may have finished meanwhile
        if reason:
            _refuse_foreign(venv)
            _make_anew(venv, wanted, reason)
        for lock in _not_installed(venv, locks):
            _install(venv, lock)


# What there is --------------------------------------------------------------------


def read_stamp(venv):
    """What the environment holds: {} if half-made, None if it is not ours."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        stamp = None
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv, stamp):
    """Replace the stamp, whole or not at all."""
    scratch = venv / (STAMP + ".new")
    scratch.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    os.replace(str(scratch), str(venv / STAMP))


def python_of(venv):
    """The environment's interpreter, as a path."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _why_anew(venv, wanted):
    """Why the environment must be made anew, None if it need not."""
    stamp = read_stamp(venv)
    if stamp is None:
        return "not there yet"
    if LOCK not in stamp.get("locks", {}):
        return "was not finished"
    if not python_of(venv).exists():
        return "its Python is gone"
    if stamp["locks"][LOCK] != _digest(LOCK):
        return "{} has changed".format(LOCK)
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
    lock = "requirements-{}.txt".format(name)
    if not (ROOT / lock).is_file():
        known = sorted(path.stem[13:] for path in ROOT.glob("requirements-*.txt"))
        raise SetupError(
            "--extra {}: there is no {}; choose from {}".format(
                name, lock, ", ".join(known) or "none"
            )
        )
    return lock


# Making it ------------------------------------------------------------------------


def _named(command):
    facts, reason = named_interpreter(command)
    if reason:
        raise SetupError("PYTHON={} {}; {}".format(command, reason, NEEDS))
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
            print("waiting for another set-up of {}".format(venv.name), flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _refuse_foreign(venv):
    if os.path.lexists(str(venv)) and not venv.is_dir():
        raise SetupError("{} is not a directory; move it away".format(venv))
    if venv.is_dir() and read_stamp(venv) is None and any(venv.iterdir()):
        raise SetupError(
            "{} was not made by this script, which leaves it alone; move it away "
            "or choose another place with --venv DIR".format(venv)
        )


def _make_anew(venv, wanted, reason):
    """An empty environment on the first interpreter that can make one."""
    refused = []
    for facts in [wanted] if wanted else fit_interpreters(os.environ, refused):
        python = facts["executable"]
        print("{} ({})".format(os.path.relpath(str(venv)), reason), flush=True)
        _empty(venv)
        try:
            with _step("Python {} of {}".format(facts["version"], python)):
                _call([python, "-E", "-s", "-m", "venv", str(venv)], venv)
        except SetupError as error:
            if wanted:
                raise
            why = str(error).replace("\n", "\n    ")
            refused.append("{} makes no environment: {}".format(python, why))
        else:
            write_stamp(venv, {"python": python, "locks": {}})
            return
    raise SetupError(none_found(refused))


def _empty(venv):
    """Leave an empty directory with a stamp that says: ours, nothing done."""
    venv.mkdir(exist_ok=True)
    write_stamp(venv, {})
    for path in venv.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != STAMP:
            path.unlink()


def _install(venv, lock):
    """Install a lock; the stamp says so when all is there and has been tried."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pip = ["-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r"]
    python = [str(python_of(venv)), "-I"]
    if lock == LOCK:
        first = venv / "installer.txt"
        first.write_text(_entries(text, INSTALLER), encoding="utf-8")
        with _step("pip, setuptools and wheel of {}".format(lock)):
            _call(python + pip + [str(first)], venv)
    hint = ", a minute or two" if lock == LOCK else ""
    with _step("packages of {}{}".format(lock, hint)):
        # What comes as source is built with the lock's setuptools, not with any other.
        _call(python + pip + [str(ROOT / lock), "--no-build-isolation"], venv)
    if lock == LOCK:
        with _step("trying TensorFlow"):
            _try_out(venv, text)
    stamp = read_stamp(venv)
    stamp["locks"][lock] = _digest(lock)
    write_stamp(venv, stamp)


def _entries(text, names):
    """The entries of a lock, hashes and all, of the packages named."""
    wanted = "|".join(re.escape(name) for name in names)
    pattern = r"^(?:{})==.*(?:\n[ \t]+--hash.*)*".format(wanted)
    return "\n".join(re.findall(pattern, text, re.MULTILINE)) + "\n"


def _try_out(venv, text):
    """Import what matters and compare its versions with the lock."""
    said = _call([str(python_of(venv)), "-I", "-W", "ignore", "-c", CHECK], venv)
    for name, version in json.loads(said.splitlines()[-1]).items():
        pins = re.findall(r"^{}==([^\s;]+)".format(name), text, re.MULTILINE)
        if version not in pins:
            raise SetupError(
                "{} {} was installed, but {} says {}; delete {}".format(
                    name, version, LOCK, " or ".join(pins), venv
                )
            )


@contextlib.contextmanager
def _step(what):
    """Print what is done, and in how many seconds."""
    print("  {} ... ".format(what), end="", flush=True)
    start = time.time()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print("{:.0f} s".format(time.time() - start), flush=True)


def _call(command, venv):
    """Run a command: its output. SetupError with the last lines if it fails."""
    environ = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    environ["LC_ALL"] = "C.UTF-8"  # under C, pip fails on non-ASCII paths
    environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX"):
        environ.pop(name, None)
    log = venv / LOG
    with log.open("wb") as output, subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environ,
    ) as child:
        status = _wait(child)
    said = log.read_text(encoding="utf-8", errors="replace")
    if status != 0:
        raise SetupError(_what_failed(status, said, log))
    return said


def _wait(child):
    """Wait for a process, with a dot every ten seconds: its status."""
    try:
        while True:
            try:
                return child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                print(".", end="", flush=True)
    except BaseException:
        child.kill()
        raise


def _what_failed(status, said, log):
    """One line with cause and remedy, then the last lines of the output."""
    cause = "the command failed with status {}".format(status)
    if status == -4:
        cause = "this processor lacks AVX instructions, which TensorFlow 1.15 needs"
    for pattern, meaning in REMEDIES:
        if re.search(pattern, said):
            cause = meaning
            break
    last = "".join("\n  | " + line[:150] for line in said.splitlines()[-6:])
    return "{} (all of it: {}){}".format(cause, log, last)


def _name(text):
    """Argparse type: text that can be printed on one line."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("{!r} is no name".format(text))
    return text


def _no_option(text, options):
    name = text.partition("=")[0]
    near = difflib.get_close_matches(name, options, n=1)
    guess = "; did you mean {!r}?".format(near[0]) if near else ""
    return "there is no {!r}{}".format(name, guess)


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
        parser.error(_no_option(unknown[0], ("--venv", "--python", "--extra")))
    try:
        set_up(ROOT / args.venv, args.extra, args.python)
    except SetupError as error:
        print("error: {}".format(error), file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print("error: cannot make {}: {}".format(args.venv, reason), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the next run starts afresh", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
