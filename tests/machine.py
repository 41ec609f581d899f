"""A bare machine for scripts/setup_env.py, with fake interpreters on it."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


# Runs the script as if some other Python, which no test can choose, had started it.
RUN = """
import runpy, sys
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
    [ -z "$PIP_SAYS" ] || {{ echo "$PIP_SAYS"; exit 1; }} ;;
  *"import json, tensorflow"*)
    echo '{{"tensorflow": "{tensorflow}", "numpy": "'${{NUMPY:-{numpy}}}'"}}' ;;
esac
"""

VERSIONS = {  # of each stack's packages
    "requirements.txt": {"tensorflow": "1.15.0", "numpy": "1.18.5"},
    "requirements-current.txt": {"tensorflow": "2.20.0", "numpy": "2.4.6"},
}
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
    old = version.startswith(("3.6.", "3.7."))
    packages = VERSIONS["requirements.txt" if old else "requirements-current.txt"]
    text = FAKE.format(facts=json.dumps(facts), makes_venv=makes_venv, **packages)
    return write_program(path, text)


class Machine:
    """A bare machine with a checkout: its own PATH and home, no Python that fits."""

    def __init__(self, folder):
        self.path, self.home = folder / "bin", folder / "home"
        self.checkout = folder / "check out"  # a space, as in many a home
        self.venv = self.checkout / ".venv"
        for directory in (self.path, self.home, self.checkout / "scripts"):
            directory.mkdir(parents=True)
        for name in ("setup_env.py", "_find_python.py", "_steps.py"):
            shutil.copy(str(ROOT / "scripts" / name), str(self.checkout / "scripts"))
        for name, versions in VERSIONS.items():
            (self.checkout / name).write_text(LOCK.format(**versions))
        (self.checkout / "requirements-offline.txt").write_text("mlxtend==0.19.0\n")
        self.bootstrap = fake_python(folder / "usr/bin/python3", "3.9.18")

    def start(self, *arguments, **environ):
        command = [sys.executable, "-c", RUN.format(bootstrap=str(self.bootstrap))]
        return subprocess.Popen(
            command
            + [str(self.checkout / "scripts" / "setup_env.py")]
            + list(arguments),
            env=dict(environ, PATH=str(self.path), HOME=str(self.home)),
            cwd=str(self.checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    def set_up(self, *arguments, **environ):
        """Run the script: (status, stdout, stderr)."""
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        return process.returncode, out, err

    def log(self):
        """What the interpreters were asked to do since the last look."""
        path = self.home / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines

    def chosen(self):
        """The interpreter that the environment was made with."""
        return Path(json.loads((self.venv / ".cvae-env.json").read_text())["python"])

    def lock(self):
        """The lock that the environment was made of."""
        (lock,) = json.loads((self.venv / ".cvae-env.json").read_text())["locks"]
        return lock
