"""Measure the start-up of scripts beside a bare `import tensorflow`.

    python benchmarks/startup.py
    python benchmarks/startup.py --repeats 15 --output benchmarks/startup.json

Each row is a new process, timed by this one from start to end: the import;
`scripts/sample.py` on a tiny run that is trained first, and on the pretrained run; and
`scripts/train.py` to the end of its first step. That training has a plan of one step,
and its progress bar ends the process; all else is unchanged.

All rows take turns in each repeat, so that other work of the machine affects all of
them. A ratio is relative to the import of the same repeat. The first repeat, which may
read from a cold disk, is not counted. The CPU time of all threads depends little on
other work.
"""

import _paths  # noqa: F401  (first: where the package is)

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import shared

from cvae import cli
from cvae.backend import threads
from cvae.cli import options
from cvae.data import mnist
from cvae.errors import CvaeError
from cvae.runs.pretrained import HERE as PRETRAINED
from cvae.storage import files

TARGET = 1.5  # times the import
SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
IMPORT = "import tensorflow"
STEPPED = 3  # exit status after the first step

TINY = "--hidden 32 --z-dim 5 --epochs 0.1".split()
ONE_STEP = "--epochs 0.001".split()
FIRST_STEP = f"""
import os, runpy, sys
del sys.argv[0]
sys.path[:0] = [os.path.dirname(sys.argv[0])]
import _env
from cvae.progress import Progress
Progress.advance = lambda *_: os._exit({STEPPED})
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main():
    """Measure, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    shared.add_repeats(parser, 7)
    options.add_mnist_dir(parser)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    if arguments.mnist_dir:
        os.environ["MNIST_DIR"] = str(arguments.mnist_dir)
    mnist.fetch()  # raises here if it is missing; a download is not start-up
    with tempfile.TemporaryDirectory() as folder:
        found = shared.take_turns(_rows(Path(folder)), arguments.repeats, _cpu_seconds)
    results = _summary(found)
    print(_table(results))
    files.write_json(arguments.output, results)


def _rows(folder):
    """Return what is timed: name to a function that runs it once."""
    _script("train.py", "--run", folder / "tiny", *TINY)

    def sample(run):
        _script("sample.py", "--run", run, "--output", folder / "grid.png")

    def first_step():
        scratch = Path(tempfile.mkdtemp(dir=str(folder))) / "run"
        script = [SCRIPTS / "train.py", "--run", scratch, *ONE_STEP]
        _run(["-c", FIRST_STEP, *script], STEPPED)

    return {
        IMPORT: lambda: _run(["-c", IMPORT], 0),
        "sample.py, tiny run": lambda: sample(folder / "tiny"),
        "sample.py, pretrained run": lambda: sample(PRETRAINED),
        "train.py to its first step": first_step,
    }


def _script(name, *args):
    _run([SCRIPTS / name, *args], 0)


def _run(args, status):
    """Run this Python with `args` in a process of its own, to its exit `status`.

    It keeps what it compiles, in the repeat that is not counted.
    """
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if done.returncode != status:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise CvaeError(f"a process ended with {done.returncode}: {said[-1]}")


def _cpu_seconds():
    """Return the CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _summary(found):
    from cvae.backend import compat  # imports TensorFlow, only for its version

    rows = [
        {
            "name": name,
            "seconds": shared.spread(seconds[:, 0]),
            "ratio": shared.spread(seconds[:, 0] / found[IMPORT][:, 0]),
            "ratio_of_cpu_time": shared.spread(seconds[:, 1] / found[IMPORT][:, 1]),
        }
        for name, seconds in found.items()
    ]
    return {
        "tensorflow": compat.VERSION,
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "repeats": len(found[IMPORT]),
        "target": TARGET,
        "rows": rows,
    }


def _table(results):
    title = (
        f"TensorFlow {results['tensorflow']}, {results['repeats']} repeats on "
        f"{results['cores']} cores, load {results['load']:.1f}; median (quartiles); "
        f"the target is a ratio of {results['target']:g}"
    )
    lines = [title, "", _line("", "seconds", "ratio", "ratio of CPU time")]
    lines.append("|" + " --- |" * 4)
    for row in results["rows"]:
        figures = [row[key] for key in ("seconds", "ratio", "ratio_of_cpu_time")]
        lines.append(_line(row["name"], *map(shared.with_quartiles, figures)))
    return "\n".join(lines)


def _line(name, seconds, ratio, cpu_ratio):
    return f"| {name:26} | {seconds:>16} | {ratio:>16} | {cpu_ratio:>17} |"


if __name__ == "__main__":
    cli.run_main(main)
