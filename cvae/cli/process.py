"""Make the process one that libraries can work in, whatever started it.

Closed standard streams, a missing home directory or a folder that nobody may write are
no reason to fail: `prepare` gives the process stand-ins.
"""

import contextlib
import functools
import importlib.machinery
import logging
import os
import pwd
import sys
import tempfile
from typing import Iterable

from cvae.errors import CvaeError
from cvae.storage import files

# TensorFlow imports these if they are installed, for parts of it that are not used.
UNUSED = ("PIL", "h5py", "pandas", "scipy", "setuptools", "yaml")
if sys.version_info < (3, 8):  # TensorFlow 1.15; today's needs it
    UNUSED += ("requests",)

_scratch = None


class Output:
    """A standard stream whose faults do not stop the work.

    After a fault everything else is dropped. `fault` is the `OSError`: nobody reads
    the pipe any more, the terminal was closed, or the disk behind it is full.
    """

    def __init__(self, stream):
        self._stream = stream
        self.fault = None

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def _try(self, call, *args):
        if self.fault is None:
            try:
                call(*args)
            except OSError as error:
                self.fault = error


def prepare() -> None:
    """Repair streams, home directory, caches and log levels; shorten the start.

    Calling it again is harmless.
    """
    _open_closed_descriptors()
    sys.stdout, sys.stderr = (_output(1, sys.stdout), _output(2, sys.stderr))
    _find_home()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files, whatever the user's choice
    silence_libraries()
    # Otherwise today's TensorFlow imports Keras, which takes 40 % of its start and is
    # not used. It looks for the older Keras instead, and does without it.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    usual = importlib.machinery.PathFinder
    if _FINDER not in sys.meta_path and usual in sys.meta_path:
        # It comes after finders that others have added.
        sys.meta_path.insert(sys.meta_path.index(usual), _FINDER)
    _find_cache()


def silence_libraries() -> None:
    """Hide notes on deprecations, missing GPUs and caches, which are not for users."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)


def clean() -> None:
    """Delete the cache that `prepare` made for this process, if it made one."""
    if _scratch is not None:
        _scratch.cleanup()


class _Finder:
    """Finds TensorFlow; hides `UNUSED`, a fifth of its import on 1.15, meanwhile."""

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = functools.partial(_run_without_unused, run)
        return spec


_FINDER = _Finder()


def _run_without_unused(run, module):
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: cannot be imported
    try:
        run(module)
    finally:
        for name in hidden:
            del sys.modules[name]


def _open_closed_descriptors():
    """Open 0, 1 and 2, or the next file would get the number and others' output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(opened, True)


def _output(descriptor, stream):
    if isinstance(stream, Output):
        return stream
    if stream is None:  # it was closed when Python started
        stream = os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)
    if hasattr(stream, "reconfigure"):  # a letter that this terminal cannot show
        stream.reconfigure(errors="backslashreplace")
    return Output(stream)


def _find_home():
    """Set HOME where it is missing: else the libraries make a folder called `~`."""
    if os.path.isabs(os.environ.get("HOME", "")):
        return
    try:
        os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container's user, who is in no list
        os.environ["HOME"] = "/"


def _find_cache():
    """Give Matplotlib a folder for its fonts where it cannot write the usual ones."""
    global _scratch
    home = os.environ["HOME"]
    parents = [
        os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"),
        os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"),
    ]
    chosen = os.environ.get("MPLCONFIGDIR")
    usual = [chosen] if chosen else [os.path.join(p, "matplotlib") for p in parents]
    if _scratch is None and not all(map(_writable, usual)):
        with contextlib.suppress(OSError):  # not even there: Matplotlib will fail
            _scratch = tempfile.TemporaryDirectory(prefix="cvae-")
            os.environ["MPLCONFIGDIR"] = _scratch.name


def _writable(path):
    try:
        files.check_place(path)
    except CvaeError:
        return False
    return True
