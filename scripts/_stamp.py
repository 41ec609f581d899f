"""The stamp in an environment: proof that the set-up made it, and what it holds."""

import hashlib
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ".cvae-env.json"


def read(venv):
    """Return what the environment holds: {} if half-made, None if it is not ours."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        stamp = None
    return stamp if isinstance(stamp, dict) else {}


def write(venv, stamp):
    """Replace the stamp, whole or not at all."""
    scratch = venv / f"{STAMP}.new"
    scratch.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    os.replace(str(scratch), str(venv / STAMP))


def locks(venv):
    """Return the SHA-256 of each lock that was installed, by its name."""
    return (read(venv) or {}).get("locks", {})


def missing(venv, names):
    """Return those of the named locks that are not installed as they are now."""
    return [name for name in names if locks(venv).get(name) != _sha256(name)]


def add(venv, name):
    """Add the named lock, which was installed, to the stamp."""
    installed = dict(locks(venv), **{name: _sha256(name)})
    write(venv, dict(read(venv), locks=installed))


def python_of(venv):
    """Return the path of the environment's interpreter."""
    return venv / "bin" / "python"


def _sha256(name):
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
