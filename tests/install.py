"""Install the wheel into a new environment, and use it there as a new user would.

    .venv/bin/python tests/install.py dist

The environment has the Python that runs this script, and the versions of its lock. All
happens in a temporary directory, outside of the checkout; a command that fails ends the
script with its output and status 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.txt" if sys.version_info < (3, 8) else "requirements-current.txt"
TINY = "--dataset digits.npz --hidden 16 --z-dim 3 --epochs 3 --minutes none"
DATA = """
import numpy as np
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
x = (x * 15).astype("uint8").reshape(-1, 8, 8)
train, test = dict(x_train=x[:1500], y_train=y[:1500]), dict(x_test=x[1500:])
np.savez("digits.npz", y_test=y[1500:], **train, **test)
"""
COMMANDS = (  # and what each must print
    ("cvae --version", "cvae "),
    ("python -m cvae sample --per-class 1", "samples.npz"),  # the published weights
    (f"cvae train --run runs/tiny {TINY}", "trained"),
    ("cvae sample --per-class 2", "runs/tiny/samples.npz"),
    ("cvae evaluate --particles 5 --checks 5", "log p(x)"),
    ("cvae draw transfer", "transfer.png"),
    ("cvae report", "report.pdf"),
    ("cvae report --format html", "report.html"),
    ("cvae export", "hub/model.safetensors"),
    ("cvae sample --run runs/tiny/hub --per-class 2", "hub/samples.npz"),
    ("cvae explore", "explorer.html"),
    (f"cvae sweep --seeds 0-1 {TINY}", "2"),
    ("cvae completion bash", "_shtab_cvae"),
)


def main(dist):
    """Return 0 if everything works."""
    (wheel,) = Path(dist).resolve().glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="cvae-install-") as place:
        bin_dir = Path(place, "env", "bin")
        _install(wheel, bin_dir)
        os.environ["PATH"] = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
        work = Path(place, "work")
        work.mkdir()
        (work / "readme.py").write_text(_readme_example(), encoding="utf-8")
        _call(["python", "-c", DATA], work)
        for command, words in COMMANDS:
            output = _call(command.split(), work)
            if words not in output:
                raise SystemExit(f"{command} did not print {words!r}:\n{output}")
        _call(["python", "readme.py"], work)
        made = sorted(path.name for path in work.iterdir())
        if made != ["digits.npz", "readme.py", "runs"]:
            raise SystemExit(f"the commands left {', '.join(made)}")
    print(f"{wheel.name}: {len(COMMANDS)} commands work with {LOCK}")
    return 0


def _install(wheel, bin_dir):
    """Make an environment, and install the wheel with the lock's versions."""
    env, uv = bin_dir.parent, shutil.which("uv")
    lock = (ROOT / LOCK).read_text()
    pins = re.findall(r"(?m)^[\w.-]+==[^\s\\]+(?: ;[^\\\n]+)?", lock)
    constraints = env.parent / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n")
    if uv:
        _call([uv, "venv", "-q", "--no-project", "-p", sys.executable, str(env)], ROOT)
        pip = [uv, "pip", "install", "-q", "-p", str(bin_dir / "python")]
    else:
        _call([sys.executable, "-m", "venv", str(env)], ROOT)
        pip = [str(bin_dir / "python"), "-m", "pip", "install", "-q", "--no-compile"]
    _call([*pip, "-c", str(constraints), str(wheel)], ROOT)


def _readme_example():
    (code,) = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "README.md").read_text())
    return code


def _call(command, folder):
    """Return what the command prints; end this script if it fails."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=str(folder),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
