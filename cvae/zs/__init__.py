"""The ZhuSuan API: the installed ZhuSuan 0.4 if there is one, else `cvae.zs`'s own.

`IMPLEMENTATION` is "ZhuSuan 0.4.0" or "cvae.zs". Model code is the same for both. The
environment variable ZHUSUAN chooses (`cvae.zs.upstream.choose`).
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
from cvae.zs.upstream import choose
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

IMPLEMENTATION, _names = choose()
globals().update(_names)
