"""A bare machine for scripts/setup_env.py, with fake interpreters on it."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from paths import ROOT

# Runs the script as if some other Python, which no test can choose, had started it.
RUN = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run in background
sys.executable = {bootstrap!r}
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Answers what the script asks of an interpreter, and notes what it was asked to do.
FAKE = """#!/bin/sh
PATH=/usr/bin:/bin
self="$0"
case "$*" in
  *python_implementation*)
    echo '{facts}' ;;
  *"-m venv "*)
    echo "venv by $self" >> "$HOME/log"
    [ '{makes_venv}' = True ] || {{ echo 'no wheels to bootstrap pip'; exit 1; }}
    for venv; do :; done
    mkdir -p "$venv/bin"
    touch "$venv/pyvenv.cfg"
    ln -s "$self" "$venv/bin/python" ;;
  *"-m pip "*)
    echo "pip $*" >> "$HOME/log"
    [ -z "$PIP_SAYS" ] || {{ echo "$PIP_SAYS"; exit 1; }}
    [ "$PIP_FAILS" != "$4" ] || {{ echo "no $4"; exit 1; }}
    packages="${{self%/bin/python}}/lib/python3.7/site-packages"
    for last; do :; done
    case "$4 $last" in
      wheel*)
        mkdir "$last/../built"
        touch "$last/../built/$(cat "$last/name")-py3-none-any.whl" ;;
      install*.whl)
        wheel="${{last##*/}}"
        metadata="$packages/${{wheel%-py3*}}.dist-info"
        mkdir -p "$metadata"
        [ "$PIP_FAILS" != middle ] || {{ echo 'pip is gone'; exit 1; }}
        touch "$metadata/RECORD" ;;
      uninstall*)
        rm -r "$packages/$last"-* ;;
    esac ;;
  *"import json, tensorflow"*)
    echo '{{"tensorflow": "{tensorflow}", "numpy": "'${{NUMPY:-{numpy}}}'"}}' ;;
esac
"""

VERSIONS = {  # of each stack's packages
    "requirements.txt": {"tensorflow": "1.15.0", "numpy": "1.18.5"},
    "requirements-current.txt": {"tensorflow": "2.20.0", "numpy": "2.4.6"},
}
URL = "https://zhusuan.invalid/zhusuan"  # is out of reach everywhere
LOCK = """# a lock
numpy=={numpy} ; python_full_version < '4' \\
    --hash=sha256:00
pip==24.0 \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via -r requirements.in
tensorflow=={tensorflow} \\
    --hash=sha256:03
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_python(path, version="3.7.16", makes_venv=True, **changes):
    facts = {
        "executable": str(path),
        "implementation": "CPython",
        "version": version,
        "bits": 64,
        "machine": "x86_64",
        "system": "linux",
        "missing": [],
    }
    facts.update(changes)
    old = version.startswith("3.7.")
    packages = VERSIONS["requirements.txt" if old else "requirements-current.txt"]
    text = FAKE.format(facts=json.dumps(facts), makes_venv=makes_venv, **packages)
    return write_program(path, text)


GIT = shutil.which("git")
LOGGED_GIT = '#!/bin/sh\necho "git $*" >> "$HOME/log"\nexec "{}" "$@"\n'


def git(folder, *arguments):
    """Run the real git in a folder, whatever the tests run in: its output."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"}
    command = [GIT, "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.check_output(command + list(arguments), env=environ)
    return done.decode().strip()


def repository(folder, *names):
    """A repository with a commit for each name of a wheel: the commits."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    commits = []
    for name in names:
        (folder / "name").write_text(name)
        git(folder, "add", "name")
        git(folder, "commit", "-q", "-m", name)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return commits


class Machine:
    """A bare machine with a checkout: its own PATH and home, no Python that fits."""

    def __init__(self, folder):
        self.path, self.home = folder / "bin", folder / "home"
        self.checkout = folder / "check out"  # a space, as in many a home
        self.venv = self.checkout / ".venv"
        for directory in (self.path, self.home, self.checkout / "scripts"):
            directory.mkdir(parents=True)
        for path in (ROOT / "scripts").glob("*.py"):
            if path.name == "setup_env.py" or path.name.startswith("_"):
                shutil.copy(str(path), str(self.checkout / "scripts"))
        self.environ = {"PATH": str(self.path), "HOME": str(self.home)}
        self.pin(40 * "0")  # is in no repository
        for name, versions in VERSIONS.items():
            (self.checkout / name).write_text(LOCK.format(**versions))
        (self.checkout / "requirements-offline.txt").write_text("mlxtend==0.19.0\n")
        self.bootstrap = fake_python(folder / "usr/bin/python3", "3.9.18")

    def pin(self, commit):
        """Write a setup.py that asks for this commit of ZhuSuan."""
        (self.checkout / "setup.py").write_text(f'"git+{URL}@{commit}"\n')

    def pin_new_repository(self, folder):
        """Make one whose commit is the pinned one, and not its newest: the folder."""
        commit, _ = repository(folder, "zhusuan-0.4.0", "zhusuan-0.5.0")
        self.pin(commit)
        return folder

    @contextlib.contextmanager
    def with_git(self):
        """Add Python 3.7 and git; hold the set-up to leaving no temporary file."""
        fake_python(self.path / "python3.7")
        write_program(self.path / "git", LOGGED_GIT.format(GIT))
        self.environ["TMPDIR"] = str(self.home / "tmp")
        (self.home / "tmp").mkdir()
        yield self
        assert list((self.home / "tmp").iterdir()) == []

    def start(self, *arguments, **environ):
        command = [sys.executable, "-c", RUN.format(bootstrap=str(self.bootstrap))]
        return subprocess.Popen(
            command
            + [str(self.checkout / "scripts" / "setup_env.py")]
            + list(arguments),
            env=dict(self.environ, **environ),
            cwd=str(self.checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    def set_up(self, *arguments, **environ):
        """Run the script: (status, stdout, stderr)."""
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err
        return process.returncode, out, err

    def log(self):
        """What the interpreters were asked to do since the last look."""
        path = self.home / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines

    def stamp(self):
        """What the environment is said to hold."""
        return json.loads((self.venv / ".cvae-env.json").read_text())

    def files(self):
        """Every file of the checkout with its bytes, but for a command's output."""
        return {
            path: path.read_bytes() if path.is_file() else None
            for path in self.checkout.rglob("*")
            if path.name != "setup.log" and "__pycache__" not in str(path)
        }

    def chosen(self):
        """The interpreter that the environment was made with."""
        return Path(self.stamp()["python"])

    def lock(self):
        """The lock that the environment was made of."""
        (lock,) = self.stamp()["locks"]
        return lock
