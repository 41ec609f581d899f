"""Imported first by every script: finds the package, and says so if set-up is due.

A signal while modules are imported ends the script with one line, too.
"""

import gc
import importlib.util
import os
import signal
import sys


def _leave(number, _):
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if (_number, signal.getsignal(_number)) != (signal.SIGHUP, signal.SIG_IGN):
        signal.signal(_number, _leave)  # `cvae.cli.run_main` takes over

gc.set_threshold(10**6)  # imports and graphs make many objects and little garbage

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

for _module in ("numpy", "tensorflow"):
    if importlib.util.find_spec(_module) is None:
        sys.stderr.write(
            f"error: this Python has no {_module}; run `make env`, then "
            f"`.venv/bin/python scripts/{os.path.basename(sys.argv[0])}`\n"
        )
        sys.exit(2)
