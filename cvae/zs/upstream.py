"""Finds the installed ZhuSuan 0.4, and tells it from a stranger of the same name."""

import importlib
from typing import Optional, Tuple

_PARTS = ("distributions", "evaluation", "framework", "utils", "variational")
_NAMES = (
    "BayesianNet",
    "MetaBayesianNet",
    "StochasticTensor",
    "is_loglikelihood",
    "log_mean_exp",
    "merge_dicts",
    "meta_bayesian_net",
    "reuse_variables",
)
# Where a name may be, in the order of search.
_HOMES = (
    "",
    ".framework",
    ".evaluation",
    ".utils",
    ".framework.bn",
    ".framework.meta_bn",
)


def find_upstream() -> Optional[Tuple[str, dict]]:
    """Return ("zhusuan <version>", its public names), or None if it is not there.

    A package named `zhusuan` counts only if it offers every name and, where it tells
    its version, that is 0.4.x: on the package index the name belongs to nobody.
    """
    try:
        package = importlib.import_module("zhusuan")
        found = {part: importlib.import_module("zhusuan." + part) for part in _PARTS}
        found.update((name, _look_up(name)) for name in _NAMES)
    except Exception:  # absent, foreign, or broken under this TensorFlow: not usable
        return None
    version = getattr(package, "__version__", None) or _installed_version()
    if version is not None and not str(version).startswith("0.4."):
        return None
    return "zhusuan {}".format(version or "of unknown version"), found


def _look_up(name):
    for home in _HOMES:
        module = importlib.import_module("zhusuan" + home)
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"zhusuan has no {name}")


def _installed_version():
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python before 3.8
        from pkg_resources import DistributionNotFound, get_distribution

        try:
            return get_distribution("zhusuan").version
        except DistributionNotFound:
            return None
    try:
        return version("zhusuan")
    except PackageNotFoundError:
        return None
