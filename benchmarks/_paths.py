"""Make the package importable for a benchmark that runs as a script."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _one_line(kind, error, trace):
    """Print an error of the package as one line, also during the imports."""
    if kind.__name__ != "CvaeError":
        sys.__excepthook__(kind, error, trace)
        return
    print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(2)


sys.excepthook = _one_line
