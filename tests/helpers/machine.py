"""A bare machine for scripts/setup_env.py, with fake interpreters on it.

The script runs with -S, without any installed package.
"""

import atexit
import functools
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
sys.executable, *sys.argv = sys.argv[1:]
sys.path[0] = sys.argv[0].rpartition("/")[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Does so in forks of one process: [status, stdout, stderr] of each request.
SERVER = """
import functools, json, logging, os, re, subprocess, sys, tempfile, traceback, typing
sys.path.insert(0, {root!r})
import cvae.cli.options
for line in sys.stdin:
    argv, environ, folder = json.loads(line)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.environ.clear()
                os.environ.update(environ)
                os.chdir(folder)
                sys.argv = ["", *argv]
                exec({run!r})
            except SystemExit as end:
                os._exit(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        out.seek(0)
        err.seek(0)
        print(json.dumps([os.WEXITSTATUS(status), out.read(), err.read()]), flush=True)
"""

# Answers what the script asks of an interpreter, and notes what it was asked to do.
FAKE = """#!/bin/sh
PATH=/usr/bin:/bin
self="$0"
case "$*" in
  *python_implementation*)
    echo '{answer}' ;;
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
  *"import tensorflow"*)
    [ -z "$IMPORT_DIES" ] || kill -ILL $$ ;;
esac
"""

# Makes environments of a Python, or of a version that it fetches.
FAKE_UV = """#!/bin/sh
PATH=/usr/bin:/bin
echo "uv $*" >> "$HOME/log"
[ -z "$UV_SAYS" ] || { echo "$UV_SAYS"; exit 2; }
if [ "$1" = venv ]; then
  python="$6"
  [ -x "$python" ] || python="$HOME/fetched/python$6"
  mkdir -p "$7/bin"
  touch "$7/pyvenv.cfg"
  ln -s "$python" "$7/bin/python"
fi
"""
URL = "https://zhusuan.invalid/zhusuan"  # is out of reach everywhere
LOCK = """# a lock
numpy==1.18.5 ; python_full_version < '4' \\
    --hash=sha256:00
pip==24.0 \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via -r requirements.in
tensorflow==1.15.0 \\
    --hash=sha256:03
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_python(path, kind="CPython 3.7 on linux x86_64", makes_venv=True):
    """An interpreter at `path` that prints that it is of this kind."""
    answer = json.dumps([str(path), f"is {kind}"])
    return write_program(path, FAKE.format(answer=answer, makes_venv=makes_venv))


def later_python(path, version="3.12"):
    """One that only today's TensorFlow runs on."""
    return fake_python(path, f"CPython {version} on linux x86_64")


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


@functools.lru_cache(maxsize=None)
def _server():
    """The process that forks for each set-up; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-S", "-c", SERVER.format(root=str(ROOT), run=RUN)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    atexit.register(server.stdin.close)
    return server


class Machine:
    """A bare machine with a checkout: its own PATH and home, no Python that fits."""

    def __init__(self, folder):
        self.path, self.home = folder / "bin", folder / "home"
        self.checkout = folder / "check out"  # a space, as in many a home
        self.venv = self.checkout / ".venv"
        for directory in (self.path, self.home, self.checkout / "scripts"):
            directory.mkdir(parents=True)
        for path in [ROOT / "scripts/setup_env.py", *ROOT.glob("scripts/_*.py")]:
            shutil.copy(str(path), str(self.checkout / "scripts"))
        (self.checkout / "cvae").symlink_to(ROOT / "cvae")
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self.environ = {
            "PATH": str(self.path),
            "HOME": str(self.home),
            "TMPDIR": str(self.scratch),
        }
        self.pin(40 * "0")  # is in no repository
        for name in ("requirements.txt", "requirements-current.txt"):
            (self.checkout / name).write_text(LOCK)
        (self.checkout / "requirements-offline.txt").write_text("mlxtend==0.19.0\n")
        self.bootstrap = later_python(folder / "usr/bin/python3", "3.9")

    def pin(self, commit):
        """Write a setup.py that asks for this commit of ZhuSuan."""
        (self.checkout / "setup.py").write_text(f'"git+{URL}@{commit}"\n')

    def add_git(self):
        """Put git on PATH, and Python 3.7 as what can run ZhuSuan."""
        fake_python(self.path / "python3.7")
        write_program(self.path / "git", LOGGED_GIT.format(GIT))

    def start(self, *arguments, **environ):
        """Start the script as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-S", "-c", RUN, *self._command(arguments)],
            env=dict(self.environ, **environ),
            cwd=str(self.checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    def set_up(self, *arguments, **environ):
        """Run the script: (status, stdout, stderr)."""
        environ = dict(self.environ, **environ)
        request = [self._command(arguments), environ, str(self.checkout)]
        server = _server()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status, out, err = json.loads(server.stdout.readline())
        assert "Traceback" not in err, err
        return status, out, err

    def _command(self, arguments):
        script = str(self.checkout / "scripts" / "setup_env.py")
        return [str(self.bootstrap), script, *arguments]

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

    def makes(self, *arguments, **environ):
        """Whether a set-up succeeds and makes the environment anew."""
        self.log()
        assert self.set_up(*arguments, **environ)[0] == 0
        return any(line.startswith("venv by") for line in self.log())

    def change_lock(self, name):
        """Change a lock's text, but nothing that it pins."""
        with (self.checkout / name).open("a") as lock:
            lock.write("# changed\n")
