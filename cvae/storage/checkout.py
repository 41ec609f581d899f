"""Where things are: in the checkout that this package is part of, or installed."""

import os
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[2]
IS_CHECKOUT = (ROOT / "setup.py").is_file()
SCRIPTS = {  # the scripts that are not called as their command
    "binarize": "binarize_mnist",
    "data": "download_mnist",
    "export": "export_pretrained",
    "pipeline": "make_report",
    "report": "build_report",
}


def in_checkout(name: str) -> Path:
    """Return the path of `name` in the checkout, whatever the working directory is.

    It is relative inside of the checkout, and so shorter to print. Without a checkout
    (the package is installed), it is `name` in the working directory.
    """
    if not IS_CHECKOUT:
        return Path(name)
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return ROOT / name
    inside = ROOT in (here, *here.parents)
    return Path(os.path.relpath(str(ROOT / name))) if inside else ROOT / name


def shipped(name: str) -> Path:
    """Return the path of a folder that setup.py makes a part of the package."""
    return ROOT / name if IS_CHECKOUT else ROOT / "cvae" / "shipped" / name


def data_places(name: str) -> List[Path]:
    """Return where the data set `name` may be; downloads go to the first place.

    It is data/`name` of the checkout, or the cache directory of the user.
    """
    if IS_CHECKOUT:
        return [ROOT / "data" / name, ROOT.parent / "shared" / name]
    import pooch  # starts slowly

    return [Path(pooch.os_cache("cvae")) / name]


def script(name: str) -> str:
    """Return the script of the command `name`, without a folder."""
    return f"{SCRIPTS.get(name, name)}.py"


def command(name: str) -> str:
    """Return what a user types to call a command: its script, or `cvae NAME`."""
    path = ROOT / "scripts" / script(name)
    return f"python scripts/{path.name}" if path.is_file() else f"cvae {name}"
