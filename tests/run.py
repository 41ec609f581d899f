"""Run the tests on all cores, then those that measure, which need an idle machine.

    .venv/bin/python tests/run.py -k name       # what `make test` runs

Arguments are pytest's. The exit status is pytest's, of the first part that fails.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST = 4  # processes, each of a gigabyte
NO_TESTS = 5  # pytest's status where none was selected


def main(arguments):
    """Return the status of the tests that pytest's `arguments` select."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    together = ["-n", str(min(n_cores, MOST)), "--dist", "loadfile"]
    together += ["--durations=10", "--durations-min=5"]  # so that growth is seen
    environ = dict(os.environ)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process compiles it all
    statuses = []
    for part in (["--measuring=no", *together], ["--measuring=only"]):
        command = [sys.executable, "-m", "pytest", *part, *arguments]
        statuses.append(subprocess.call(command, cwd=str(ROOT), env=environ))
        if statuses[-1] not in (0, 1, NO_TESTS):  # interrupted, or cannot start
            break
    ran = [status for status in statuses if status != NO_TESTS]
    return next(filter(None, ran), 0) if ran else NO_TESTS


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
