"""The ZhuSuan API: the installed ZhuSuan 0.4 if there is one, else our own of it.

`IMPLEMENTATION` says which: "zhusuan 0.4.0" or "cvae.zs". Model code is the same for
both. Any other package named `zhusuan` is left alone.
"""

from cvae.zs import distributions, evaluation, framework, utils, variational
from cvae.zs.evaluation import is_loglikelihood
from cvae.zs.framework import (
    BayesianNet,
    MetaBayesianNet,
    StochasticTensor,
    meta_bayesian_net,
    reuse_variables,
)
from cvae.zs.upstream import find_upstream
from cvae.zs.utils import log_mean_exp, merge_dicts

__all__ = [
    "IMPLEMENTATION",
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
]

IMPLEMENTATION = "cvae.zs"

_upstream = find_upstream()
if _upstream is not None:
    IMPLEMENTATION, _names = _upstream
    globals().update(_names)
