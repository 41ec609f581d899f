"""The same calls on `cvae.zs` and on the real ZhuSuan, and their results compared."""

import importlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.python.util import deprecation

from cvae.errors import CvaeError
from cvae.zs.upstream import find_upstream


def found():
    """The real ZhuSuan's names, or None."""
    try:
        return (find_upstream() or (None, None))[1]
    except CvaeError:
        return None


class Api:
    """One implementation of ZhuSuan as attributes."""

    def __init__(self, names):
        vars(self).update(names)


def ours():
    """`cvae.zs`, even where the package's own names are those of the real one."""
    parts = ("distributions", "evaluation", "framework", "utils", "variational")
    modules = {part: importlib.import_module("cvae.zs." + part) for part in parts}
    names = dict(modules)
    for part in ("evaluation", "framework", "utils"):
        names.update(vars(modules[part]))
    return Api(names)


REAL = found()
OURS = ours()

needs_the_real_one = pytest.mark.skipif(
    REAL is None, reason="no ZhuSuan 0.4 here: cvae.zs was not compared with it"
)


def outcome(calls, api):
    """What `calls(api)` gives in a graph of its own, or the type of its error.

    A tensor is given as its value, static shape and dtype.
    """
    # Without `silence`, 1.15 inspects the arguments of each operation.
    with deprecation.silence(), tf.Graph().as_default():
        try:
            results = calls(api)
            tensors = [one for one in results if isinstance(one, tf.Tensor)]
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                values = iter(session.run(tensors))
        except Exception as error:
            return type(error)
        return [
            (next(values), static(one), one.dtype.name)
            if isinstance(one, tf.Tensor)
            else one
            for one in results
        ]


def static(tensor):
    return None if tensor.shape.ndims is None else tensor.shape.as_list()


def assert_same(calls):
    """Both implementations give the same results."""
    real, own = outcome(calls, Api(REAL)), outcome(calls, OURS)
    assert isinstance(real, list), real
    assert isinstance(own, list), own
    assert len(real) == len(own)
    for a, b in zip(real, own):
        if isinstance(a, tuple) and isinstance(a[0], (np.ndarray, np.generic)):
            np.testing.assert_allclose(a[0], b[0], rtol=2e-5, atol=1e-6)
            a, b = a[1:], b[1:]
        assert a == b


def assert_refused(calls):
    """Both implementations fail with the same type of error."""
    real, own = outcome(calls, Api(REAL)), outcome(calls, OURS)
    assert isinstance(real, type), real
    assert real is own


def assert_alike(calls):
    """Both implementations give the same results, or refuse."""
    refused = isinstance(outcome(calls, Api(REAL)), type)
    (assert_refused if refused else assert_same)(calls)
