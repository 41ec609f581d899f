"""`MetaBayesianNet`: a function that makes a `BayesianNet`, with its variables."""

import contextlib
import functools
import threading
from typing import Any, Callable, Optional

import tensorflow.compat.v1 as tf

__all__ = ["MetaBayesianNet", "meta_bayesian_net", "reuse_variables"]


class MetaBayesianNet:
    """A function that returns a `BayesianNet`, to be called with nodes observed.

    Args:
        f: the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        scope: name of the variable scope that its variables live in.
        reuse_variables: share one set of variables between all calls; otherwise each
            call runs inside `tf.variable_scope(scope)`, so that a second one which
            makes a variable of the same name fails as TensorFlow does.

    Raises:
        ValueError: `reuse_variables` without a `scope`.
    """

    def __init__(
        self,
        f: Callable,
        args: Optional[tuple] = None,
        kwargs: Optional[dict] = None,
        scope: Optional[str] = None,
        reuse_variables: bool = False,
    ):
        if reuse_variables and scope is None:
            raise ValueError("Cannot reuse variables without a scope")
        self._f = functools.partial(f, *(args or ()), **(kwargs or {}))
        self._scope = None if reuse_variables else scope
        if reuse_variables:
            self._f = tf.make_template(scope, self._f)
        self.log_joint = None

    def observe(self, **observations) -> Any:
        """Return the net with those nodes observed, or what else the function returns.

        Names that the net lacks, and values of None, are ignored.
        """
        given = {name: x for name, x in observations.items() if x is not None}
        with contextlib.ExitStack() as stack:
            if self._scope is not None:
                stack.enter_context(tf.variable_scope(self._scope))
            stack.enter_context(_observing(self, given))
            return self._f()


def meta_bayesian_net(
    scope: Optional[str] = None, reuse_variables: bool = False
) -> Callable[[Callable], Callable[..., MetaBayesianNet]]:
    """Decorate a function that returns a `BayesianNet` to return a `MetaBayesianNet`.

    Arguments are those of `MetaBayesianNet`, as are the errors, raised when the
    decorated function is called.
    """

    def decorate(f):
        @functools.wraps(f)
        def meta(*args, **kwargs):
            return MetaBayesianNet(f, args, kwargs, scope, reuse_variables)

        return meta

    return decorate


def reuse_variables(scope: str) -> Callable[[Callable], Callable]:
    """Decorate a function so that all its calls share the variables made in `scope`."""
    return functools.partial(tf.make_template, scope)


_active = threading.local()


def current_observation() -> tuple:
    """Return the `MetaBayesianNet` that is being observed and its observations."""
    stack = getattr(_active, "stack", None)
    return stack[-1] if stack else (None, {})


@contextlib.contextmanager
def _observing(meta_bn, observations):
    if not hasattr(_active, "stack"):
        _active.stack = []
    _active.stack.append((meta_bn, observations))
    try:
        yield
    finally:
        _active.stack.pop()
