"""Run peers: find their interpreters and start their processes."""

import contextlib
import json
import os
import platform
import re
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

# What holds libraries to AVX2: oneDNN in TensorFlow, PyTorch and JAX, MKL and the loops
# of PyTorch, and XLA in JAX, without YNNPACK, which cannot be held. Nor can TensorFlow
# 1.15, which does not start with XLA's.
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type=",
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
def worker(python, peer, config, mnist_dir=None, zhusuan="builtin", held=()):
    """Yield a `Worker` of `peer` that has warmed up; end it afterwards.

    Args:
        python: its interpreter, or a `NotMeasured` to raise.
        config: the settings, a `cvae.config.Config`.
        zhusuan: the implementation to train with, "builtin" or "real".
        held: more of its environment, for example `AVX2`.

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
    environ.update(held)
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


def machine(held=()):
    """Return the machine of a measurement, and what its libraries are held to.

    Args:
        held: more of the environment of the measurement, for example `AVX2`.
    """
    environ = dict(os.environ, **dict(held))
    return {
        "cpu": _cpu(),
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "held_to": {name: environ[name] for name in AVX2 if name in environ},
    }


def place(results):
    """Return the text of a `machine`: cores, processor, held libraries, load."""
    settings = [f"{name}={value}" for name, value in results["held_to"].items()]
    parts = [f"{results['cores']} cores of {results['cpu']}", *settings]
    return ", ".join([*parts, f"load {results['load']:.1f} before"])


def _cpu():
    with contextlib.suppress(OSError):
        found = described(Path("/proc/cpuinfo").read_text())
        if found:
            return found
    return platform.processor() or platform.machine()


def described(cpuinfo):
    """Return the first processor of Linux's `cpuinfo`, with its widest instructions.

    Many a cloud's processor has no other name than "Intel(R) Xeon(R) Processor".
    """
    found = dict(re.findall(r"(?m)^(.*?)\s*: (.*)$", cpuinfo.partition("\n\n")[0]))
    about = [f"{k} {found[k]}" for k in ("cpu family", "model") if k in found]
    flags = found.get("flags", "").split()
    wide = {"avx512f": "AVX-512", "amx_tile": "AMX"}
    names = [name for flag, name in wide.items() if flag in flags]
    about += names or ["AVX2 only"] * ("avx2" in flags)
    name = found.get("model name", "")
    return f"{name} ({', '.join(about)})" if name and about else name
