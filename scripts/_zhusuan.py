"""ZhuSuan 0.4.0 from its git repository, for TensorFlow 1.15.

`setup.py` names the repository and the commit. A commit's name is the hash of its
files, so that any repository that has it will do.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import _stamp
from _git import fetch_commit
from _steps import call, step

from cvae.errors import CvaeError

SETUP = (_stamp.ROOT / "setup.py").read_text(encoding="utf-8")
URL, COMMIT = re.search(r'"git\+(https://\S+)@([0-9a-f]{40})"', SETUP).groups()
STACK = "1.15"  # the only one that it runs on


class ZhuSuan:
    """What ZHUSUAN asks for; as a context, it has a directory to fetch into.

    Args:
        asked: `real`, `builtin`, a path or a URL; None keeps the earlier choice, and
            uses cvae.zs where the real one cannot be installed.
        venv: the environment (Path), which need not exist yet.

    Raises:
        CvaeError: `asked` is none of these.
    """

    def __init__(self, asked, venv):
        self.venv, self.insists = venv, bool(asked)
        self.asked = _choice(asked) if asked else self._entry().get("asked", "real")
        self.is_builtin = self.asked == "builtin"
        self.source = URL if self.asked == "real" else self.asked
        self.title = f"ZhuSuan 0.4.0 from {_public(self.source)}"
        self.failure = None

    def __enter__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="zhusuan-")
        self.sources = Path(self._scratch.name, "sources")
        return self

    def __exit__(self, *unused):
        self._scratch.cleanup()

    def is_settled(self, stack):
        """Return whether the environment, of this stack, holds what is asked for.

        Raises:
            CvaeError: ZHUSUAN asks for the real one, and the stack cannot run it.
        """
        if not self._fits(stack):
            return True
        entry = self._entry()
        if "installed" not in entry or entry["installed"] != installed(self.venv):
            return False
        has_it = (
            not entry["installed"] if self.is_builtin else entry["commit"] == COMMIT
        )
        return not self.insists or (has_it and entry["asked"] == self.asked)

    def fetch(self, stack):
        """Fetch what an environment of this stack needs, before it is made anew."""
        if self._fits(stack) and not self.is_builtin:
            self._try(f"fetch {self.title}", self._fetch)

    def settle(self, stack):
        """Install or remove ZhuSuan in the finished environment, and stamp it."""
        if self.is_settled(stack):
            return
        found, commit = installed(self.venv), None
        if (
            self.is_builtin
            and found
            and (self.insists or "commit" not in self._entry())
        ):
            with step(f"remove ZhuSuan {found}, as ZHUSUAN=builtin asks"):
                self._change("uninstall", "-y", "zhusuan")
        elif not self.is_builtin and (self.insists or not found):
            if not self.failure and self._try(f"install {self.title}", self._install):
                commit = COMMIT
            else:
                again = f"`ZHUSUAN={_public(self.asked)} make env`"
                print(
                    f"note: {self.failure}; cvae.zs is used instead; to try again, run "
                    f"{again} or `ZHUSUAN=/path/to/git/checkout make env`",
                    file=sys.stderr,
                )
        self._write_entry(installed=installed(self.venv), commit=commit)

    def _fits(self, stack):
        if stack != STACK and self.insists and not self.is_builtin:
            raise CvaeError(
                f"cannot install {self.title}: it runs on TensorFlow 1.15 only; take "
                "STACK=1.15 or ZHUSUAN=builtin"
            )
        return stack == STACK

    def _try(self, what, work):
        """Return whether a step succeeded; it must if ZHUSUAN asks for it."""
        try:
            with step(what):
                work()
        except CvaeError as error:
            self.failure = _public(str(error))
            if self.insists:
                raise CvaeError(
                    f"{self.failure}; take ZHUSUAN=/path/to/git/checkout of {URL}, or "
                    "ZHUSUAN=builtin"
                )
        return not self.failure

    def _fetch(self):
        fetch_commit(self.source, COMMIT, self.sources)

    def _install(self):
        """Build a wheel; if it is the right one, install it."""
        if not self.sources.exists():
            self._fetch()
        built = self.sources.parent / "built"
        self._pip("wheel", "--no-build-isolation", "-w", str(built), str(self.sources))
        (wheel,) = built.glob("*.whl")
        if not re.match(r"zhusuan-0\.4[.-]", wheel.name):
            raise CvaeError(f"it is not ZhuSuan 0.4, but {wheel.name}")
        self._change("install", "--no-index", "--force-reinstall", str(wheel))
        if not installed(self.venv):
            raise CvaeError(f"pip installed {wheel.name} without metadata")

    def _change(self, *arguments):
        self._write_entry()  # what is installed is unknown until pip is done
        self._pip(*arguments)

    def _pip(self, command, *arguments):
        python = str(_stamp.python_of(self.venv))
        flags = ["-q"] if command == "uninstall" else ["-q", "--no-deps"]
        call([python, "-I", "-m", "pip", command, *flags, *arguments], self.venv)

    def _entry(self):
        return (_stamp.read(self.venv) or {}).get("zhusuan", {})

    def _write_entry(self, **facts):
        entry = dict(asked=self.asked, **facts)
        _stamp.write(self.venv, dict(_stamp.read(self.venv), zhusuan=entry))


def installed(venv):
    """Return the version of an environment's ZhuSuan 0.4 by its metadata, or None.

    pip writes RECORD last: without it, the installation was interrupted.
    """
    records = "lib/python3.*/site-packages/zhusuan-0.4[.]*dist-info/RECORD"
    for record in venv.glob(records):
        return record.parent.name[len("zhusuan-") : -len(".dist-info")]
    return None


def _choice(asked):
    """Return a value of ZHUSUAN with its path, if it is one, made absolute."""
    path = Path(os.path.abspath(os.path.expanduser(asked)))
    if asked in ("real", "builtin"):
        return asked
    if (path / ".git").exists() or (path / "objects").is_dir():  # a checkout, or bare
        return str(path)
    if not path.exists() and re.match(r"[^/-][^/]*:.", asked):  # a URL, or host:path
        return asked
    why = "is not a git repository" if path.exists() else "does not exist"
    raise CvaeError(
        f"ZHUSUAN={_public(asked)}: {path} {why}; take real, builtin, or the path or "
        "URL of a git repository"
    )


def _public(text):
    """Return the text without the user names and passwords of its URLs."""
    return re.sub(r"(://)[^/@\s]+@", r"\1", text)
