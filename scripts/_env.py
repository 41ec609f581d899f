"""Imported first by every script: finds the package, or prints that set-up is due.

A signal during the imports ends the script with one line, too.
"""

import os
import sys

# The package is found by these folders and nothing else: they are people's working
# directories as well, and a `types.py` of theirs must not replace Python's own.
_SCRIPTS = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(_SCRIPTS)
sys.path[:] = [_ROOT] + [path for path in sys.path if path not in (_SCRIPTS, _ROOT)]
import cvae  # noqa: E402, F401

del sys.path[0]

import gc  # noqa: E402
import importlib.util  # noqa: E402
import signal  # noqa: E402


def _leave(number, frame):
    try:
        os.write(2, b"interrupted\n")
    finally:  # the terminal may be closed
        os._exit(128 + number)


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if (_number, signal.getsignal(_number)) != (signal.SIGHUP, signal.SIG_IGN):
        signal.signal(_number, _leave)  # `cvae.cli.run_main` takes over

gc.set_threshold(10**6)  # imports and graphs make many objects and little garbage

from cvae.cli import process  # noqa: E402

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
