"""ZhuSuan 0.4.0 from its git repository, for TensorFlow 1.15. Standard library only.

`setup.py` names the repository and the commit. A commit's name is the hash of its
files, so that any repository that has it will do.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from _git import fetch_commit
from _stamp import python_of, read_stamp, write_stamp
from _steps import SetupError, call, step

SETUP = Path(__file__).resolve().parent.parent / "setup.py"
PIN = r'"git\+(https://\S+)@([0-9a-f]{40})"'
URL, COMMIT = re.search(PIN, SETUP.read_text(encoding="utf-8")).groups()
STACK = "1.15"  # the only one that it runs on


class ZhuSuan:
    """Installs what ZHUSUAN asks for; as a context, deletes what was fetched for it.

    Args:
        asked: `real`, `builtin`, a path or a URL; None keeps the earlier choice, and
            lets cvae.zs stand in where the real one cannot be installed.
        venv: the environment (Path), which need not be there yet.

    Raises:
        SetupError: `asked` is none of these.
    """

    def __init__(self, asked, venv):
        self.venv, self.insists = venv, bool(asked)
        self.asked = _choice(asked) if asked else self._entry().get("asked", "real")
        source = URL if self.asked == "real" else self.asked
        self.source, self.title = source, "ZhuSuan 0.4.0 from " + _public(source)
        self.folder = self.failure = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.folder:
            shutil.rmtree(str(self.folder), ignore_errors=True)

    def is_settled(self, stack):
        """Return whether the environment, of this stack, holds what is asked for.

        Raises:
            SetupError: ZHUSUAN insists on the real one, and the stack cannot run it.
        """
        entry = self._entry()
        if not self._fits(stack):
            return True
        if "installed" not in entry or entry["installed"] != installed(self.venv):
            return False
        if not self.insists:
            return True
        done = (
            not entry["installed"] if self._is_builtin() else entry["commit"] == COMMIT
        )
        return done and entry["asked"] == self.asked

    def fetch(self, stack):
        """Fetch what an environment of this stack needs, before it is made anew."""
        needed = self._fits(stack) and not self._is_builtin()
        if needed and not self.folder and not self.failure:
            self._try("fetching " + self.title, self._fetch)

    def settle(self, stack):
        """Install or remove ZhuSuan in the finished environment, and stamp it."""
        if self.is_settled(stack):
            return
        found, commit = installed(self.venv), None
        unfinished = "installed" not in self._entry()
        if self._is_builtin() and found and (self.insists or unfinished):
            with step(f"removing ZhuSuan {found}, as ZHUSUAN=builtin asks"):
                self._pip("uninstall", "-y", "zhusuan")
        elif not self._is_builtin() and (self.insists or not found):
            if not self.failure and self._try(self.title, self._install):
                commit = COMMIT
            else:
                print(self._note(), file=sys.stderr)
        self._write_entry(installed=installed(self.venv), commit=commit)

    def _is_builtin(self):
        return self.asked == "builtin"

    def _fits(self, stack):
        if stack != STACK and self.insists and not self._is_builtin():
            raise SetupError(
                f"cannot install {self.title}: it runs on TensorFlow 1.15 only; take "
                "STACK=1.15 "
                "or ZHUSUAN=builtin"
            )
        return stack == STACK

    def _try(self, what, work):
        """Return whether a step succeeded; if ZHUSUAN insists, it must."""
        try:
            with step(what):
                work()
        except (SetupError, OSError) as error:
            why = _public(str(error).splitlines()[0])
            self.failure = f"cannot install {self.title}: {why}"
            if self.insists:
                raise SetupError(
                    f"{self.failure}; take ZHUSUAN=/path/to/git/checkout of {URL}, or "
                    "ZHUSUAN=builtin"
                )
        return not self.failure

    def _note(self):
        return (
            f"note: {self.failure}; cvae.zs stands in; to install it, run "
            "`ZHUSUAN=/path/to/git/"
            f"checkout make env`, or `ZHUSUAN={_public(self.asked)} make env` to try "
            "again"
        )

    def _fetch(self):
        self.folder = Path(tempfile.mkdtemp(prefix="zhusuan-"))
        fetch_commit(self.source, COMMIT, self.folder)

    def _install(self):
        """Build a wheel beside the sources; if it is the right one, install it."""
        if not self.folder:
            self._fetch()
        sources, built = str(self.folder / "sources"), self.folder / "built"
        options = ["--no-deps", "--no-build-isolation", "-w", str(built), sources]
        self._call_pip("wheel", *options)
        (wheel,) = built.glob("*.whl")
        if not re.match(r"zhusuan-0\.4[.-]", wheel.name):
            raise SetupError(f"it is not ZhuSuan 0.4, but {wheel.name}")
        self._pip("install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
        if not installed(self.venv):
            raise SetupError(f"pip installed {wheel.name} without metadata")

    def _pip(self, *arguments):
        self._write_entry()  # says nothing of what is installed until this is done
        self._call_pip(*arguments)

    def _call_pip(self, command, *arguments):
        python = [str(python_of(self.venv)), "-I", "-m", "pip", command, "-q"]
        call(python + list(arguments), self.venv)

    def _entry(self):
        return (read_stamp(self.venv) or {}).get("zhusuan", {})

    def _write_entry(self, **facts):
        entry = dict(asked=self.asked, **facts)
        write_stamp(self.venv, dict(read_stamp(self.venv), zhusuan=entry))


def installed(venv):
    """Return the version of an environment's ZhuSuan 0.4 by its metadata, or None.

    pip writes RECORD last: without it, the installation was interrupted.
    """
    for folder in ("lib/python3.*", "Lib"):
        pattern = folder + "/site-packages/zhusuan-0.4[.]*dist-info/RECORD"
        for record in venv.glob(pattern):
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
    raise SetupError(
        f"ZHUSUAN={_public(asked)}: {path} {why}; take real, builtin, or the path or "
        "URL of a git "
        "repository"
    )


def _public(text):
    """Return the text without the user names and passwords of its URLs."""
    return re.sub(r"(://)[^/@\s]+@", r"\1", text)
