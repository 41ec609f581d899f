"""Finds the installed ZhuSuan 0.4 without running another package of that name.

The name `zhusuan` is free on the package index: anyone could register it. So the
metadata beside the package decide whether it is imported.
"""

import contextlib
import csv
import importlib.util
import os
import re
import sys
import threading
from pathlib import Path
from typing import Optional, Tuple

import tensorflow.compat.v1 as tf

from cvae.errors import CvaeError, warn

_HOME_PAGE = "https://github.com/thu-ml/zhusuan"
_BUILTIN: Tuple[str, dict] = ("cvae.zs", {})
_NAMES = (
    "BayesianNet",
    "MetaBayesianNet",
    "StochasticTensor",
    "distributions",
    "evaluation",
    "framework",
    "is_loglikelihood",
    "log_mean_exp",
    "merge_dicts",
    "meta_bayesian_net",
    "reuse_variables",
    "utils",
    "variational",
)


def choose() -> Tuple[str, dict]:
    """Return the name of the implementation to use, and the names that it replaces.

    The installed ZhuSuan is used if there is one. The environment variable ZHUSUAN can
    require one: `builtin` is `cvae.zs`, `real` the installed one; any other value has
    no effect here.

    Raises:
        CvaeError: ZHUSUAN is `real`, and the installed one is missing or unusable.
    """
    wanted = os.environ.get("ZHUSUAN")
    if wanted == "builtin":
        return _BUILTIN
    try:
        found = find_upstream()
        if found is None and wanted == "real":
            raise CvaeError("ZhuSuan 0.4 is not installed")
    except CvaeError as error:
        if wanted == "real":
            raise CvaeError(f"{error}; run `ZHUSUAN=real make env`") from error
        warn(f"{error}; cvae.zs stands in")
        return _BUILTIN
    return found or _BUILTIN


def find_upstream() -> Optional[Tuple[str, dict]]:
    """Return ("ZhuSuan <version>", its public names), or None if it is not installed.

    Raises:
        CvaeError: it is installed, but cannot be imported.
    """
    version = installed_version()
    if version is None:
        return None
    before = set(sys.modules)
    try:
        return f"ZhuSuan {version}", _imported()
    except (Exception, SystemExit) as error:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "zhusuan":
                del sys.modules[name]
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split()).rstrip(":")
        raise CvaeError(
            f"ZhuSuan {version} is installed but cannot be imported: {reason}"
        ) from error


def installed_version() -> Optional[str]:
    """Return the version of the ZhuSuan that `import zhusuan` finds, else None.

    Nothing is imported. A package without ZhuSuan's own metadata beside it is not
    ZhuSuan, and neither is one whose metadata is damaged.
    """
    try:
        spec = importlib.util.find_spec("zhusuan")
        if spec is None or spec.origin is None:
            return None
        package, file = os.path.split(spec.origin)
        folder = Path(package).parent
        if file != "__init__.py" or not os.path.samefile(package, folder / "zhusuan"):
            return None
        (metadata,) = (
            folder / name
            for name in os.listdir(str(folder))
            if re.fullmatch(r"zhusuan(-\d.*)?\.(dist|egg)-info", name, re.IGNORECASE)
        )
        return _version(metadata)
    except Exception:  # not written by an installer
        return None


def _version(metadata):
    """Version in the metadata at that path, or None if they are not ZhuSuan 0.4's."""
    names = ("METADATA", "PKG-INFO")
    (file,) = [
        path
        for path in [metadata] + [metadata / name for name in names]
        if path.is_file()
    ]
    header = file.read_text(encoding="utf-8").partition("\n\n")[0]
    field = dict(re.findall(r"^([\w-]+): *(.*?) *$", header, re.MULTILINE))
    version = field["Version"]
    right = (
        field["Name"].lower() == "zhusuan"
        and re.fullmatch(r"0\.4\.\d[\w.+]*", version)
        and field["Home-page"].rstrip("/").lower() == _HOME_PAGE
        and _keeps_to_its_folder(metadata)
    )
    return version if right else None


def _keeps_to_its_folder(metadata):
    """Whether all Python files that were installed are the package's own."""
    record, listed = metadata / "RECORD", metadata / "installed-files.txt"
    if record.is_file():
        lines = record.read_text(encoding="utf-8").splitlines()
        files = [row[0] for row in csv.reader(lines) if row]
    elif listed.is_file():
        lines = listed.read_text(encoding="utf-8").splitlines()
        files = [re.sub(r"^\.\.[/\\]", "", line) for line in lines]
    else:  # an editable install
        return True
    code = [
        os.path.normpath(file).replace(os.sep, "/")
        for file in files
        if file.endswith((".py", ".pyc", ".so", ".pth"))
    ]
    return "zhusuan/__init__.py" in code and all(
        file.startswith("zhusuan/") for file in code
    )


def _imported():
    if not tf.__version__.startswith("1."):
        raise ImportError(f"it needs TensorFlow 1, and this is {tf.__version__}")
    with contextlib.redirect_stdout(_Diverted()):
        import zhusuan
    return {name: getattr(zhusuan, name) for name in _NAMES}


class _Diverted:
    """Standard output, but what this thread prints goes to standard error."""

    def __init__(self):
        self._stdout, self._thread = sys.stdout, threading.get_ident()

    def __getattr__(self, name):
        diverted = threading.get_ident() == self._thread
        return getattr(sys.stderr if diverted else self._stdout, name)
