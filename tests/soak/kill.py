"""Kill a short training run again and again, and compare its end with a whole one's.

python tests/soak/kill.py --kills 300            # what `make soak-kill` runs
python tests/soak/kill.py --kills 5              # what a test runs

Each life is scripts/train.py in a process of its own, on the first 2,000 images of
MNIST. It is forked with TensorFlow imported and the graphs built.
"""

import _paths  # noqa: F401

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import inherited_graphs
import numpy as np
import tiny
import traps
from paths import SCRIPTS

from cvae.config import preset
from cvae.data import mnist
from cvae.runs.run import Run
from cvae.training import loop

N_IMAGES = 2000
SETTINGS = [*tiny.OPTIONS, *"--epochs 10 --evaluate-every 4".split()]
LIFE = 1.0  # seconds, of which a random moment is one
KILLS_A_RUN = 20
OTHERS_EVERY = 4  # kills
MOMENT = (None, "at a random moment")
BEFORE = [(site, f"before {site}") for site in traps.SITES]
MIDDLE = [(site, f"in the middle of {site}") for site in traps.HALVES]
DEATHS = [MOMENT] * 9 + BEFORE + MIDDLE
FEW = [MOMENT] + MIDDLE  # of five kills: these, and one before something
RUNS_MORE = 5  # at most, until every kind of mishap has come
TIMING = ("seconds", "images_per_second")


class Difference(Exception):
    """A promise that was not kept."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mnist-dir")
    arguments = parser.parse_args()
    data = tiny.dataset(tiny.whole(arguments.mnist_dir), N_IMAGES, 2000)
    mnist.load = lambda *unused: data
    inherited_graphs.build(preset("default", **tiny.SCRIPTS), N_IMAGES)
    began = time.time()
    folder = Path(tempfile.mkdtemp(prefix="cvae-kill-"))
    soak = Soak(folder, random.Random(arguments.seed))
    try:
        soak.run(arguments.kills)
    except Difference as difference:
        print(f"FAILED    {difference}\n          files are in {folder}")
        sys.exit(1)
    shutil.rmtree(str(folder))
    soak.tell(time.time() - began)


class Soak:
    """Runs that suffer, and the one that they are compared with."""

    def __init__(self, folder, chance):
        self._folder, self._chance = folder, chance
        self._tally = collections.Counter()
        self._deaths = self._others_every = None
        others = [self._damage, self._fill_disk, self._signal]
        self._others, self._n_others = endless(others, chance), len(others)
        self._other, self._overdue = next(self._others), 0
        self._damaged = None
        self._runs = 0
        self._whole = None

    def run(self, kills):
        is_few = kills < len(DEATHS)
        self._whole = self._folder / "whole"
        whole = start(self._whole)  # on another core than those that suffer
        deaths = FEW + [self._chance.choice(BEFORE)] if is_few else DEATHS
        self._deaths = endless(deaths, self._chance)
        self._others_every = 1 if is_few else OTHERS_EVERY
        if not is_few:  # of few kills, one of each kind
            self._n_others = kills
        self._missing = {"killed " + when for _, when in FEW}
        self._missing |= {"latest checkpoint", "disk full", "stopped by"}
        if not is_few:
            self._finish(self._whole, whole)
            self._compare_seeds()
        more = RUNS_MORE
        while kills > 0 or (self._missing and more):
            more -= kills <= 0
            self._runs += 1
            path = self._folder / f"run-{self._runs}"
            kills -= self._suffer(path, min(max(kills, len(FEW)), KILLS_A_RUN))
            if self._runs == 1 and is_few:
                self._finish(self._whole, whole)
            compare(self._whole, path)
            print(f"run {self._runs}: {kills} kills to go", flush=True)
            shutil.rmtree(str(path))
        if self._missing:
            raise Difference(f"never came: {', '.join(sorted(self._missing))}")

    def _compare_seeds(self):
        again, other = self._folder / "again", self._folder / "other"
        for path, seed in (again, 0), (other, 1):
            self._finish(path, start(path, seed))
        compare(self._whole, again)
        if not different(self._whole, other):
            raise Difference("another seed ends as the same bits")

    def tell(self, seconds):
        for name, count in sorted(self._tally.items()):
            print(f"{count:5}  {name}")
        killed = sum(n for name, n in self._tally.items() if name.startswith("killed"))
        print(
            f"survived {killed} kills and {sum(self._tally.values()) - killed} other "
            f"mishaps in {self._runs} runs, {seconds:.0f} s: weights, optimizer, "
            "metrics and samples equal those of the undisturbed run, bit for bit"
        )

    def _finish(self, path, life):
        expect(life, 0)
        expect(Life("sample.py", ["--run", path]), 0)

    def _suffer(self, path, kills):
        """Train at `path`, killed at most `kills` times on the way; return how often.

        A life can be over before it is killed: then there were fewer.
        """
        begin = start
        for killed in range(kills):
            name, life = self._one_that_dies(path, begin)
            begin = resume if (path / "config.json").exists() else start
            if life.status == 0:
                self._finish(path, begin(path))
                return killed
            expect(life, -signal.SIGKILL)
            self._count("killed " + name)
            every = self._others_every
            self._overdue += killed % every == every - 1
            due = self._overdue and self._n_others
            if due and begin is resume and self._other(path):
                self._other, self._overdue = next(self._others), self._overdue - 1
                self._n_others -= 1
        self._finish(path, begin(path))
        return kills

    def _one_that_dies(self, path, begin):
        site, when = next(self._deaths)
        if site is None:
            life = begin(path, prepare=self._paces())
            life.kill_after(self._chance.uniform(0.0, LIFE))
            return when, life.wait()
        spoil = when.startswith("in the middle")
        count = self._chance.randint(1, 2 if site in traps.HALVES else 8)
        paces = self._paces()

        def prepare():
            paces()
            traps.set_trap(site, count, traps.die, spoil)

        return when, begin(path, prepare=prepare).wait()

    def _count(self, name):
        self._tally[name] += 1
        self._missing = {m for m in self._missing if not name.startswith(m)}

    def _paces(self):
        """Draw how many steps a call, and how many seconds between checkpoints."""
        block = self._chance.randint(5, 20)
        seconds = self._chance.uniform(0.05, 1.0)

        def prepare():
            loop.BLOCK, loop.SAVE_SECONDS = block, seconds

        return prepare

    def _damage(self, path):
        """Spoil the latest checkpoint: the next life names it and uses the other."""
        recent = read_index(path).get("recent", [])
        if len(recent) < 2 or self._damaged in [entry["file"] for entry in recent]:
            return False
        self._damaged = recent[0]["file"]
        damaged = path / "checkpoints" / recent[0]["file"]
        how = self._chance.choice(["cut", "flipped", "removed"])
        data = bytearray(damaged.read_bytes())
        data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        damaged.write_bytes(data if how == "flipped" else data[: len(data) // 2])
        if how == "removed":
            damaged.unlink()
        life = resume(path, prepare=lambda: traps.set_trap("an fsync", 2, traps.die))
        expect(life, -signal.SIGKILL, f"{damaged}", "skipping it")
        self._count(f"latest checkpoint {how}")
        return True

    def _fill_disk(self, path):
        """Let no file grow beyond a limit, as the kernel does it: EFBIG, no ENOSPC."""
        limit = self._chance.randint(4096, 500000)

        def prepare():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        before = read_index(path)
        life = resume(path, prepare).wait()
        if life.status == 0:  # all was written before
            return False
        expect(life, 2, "error: cannot write")
        if read_index(path) != before:
            raise Difference(f"{path}: the checkpoints before are gone")
        self._count("disk full")
        return True

    def _signal(self, path):
        number = self._chance.choice([signal.SIGINT, signal.SIGTERM])
        life = resume(path)
        life.kill_after(self._chance.uniform(0.0, LIFE / 2), number)
        if life.wait().status == 0:
            return False
        expect(life, 128 + number)
        self._count(f"stopped by {signal.Signals(number).name}")
        return True


class Life:
    """A forked process that runs a script, with its output in a file."""

    def __init__(self, script, args, prepare=None):
        self._out = tempfile.TemporaryFile("w+")  # noqa: SIM115  (as long as the life)
        self.status = None
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            self._live(script, [str(arg) for arg in args], prepare)

    def kill_after(self, seconds, number=signal.SIGKILL):
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def wait(self):
        if self.status is None:
            status = os.waitpid(self._pid, 0)[1]
            died = os.WIFSIGNALED(status)
            self.status = -os.WTERMSIG(status) if died else os.WEXITSTATUS(status)
        return self

    def said(self):
        self._out.seek(0)
        return self._out.read()

    def _live(self, script, args, prepare):
        status = 70
        try:
            for descriptor in (1, 2):
                os.dup2(self._out.fileno(), descriptor)
            sys.path.insert(0, str(SCRIPTS))
            sys.argv = [script] + args
            if prepare:
                prepare()
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            os._exit(status)


def start(path, seed=0, prepare=None):
    return Life("train.py", ["--run", path, "--seed", seed, *SETTINGS], prepare)


def resume(path, prepare=None):
    return Life("train.py", ["--resume", "--run", path], prepare)


def expect(life, status, *words):
    """Raise `Difference` unless the life ends with `status`, `words`, no traceback."""
    said = life.wait().said()
    faults = [f"no {word!r}" for word in words if word not in said]
    if life.status != status:
        faults.append(f"status {life.status}, not {status}")
    if "Traceback" in said or "Exception ignored" in said:
        faults.append("a traceback")
    if faults:
        raise Difference(f"a life ended with {', '.join(faults)}:\n{said}")


def read_index(path):
    index = path / "checkpoints" / "index.json"
    return json.loads(index.read_text()) if index.exists() else {}


def endless(things, chance):
    """Yield all of `things` in a random order, and again in another."""
    while True:
        yield from chance.sample(things, len(things))


def compare(one, other):
    """Raise `Difference` unless two runs ended as the same bits, but for timing."""
    names = different(one, other)
    if names:
        raise Difference(f"{', '.join(names)} are not those of {one}")


def different(one, other):
    """Return the names of what differs between the ends of two runs."""
    first, second = ending(one), ending(other)
    names = sorted(set(first) | set(second))
    return [name for name in names if first.get(name) != second.get(name)]


def ending(path):
    """Return everything that a run ended as, name to comparable value."""
    run = Run(path)
    checkpoint = run.load_checkpoint()
    parts = {"array " + n: a.tobytes() for n, a in checkpoint.arrays.items()}
    state = checkpoint.state._replace(seconds=None)
    rows = [{k: v for k, v in r.items() if k not in TIMING} for r in run.metrics()]
    with np.load(str(run.samples_path), allow_pickle=False) as archive:
        parts.update(("samples " + n, archive[n].tobytes()) for n in archive.files)
    return dict(parts, state=state, metrics=rows)


if __name__ == "__main__":
    main()
