"""Let a benchmark that is run as a script import the package."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _one_line(kind, error, trace):
    """Print an error of the package's as one line, also while it is imported."""
    if kind.__name__ != "CvaeError":
        sys.__excepthook__(kind, error, trace)
        return
    print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(2)


sys.excepthook = _one_line
