"""Tiny worlds in which a script runs in odd environments, and what may become of them.

The script ends as it does undisturbed, to the same bits; or with one line and exit
status 2, or by a signal, with every file as it was. After that, a clean call of the
same script reaches the same bits.
"""

import json
import shutil
import tempfile
from pathlib import Path

import environments
import forks
from paths import HELPERS, SCRIPTS

from cvae.errors import CvaeError
from cvae.runs.run import Run
from cvae.storage.npz import read_arrays

TRAIN = "--hidden 16 --z-dim 4 --batch-size 100 --epochs 2 --minutes 60".split()
SETTINGS = {"hidden": [16], "z_dim": 4, "batch_size": 100}  # of its graphs
IMAGES = {"images": 500, "test_images": 60}
COMMANDS = {  # each on a run that those before it have made
    "train": ["train.py", *TRAIN, "--evaluate-every", "1"],
    "sample": ["sample.py", "--per-class", "1"],
    "evaluate": ["evaluate.py", "--particles", "2", "--checks", "0"],
    "draw": ["draw.py", "curves", "samples"],
    "report": ["build_report.py"],
}
TIMING = ("seconds", "images_per_second")
NOT_COMPARED = (".lock", "events", "checkpoints", "evaluation-partial")  # of a run


class Broken(Exception):
    """A promise that was not kept."""


class Stage:
    """The worlds before `scripts`, names in `COMMANDS`, and after them, undisturbed."""

    def __init__(self, folder, mnist_dir, scripts):
        self._folder, self._mnist_dir = folder, str(mnist_dir)
        self._before, self._after = {}, {}
        world = folder / "undisturbed"
        for name in ("here", "tmp"):
            (world / name).mkdir(parents=True)
        for script in scripts:
            self._before[script] = folder / f"before-{script}"
            shutil.copytree(str(world), str(self._before[script]))
            status, err = self._call(world, script)
            if status:
                raise SystemExit(f"{script} fails undisturbed: {err}")
            self._after[script] = contents(world)

    def play(self, case):
        """Return how `case` ended, and what was wrong with that or ""."""
        script, *pair = case
        world = Path(tempfile.mkdtemp(prefix="case-", dir=str(self._folder)))
        world.rmdir()
        shutil.copytree(str(self._before[script]), str(world))
        status = None
        try:
            status, err = self._call(world, script, pair)
            self._judge(world, script, pair, status, err)
        except (AssertionError, Broken, CvaeError) as fault:
            return f"status {status}", str(fault)
        shutil.rmtree(str(world))
        return f"status {status}", ""

    def _judge(self, world, script, pair, status, err):
        allowed = set.union(*map(environments.statuses, pair))
        if environments.FULL_OUTPUT in pair:
            allowed -= {0}
        if status not in allowed:
            raise Broken(f"status {status}, not one of {sorted(allowed)}: {err[-600:]}")
        check_messages(err, status, muted(pair))
        environments.make_writable(world)
        left = [p.name for p in (world / "tmp").iterdir()]
        left += [p.name for p in (world / "here").iterdir()]
        left += [
            path.name
            for path in (world / "run").rglob(".*")
            if path.is_file() and path.name != ".lock"
        ]
        if left:
            raise Broken(f"left behind: {left}")
        if status == 0:
            compare(self._after[script], contents(world))
            return
        before, now = contents(self._before[script]), contents(world)
        for name, content in before.items():
            if now.get(name) not in (content, self._after[script].get(name)):
                raise Broken(f"{name} is not as it was")
        status, err = self._call(world, script)
        if status:
            raise Broken(f"a clean call ends with {status}: {err[-600:]}")
        compare(self._after[script], contents(world))

    def _call(self, world, script, pair=()):
        name, *args = COMMANDS[script]
        if script == "train" and (world / "run" / "config.json").exists():
            args = ["--resume"]
        what = dict(IMAGES, mnist_dir=self._mnist_dir, environments=list(pair))
        what["place"] = str(world)
        command = [json.dumps(what), str(SCRIPTS / name), "--run", world / "run", *args]
        process = forks.start(
            HELPERS / "strike.py",
            *command,
            cwd=world / "here",
            mnist_dir=self._mnist_dir,
            graphs=(SETTINGS, IMAGES["images"]),
        )
        _, err = process.communicate()
        return process.returncode, err


def muted(pair):
    """Whether nobody gets the script's messages."""
    return bool({"no stderr", "no streams", "no reader"} & set(pair))


def check_messages(err, status, is_muted):
    """Raise `Broken` unless the messages are what a person should read."""
    if "Traceback" in err or "Exception ignored" in err:
        raise Broken(f"a traceback: {err[-900:]}")
    lines = err.splitlines()
    for line in lines:
        known = ("error: ", "warning: ", "note: ", "epoch ", "importance sampling")
        if line != "interrupted" and not line.startswith(known):
            raise Broken(f"an odd message: {line!r}")
    errors = [line for line in lines if line.startswith("error: ")]
    if len(errors) != (status == 2) and not is_muted:
        raise Broken(f"status {status} with {len(errors)} errors: {err[-600:]}")


def contents(world):
    """Return what the files of a world hold, name to something comparable."""
    found = {}
    path = world / "run"
    for file in path.rglob("*"):
        name = str(file.relative_to(path))
        if not file.is_file() or name.startswith(NOT_COMPARED):
            continue
        if name == "metrics.jsonl":
            found[name] = [timeless(row) for row in Run(path).metrics()]
        elif name.endswith(".npz"):
            arrays = read_arrays(file)
            found[name] = {n: a.tobytes() for n, a in arrays.items()}
        else:
            found[name] = file.read_bytes()
    if (path / "config.json").exists() and Run(path).has_checkpoint():
        checkpoint = Run(path).load_checkpoint()
        found["state"] = timeless(checkpoint.state._asdict())
        found["weights"] = {n: a.tobytes() for n, a in checkpoint.arrays.items()}
    return found


def timeless(row):
    return {name: value for name, value in row.items() if name not in TIMING}


def compare(expected, found):
    names = sorted(set(expected) | set(found))
    others = [name for name in names if expected.get(name) != found.get(name)]
    if others:
        raise Broken(f"not as undisturbed: {', '.join(others)}")
