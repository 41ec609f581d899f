"""Coverage-guided fuzzing of every reader of files: `make soak-fuzz`.

    .venv/bin/python tests/soak/fuzz.py --inputs 1000000

Each reader gets its share of the inputs in a process of its own, with as little memory
as `MEMORY` allows beside what it starts with. Exits with status 1 on any finding.
"""

import _paths  # noqa: F401  (first: where the package and the tests are)

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("error: no atheris here; run `make soak-fuzz`, on Python 3.7 or 3.11 on")

with atheris.instrument_imports(include=["cvae", "zipfile", "json", "gzip"]):
    import mutations
import readers

MEMORY = 256 << 20  # bytes
SECONDS = 10  # for one input, before libFuzzer calls it a hang
LONGEST = 8192  # bytes of an input


def main():
    """Fuzz all readers side by side, or only the one that is named, in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1000000, help="in all (1000000)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (1)")
    parser.add_argument("--reader", help="fuzz this one only, with all the inputs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cvae-fuzz-") as folder:
        if arguments.reader:
            _fuzz(arguments.reader, arguments.inputs, arguments.seed, Path(folder))
        return _fuzz_all(arguments.inputs, arguments.seed, Path(folder))


def _fuzz_all(inputs, seed, folder):
    """Print a line for each reader as it is done; 1 if there was any finding."""
    names = list(readers.make_readers(folder))
    share = -(-inputs // len(names))
    print("{:>12} {:>9} {:>9} {:>9} {:>8}".format(*_COLUMNS), flush=True)
    began, total, status = time.time(), 0, 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, report in pool.map(lambda name: _child(name, share, seed), names):
            if report is None:
                status = 1
            else:
                total += report["inputs"]
                row = [name] + [report[column] for column in _COLUMNS[1:]]
                print("{:>12} {:>9,} {:>9,} {:>9,} {:>8}".format(*row), flush=True)
    verdict = "FINDINGS, see above" if status else "no traceback, no hang, no excess"
    minutes = (time.time() - began) / 60
    print(f"{total:,} inputs in {minutes:.1f} minutes: {verdict}")
    return status


_COLUMNS = ("reader", "inputs", "read", "refused", "seconds")


def _child(name, inputs, seed):
    """(name, what the process for one reader reports, or None after its finding)."""
    command = [sys.executable, __file__, "--reader", name, "--inputs", str(inputs)]
    done = subprocess.run(
        command + ["--seed", str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        errors="replace",
    )
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 0 and last.startswith("{"):
        return name, json.loads(last)
    said = [line[:200] for line in done.stderr.splitlines()[-40:]]
    print(f"{name}: status {done.returncode}", *said, sep="\n  ")
    return name, None


def _fuzz(name, inputs, seed, folder):
    """Fuzz one reader; leaves the process, with status 0 if all inputs survive."""
    reader = readers.make_readers(folder)[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, good in enumerate(reader.seeds):
        (corpus / str(number)).write_bytes(good)
    counts = {"inputs": 0, "read": 0, "refused": 0}
    began = time.time()

    def one_input(data):
        counts["read" if readers.survives(reader, data, folder) else "refused"] += 1
        counts["inputs"] += 1
        if counts["inputs"] == inputs:
            seconds = round(time.time() - began)
            print(json.dumps(dict(counts, seconds=seconds)), flush=True)
            os._exit(0)

    options = [f"-max_len={LONGEST}", f"-timeout={SECONDS}"]
    options += [f"-seed={seed}", "-verbosity=0", "-rss_limit_mb=0"]
    options += [f"-artifact_prefix={tempfile.gettempdir()}/", str(corpus)]
    atheris.Setup([sys.argv[0]] + options, one_input, custom_mutator=_mutate)
    _limit_memory()
    atheris.Fuzz()


def _mutate(data, max_size, seed):
    """libFuzzer's own mutations, and those that know headers and JSON."""
    if random.Random(seed).random() < 0.5:
        return atheris.Mutate(data, max_size)
    return mutations.mutated(data, seed)[:max_size]


def _limit_memory():
    """Make an allocation beyond `MEMORY` fail, touched or not."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
