"""The directory of the checkout that this package is part of."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def in_checkout(name: str) -> Path:
    """Return the path of `name` in the checkout, whatever the working directory is.

    It is relative inside of the checkout, and so shorter to print. Without a checkout
    (the package is installed), it is `name` in the working directory.
    """
    if not (ROOT / "setup.py").is_file():
        return Path(name)
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return ROOT / name
    inside = ROOT in (here, *here.parents)
    return Path(os.path.relpath(str(ROOT / name))) if inside else ROOT / name
