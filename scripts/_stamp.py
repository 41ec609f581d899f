"""The stamp in an environment: proof that the set-up made it, and what it holds.

Standard library only.
"""

import json
import os

STAMP = ".cvae-env.json"


def read_stamp(venv):
    """Return what the environment holds: {} if half-made, None if it is not ours."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        stamp = None
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv, stamp):
    """Replace the stamp, whole or not at all."""
    scratch = venv / (STAMP + ".new")
    scratch.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    os.replace(str(scratch), str(venv / STAMP))


def python_of(venv):
    """Return the path of the environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
