"""Networks of named random variables: `BayesianNet`, and `MetaBayesianNet` of one."""

import contextlib
import functools
import operator
import threading
from typing import Callable, Optional

import tensorflow.compat.v1 as tf

from cvae.zs import distributions
from cvae.zs.utils import TensorLike

__all__ = [
    "BayesianNet",
    "MetaBayesianNet",
    "StochasticTensor",
    "meta_bayesian_net",
    "reuse_variables",
]


class StochasticTensor(TensorLike):
    """A node of a `BayesianNet` that follows a distribution.

    It stands for its observation if it has one, else for one sample, drawn when it is
    first needed.

    Args:
        bn: the net it belongs to.
        name: its name there.
        dist: its distribution.
        observation: its value; of the distribution's dtype, and broadcastable with
            `batch_shape + value_shape`.
        n_samples: number of samples to draw on a new axis 0; None for one without it.

    Raises:
        ValueError: the observation has another dtype or shape.
    """

    def __init__(self, bn, name: str, dist, observation=None, n_samples=None):
        self._bn = bn
        self._name = name
        self._dist = dist
        self._n_samples = n_samples
        self._observed = observation is not None
        self._tensor = self._checked(observation) if self._observed else None
        self._cond_log_p = None

    @property
    def bn(self) -> "BayesianNet":
        """The net this node belongs to."""
        return self._bn

    @property
    def name(self) -> str:
        """Name of the node."""
        return self._name

    @property
    def dist(self) -> distributions.Distribution:
        """Distribution of the node given its parents."""
        return self._dist

    @property
    def dtype(self) -> tf.DType:
        """Data type of the value."""
        return self._dist.dtype

    @property
    def tensor(self) -> tf.Tensor:
        """The observation, or the one sample."""
        if self._tensor is None:
            self._tensor = self._dist.sample(self._n_samples)
        return self._tensor

    @property
    def cond_log_p(self) -> tf.Tensor:
        """Log-probability (nats) of the value given the node's parents."""
        if self._cond_log_p is None:
            self._cond_log_p = self._dist.log_prob(self.tensor)
        return self._cond_log_p

    def is_observed(self) -> bool:
        """Return whether the value was given rather than drawn."""
        return self._observed

    def _checked(self, observation):
        label = f"StochasticTensor('{self._name}') and its observation"
        try:
            tensor = tf.convert_to_tensor(observation, dtype=self._dist.dtype)
        except (TypeError, ValueError) as error:
            message = f"Incompatible types of {label}: {error}"
            raise ValueError(message) from error
        expected = self._dist.get_batch_shape().concatenate(
            self._dist.get_value_shape()
        )
        try:
            tf.broadcast_static_shape(expected, tensor.shape)
        except ValueError:
            message = f"Incompatible shapes of {label}: {expected} vs. {tensor.shape}"
            raise ValueError(message) from None
        return tensor


class BayesianNet:
    """A directed graphical model, built node by node, parents first.

    Args:
        observed: values of nodes, by name. Within `MetaBayesianNet.observe` the values
            observed there are added, and win.
    """

    def __init__(self, observed: Optional[dict] = None):
        self._meta_bn, observations = _current_observation()
        self._observed = dict(observed or {}, **observations)
        self._nodes = {}
        self._log_joint = None

    @property
    def nodes(self) -> dict:
        """All nodes by name: `StochasticTensor`s, and tensors of deterministic ones."""
        return dict(self._nodes)

    def stochastic(self, name: str, dist, n_samples=None) -> StochasticTensor:
        """Add a node that follows `dist`.

        Args:
            name: of the node.
            dist: a `Distribution`.
            n_samples: None, an int or a 0-D int32 tensor; see `Distribution.sample`.

        Raises:
            ValueError: the name is taken, or its observation does not fit.
        """
        self._check_new(name)
        node = StochasticTensor(self, name, dist, self._observed.get(name), n_samples)
        return self._add(name, node)

    def deterministic(self, name: str, tensor) -> tf.Tensor:
        """Give `tensor` a name in the net and return it.

        Raises:
            ValueError: the name is taken.
        """
        self._check_new(name)
        return self._add(name, tf.convert_to_tensor(tensor))

    def normal(
        self,
        name: str,
        mean=0.0,
        _sentinel=None,
        std=None,
        logstd=None,
        group_ndims=0,
        is_reparameterized: bool = True,
        use_path_derivative: bool = False,
        check_numerics: bool = False,
        n_samples=None,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Normal`."""
        dist = distributions.Normal(
            mean,
            _sentinel,
            std=std,
            logstd=logstd,
            group_ndims=group_ndims,
            is_reparameterized=is_reparameterized,
            use_path_derivative=use_path_derivative,
            check_numerics=check_numerics,
        )
        return self.stochastic(name, dist, n_samples)

    def bernoulli(
        self, name: str, logits, group_ndims=0, dtype=tf.int32, n_samples=None
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Bernoulli`."""
        dist = distributions.Bernoulli(logits, dtype, group_ndims)
        return self.stochastic(name, dist, n_samples)

    def categorical(
        self, name: str, logits, group_ndims=0, dtype=tf.int32, n_samples=None
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Categorical`."""
        dist = distributions.Categorical(logits, dtype, group_ndims)
        return self.stochastic(name, dist, n_samples)

    def onehot_categorical(
        self, name: str, logits, group_ndims=0, dtype=tf.int32, n_samples=None
    ) -> StochasticTensor:
        """Add a node that follows `distributions.OnehotCategorical`."""
        dist = distributions.OnehotCategorical(logits, dtype, group_ndims)
        return self.stochastic(name, dist, n_samples)

    def uniform(
        self,
        name: str,
        minval=0.0,
        maxval=1.0,
        group_ndims=0,
        is_reparameterized: bool = True,
        check_numerics: bool = False,
        n_samples=None,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Uniform`."""
        dist = distributions.Uniform(
            minval, maxval, group_ndims, is_reparameterized, check_numerics
        )
        return self.stochastic(name, dist, n_samples)

    discrete = categorical
    onehot_discrete = onehot_categorical

    def get(self, name_or_names):
        """Return the node of that name, or a list of nodes for an iterable of names.

        Raises:
            TypeError: a name is not a string.
            ValueError: no node has that name.
        """
        return self._look_up(name_or_names, self._node)

    def __getitem__(self, name_or_names):
        return self.get(name_or_names)

    def cond_log_prob(self, name_or_names):
        """Return log p(node | parents) in nats, or a list of them, as `get` does.

        Raises:
            TypeError: a name is not a string.
            ValueError: no node has that name, or it is deterministic.
        """
        return self._look_up(name_or_names, self._cond_log_p)

    def log_joint(self) -> tf.Tensor:
        """Return log p of all stochastic nodes at their values, in nats.

        It is the sum of their `cond_log_p`, kept until a node is added; or what the
        function `log_joint` of this net's `MetaBayesianNet` returns for this net.

        Raises:
            TypeError: that function is not callable.
        """
        replacement = self._meta_bn.log_joint if self._meta_bn else None
        if replacement is not None:
            if not callable(replacement):
                raise TypeError(
                    f"log_joint of {self._meta_bn} is not callable: {replacement!r}"
                )
            return replacement(self)
        if self._log_joint is None:
            terms = [
                node.cond_log_p
                for node in self._nodes.values()
                if isinstance(node, StochasticTensor)
            ]
            self._log_joint = functools.reduce(operator.add, terms or [tf.zeros([])])
        return self._log_joint

    def _check_new(self, name):
        if name in self._nodes:
            raise ValueError(
                f"There is already a node named '{name}' in this net. Names should be "
                "unique."
            )

    def _add(self, name, node):
        self._nodes[name] = node
        self._log_joint = None
        return node

    def _node(self, name):
        if not isinstance(name, str):
            raise TypeError(f"Names are strings, got {name!r}")
        if name not in self._nodes:
            raise ValueError(f"There isn't a node named '{name}' in this net")
        return self._nodes[name]

    def _cond_log_p(self, name):
        node = self._node(name)
        if not isinstance(node, StochasticTensor):
            raise ValueError(f"Node '{name}' is deterministic")
        return node.cond_log_p

    @staticmethod
    def _look_up(name_or_names, find):
        if isinstance(name_or_names, str) or not hasattr(name_or_names, "__iter__"):
            return find(name_or_names)
        return [find(name) for name in name_or_names]


class MetaBayesianNet:
    """A function that returns a `BayesianNet`, to be called with nodes observed.

    Args:
        f: the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        scope: name of the variable scope that its variables live in.
        reuse_variables: share one set of variables between all calls; otherwise each
            call opens a fresh variable scope.

    Raises:
        ValueError: `reuse_variables` without a `scope`.
    """

    def __init__(
        self,
        f: Callable[..., BayesianNet],
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

    def observe(self, **observations) -> BayesianNet:
        """Return the net with those nodes observed; names it lacks are ignored."""
        with contextlib.ExitStack() as stack:
            if self._scope is not None:
                fresh = tf.variable_scope(None, default_name=self._scope)
                stack.enter_context(fresh)
            stack.enter_context(_observing(self, observations))
            return self._f()


def meta_bayesian_net(scope: Optional[str] = None, reuse_variables: bool = False):
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


def reuse_variables(scope: str):
    """Decorate a function so that all its calls share the variables made in `scope`."""
    return functools.partial(tf.make_template, scope)


_active = threading.local()


def _current_observation():
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
