"""Odd environments, and stand-ins that put a process into them.

An environment is one of `NAMES`, or "SIGNAL before the N. SITE" with a `traps.SITES`.
"""

import ctypes
import errno
import fcntl
import os
import pwd
import re
import resource
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import traps

FULL_OUTPUT = "output to a full disk"
_NEW_USER_NAMESPACE = 0x10000000  # CLONE_NEWUSER of <sched.h>


def enter(names, place):
    """Put this process, whose files are under `place`, into environments by name."""
    os.environ["HOME"] = str(place.parent)
    tempfile.tempdir = str(place / "tmp")
    for name in sorted(names, key="no permission".__eq__):  # the others make files
        _enter(name, place)


def make_writable(place):
    """Undo what "no permission" does to the files under `place`."""
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)


def statuses(name):
    """Return the exit statuses that a script may have in the environment `name`."""
    if name in ("no permission", "full disk"):
        return {0, 2}
    if name == FULL_OUTPUT:
        return {2}
    number = getattr(signal, name.partition(" ")[0], None)
    return {0, 128 + number} if number else {0}


def _enter(name, place):
    struck = re.fullmatch(r"(SIG\w+) before the (\d+)\. (.+)", name)
    if struck:
        number, count = signal.Signals[struck.group(1)], int(struck.group(2))
        traps.set_trap(struck.group(3), count, lambda: os.kill(os.getpid(), number))
    else:
        _STAND_INS[name](place)


def refuse(number):
    """Return a function that raises the `OSError` of that number."""

    def call(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return call


def jumping_clock(seconds):
    """Return a `time.time` that is off by `seconds` from its second reading on."""
    real, readings = time.time, []

    def read():
        readings.append(1)
        return real() + seconds * (len(readings) > 1)

    return read


def fsync_without_directories():
    """Return an `os.fsync` that refuses directories, as some file systems do."""
    sync = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            refuse(errno.EINVAL)()
        sync(handle)

    return only_files


def _clock(seconds):
    def stand_in(place):
        time.time = jumping_clock(seconds)

    return stand_in


def _coarse_clocks(place):
    time.time = lambda real=time.time: float(int(real()))
    time.monotonic = lambda real=time.monotonic: float(int(real()))


def _no_locks(place):
    fcntl.flock = refuse(errno.ENOLCK)


def _no_links(place):
    os.symlink = refuse(errno.EPERM)


def _no_syncs(place):
    os.fsync = fsync_without_directories()


def _closed(*numbers):
    """Close standard streams as `>&-` does; Python's objects are None then."""

    def stand_in(place):
        for number in numbers:
            os.close(number)
            name = ("stdin", "stdout", "stderr")[number]
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)

    return stand_in


def _no_reader(place):
    read, write = os.pipe()
    os.close(read)
    _redirect("stdout", 1, write)
    _redirect("stderr", 2, write)


def _full_output(place):
    _redirect("stdout", 1, os.open("/dev/full", os.O_WRONLY))


def _redirect(name, number, opened):
    os.dup2(opened, number)
    setattr(sys, name, os.fdopen(number, "w", closefd=False))


def _full_disk(place):
    """Let no file grow beyond a limit: EFBIG where a full disk has ENOSPC."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))


def _no_permission(place):
    _become(1000)
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)


def _no_home(place):
    """A container's user: without HOME, and in no list of users."""
    if not _become(54321):

        def unknown(uid):
            raise KeyError(f"getpwuid(): uid not found: {uid}")

        pwd.getpwuid = unknown
    os.environ.pop("HOME", None)


def _closed_home(place):
    os.environ["HOME"] = os.environ["MPLCONFIGDIR"] = "/proc/nowhere"


def _no_working_directory(place):
    gone = tempfile.mkdtemp(dir=str(place))
    os.chdir(gone)
    os.rmdir(gone)


def _ascii(place):
    sys.stdout.reconfigure(encoding="ascii", errors="strict")
    sys.stderr.reconfigure(encoding="ascii", errors="strict")


def _odd_terminal(place):
    os.umask(0o077)
    os.environ.pop("TERM", None)
    os.environ["COLUMNS"] = "-5"


def _become(uid):
    """Be `uid` in a user namespace, without root's privileges; return whether."""
    before = os.getuid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER_NAMESPACE):
        return False
    try:
        Path("/proc/self/uid_map").write_text(f"{uid} {before} 1")
    except OSError:
        return False
    return True


_STAND_INS = {
    "clock back": _clock(-3600.0),
    "clock forward": _clock(3600.0),
    "coarse clocks": _coarse_clocks,
    "no locks": _no_locks,
    "no symbolic links": _no_links,
    "no syncs of directories": _no_syncs,
    "no stdin": _closed(0),
    "no stdout": _closed(1),
    "no stderr": _closed(2),
    "no streams": _closed(0, 1, 2),
    "no reader": _no_reader,
    FULL_OUTPUT: _full_output,
    "full disk": _full_disk,
    "no permission": _no_permission,
    "no home": _no_home,
    "closed home": _closed_home,
    "no working directory": _no_working_directory,
    "ASCII": _ascii,
    "odd terminal": _odd_terminal,
}
NAMES = tuple(_STAND_INS)
