"""Imported first by every script: finds the package, or prints that set-up is due.

A signal during the imports ends the script with one line, too.
"""

import gc
import importlib.util
import os
import signal
import sys


def _leave(number, frame):
    try:
        os.write(2, b"interrupted\n")
    finally:  # the terminal may be closed
        os._exit(128 + number)


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if (_number, signal.getsignal(_number)) != (signal.SIGHUP, signal.SIG_IGN):
        signal.signal(_number, _leave)  # `cvae.cli.run_main` takes over

gc.set_threshold(10**6)  # imports and graphs make many objects and little garbage

# Only the package is found by these two folders, which are people's working directories
# as well: a file of theirs called `types.py` must not replace Python's own.
_SCRIPTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_SCRIPTS))
from cvae.cli import process  # noqa: E402

sys.path[:] = [
    path
    for path in sys.path[1:]
    if os.path.abspath(path or os.curdir) not in (_SCRIPTS, os.path.dirname(_SCRIPTS))
]

process.prepare()

if sys.flags.optimize > 1:
    sys.stderr.write(
        "error: TensorFlow needs docstrings, which -OO removes; leave out -OO and "
        "PYTHONOPTIMIZE=2\n"
    )
    sys.exit(2)
for _module in ("numpy", "tensorflow"):
    if importlib.util.find_spec(_module) is None:
        sys.stderr.write(
            f"error: this Python has no {_module}; run `make env`, then "
            f"`.venv/bin/python scripts/{os.path.basename(sys.argv[0])}`\n"
        )
        sys.exit(2)
