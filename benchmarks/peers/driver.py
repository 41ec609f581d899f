"""Run peers: find their interpreters and start their processes."""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import setup_env

from cvae.backend import threads
from cvae.cli import options
from cvae.errors import CvaeError

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
MISSING = {
    "1.15": "no environment of TensorFlow 1.15; `make env STACK=1.15 VENV=.venv-1.15`",
    "current": "no environment of today's TensorFlow; "
    "`make env STACK=current VENV=.venv-current`",
    "peers": "no {}; `make peers`",
}


class NotMeasured(CvaeError):
    """A peer cannot be measured here; the message is the reason."""


def add_peers(parser):
    """Add --peers, the environment of PyTorch and JAX."""
    parser.add_argument(
        "--peers",
        type=options.path,
        default=Path(".venv-peers"),
        metavar="DIR",
        help="environment of PyTorch and JAX, from `make peers`",
    )


def pythons(peers):
    """Return interpreters by environment: those of both stacks and the one in `peers`.

    A missing interpreter is a `NotMeasured` instead.
    """
    own = "1.15" if sys.version_info < (3, 8) else "current"
    found = {name: NotMeasured(MISSING[name].format(peers)) for name in MISSING}
    found.update(setup_env.installed_stacks())
    found[own] = Path(sys.executable)
    program = (ROOT / peers / "bin" / "python").absolute()
    if program.exists():
        found["peers"] = program
    return found


@contextlib.contextmanager
def worker(python, peer, config, mnist_dir=None, zhusuan="builtin"):
    """Yield a `Worker` of `peer` that has warmed up; end it afterwards.

    Args:
        python: its interpreter, or a `NotMeasured` to raise.
        config: the settings, a `cvae.config.Config`.
        zhusuan: the implementation to train with, "builtin" or "real".

    Raises:
        NotMeasured: the peer cannot run here.
    """
    if isinstance(python, NotMeasured):
        raise python
    place = str(Path(mnist_dir).absolute()) if mnist_dir else ""
    command = [str(python), "-m", "peers.worker", peer]
    command += [json.dumps(config.to_dict()), place]
    path = os.pathsep.join([str(BENCHMARKS), str(ROOT)])
    environ = dict(
        os.environ, PYTHONPATH=path, TF_CPP_MIN_LOG_LEVEL="3", ZHUSUAN=zhusuan
    )
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environ,
        cwd=str(ROOT),
        universal_newlines=True,
    ) as process:
        try:
            yield Worker(process, errors)
        except BaseException:
            process.kill()
            raise


class Worker:
    """A process that trains on command and waits otherwise."""

    def __init__(self, process, errors):
        self._process, self._errors = process, errors
        self.ready = self._answer()

    def run(self, n_steps):
        """Take `n_steps` steps; return "seconds", "bound" and "waiting"."""
        return self.ask(f"run {n_steps}")

    def save(self, path):
        """Write the weights to `path`, an .npz."""
        self.ask(f"save {path}")

    def ask(self, line):
        """Return the answer to a line of `worker.py`'s protocol.

        Raises:
            NotMeasured: the worker answers with an error, or has ended.
        """
        with contextlib.suppress(BrokenPipeError):  # then there is no answer, either
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines()[-1:]
            raise NotMeasured(": ".join([f"ended with status {status}", *said]))
        answer = json.loads(line)
        if "error" in answer:
            raise NotMeasured(answer["error"])
        return answer


def machine():
    """Return the machine of a measurement."""
    return {
        "cpu": _cpu(),
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
