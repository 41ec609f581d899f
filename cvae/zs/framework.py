"""`BayesianNet`: a network of named random variables, built node by node."""

import functools
import operator
from typing import Any, Dict, Optional

import tensorflow.compat.v1 as tf

from cvae.zs import distributions
from cvae.zs.meta_bn import (
    MetaBayesianNet,
    current_observation,
    meta_bayesian_net,
    reuse_variables,
)
from cvae.zs.node import StochasticTensor

__all__ = [
    "BayesianNet",
    "MetaBayesianNet",
    "StochasticTensor",
    "meta_bayesian_net",
    "reuse_variables",
]


class BayesianNet:
    """A directed graphical model, built node by node, parents first.

    Args:
        observed: values of nodes, by name. Within `MetaBayesianNet.observe` the values
            observed there are added, and win.
    """

    def __init__(self, observed: Optional[dict] = None):
        self._meta_bn, observations = current_observation()
        self._observed = dict(observed or {}, **observations)
        self._nodes: Dict[str, Any] = {}
        self._log_joint = None

    @property
    def nodes(self) -> dict:
        """All nodes by name: `StochasticTensor`s, and tensors of deterministic ones."""
        return self._nodes

    def stochastic(self, name: str, dist, *, n_samples=None) -> StochasticTensor:
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

    def deterministic(self, name: str, input_tensor) -> tf.Tensor:
        """Give `input_tensor` a name in the net and return it.

        Raises:
            ValueError: the name is taken.
        """
        self._check_new(name)
        return self._add(name, tf.convert_to_tensor(input_tensor))

    def normal(
        self,
        name: str,
        mean=0.0,
        _sentinel=None,
        std=None,
        logstd=None,
        group_ndims=0,
        n_samples=None,
        is_reparameterized: bool = True,
        check_numerics: bool = False,
        **settings,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Normal`."""
        dist = distributions.Normal(
            mean,
            _sentinel,
            std=std,
            logstd=logstd,
            group_ndims=group_ndims,
            is_reparameterized=is_reparameterized,
            check_numerics=check_numerics,
            **settings,
        )
        return self.stochastic(name, dist, n_samples=n_samples)

    def bernoulli(
        self,
        name: str,
        logits,
        n_samples=None,
        group_ndims=0,
        dtype=tf.int32,
        **settings,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Bernoulli`."""
        dist = distributions.Bernoulli(logits, dtype, group_ndims, **settings)
        return self.stochastic(name, dist, n_samples=n_samples)

    def categorical(
        self,
        name: str,
        logits,
        n_samples=None,
        group_ndims=0,
        dtype=tf.int32,
        **settings,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Categorical`."""
        dist = distributions.Categorical(logits, dtype, group_ndims, **settings)
        return self.stochastic(name, dist, n_samples=n_samples)

    def onehot_categorical(
        self,
        name: str,
        logits,
        n_samples=None,
        group_ndims=0,
        dtype=tf.int32,
        **settings,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.OnehotCategorical`."""
        dist = distributions.OnehotCategorical(logits, dtype, group_ndims, **settings)
        return self.stochastic(name, dist, n_samples=n_samples)

    def uniform(
        self,
        name: str,
        minval=0.0,
        maxval=1.0,
        n_samples=None,
        group_ndims=0,
        is_reparameterized: bool = True,
        check_numerics: bool = False,
        **settings,
    ) -> StochasticTensor:
        """Add a node that follows `distributions.Uniform`."""
        dist = distributions.Uniform(
            minval,
            maxval,
            group_ndims,
            is_reparameterized,
            check_numerics,
            **settings,
        )
        return self.stochastic(name, dist, n_samples=n_samples)

    discrete = categorical
    onehot_discrete = onehot_categorical

    def get(self, name_or_names) -> Any:
        """Return the node of that name, or a list of nodes for an iterable of names.

        Raises:
            TypeError: a name is not a string.
            ValueError: no node has that name.
        """
        return self._look_up(name_or_names, self._node)

    def __getitem__(self, name_or_names):
        return self.get(name_or_names)

    def cond_log_prob(self, name_or_names) -> Any:
        """Return log p(node | parents) in nats, or a list of them, as `get` does.

        Raises:
            TypeError: a name is not a string.
            ValueError: no node has that name, or it is deterministic.
        """
        return self._look_up(name_or_names, self._cond_log_p)

    def outputs(self, name_or_names) -> Any:
        """Return the value of a stochastic node, or a list of them, as `get` does."""
        return self._look_up(name_or_names, lambda name: self._node(name).tensor)

    def local_log_prob(self, name_or_names) -> Any:
        """Return what `cond_log_prob` does, by its name before ZhuSuan 0.4."""
        return self.cond_log_prob(name_or_names)

    def query(self, name_or_names, outputs=False, local_log_prob=False) -> Any:
        """Return (value, log p) of a node, or either; or a list, as `get` does.

        Raises:
            ValueError: neither is asked for.
        """
        asked = [self.outputs] * outputs + [self.local_log_prob] * local_log_prob
        if not asked:
            raise ValueError("No query options are selected")
        if len(asked) == 1:
            return asked[0](name_or_names)
        return self._look_up(
            name_or_names, lambda name: tuple(find(name) for find in asked)
        )

    def log_joint(self) -> tf.Tensor:
        """Return log p of all stochastic nodes at their values, in nats.

        It is the sum of their `cond_log_p`, 0 for none; or what the function
        `log_joint` of this net's `MetaBayesianNet` returns for this net. It is kept
        until a node is added.

        Raises:
            TypeError: that function is not callable.
        """
        if self._log_joint is None:
            self._log_joint = self._new_log_joint()
        return self._log_joint

    def _new_log_joint(self):
        replacement = self._meta_bn.log_joint if self._meta_bn else None
        if replacement is None:
            terms = [
                node.cond_log_p
                for node in self._nodes.values()
                if isinstance(node, StochasticTensor)
            ]
            return functools.reduce(operator.add, terms or [0])
        if not callable(replacement):
            raise TypeError(
                f"log_joint of {self._meta_bn} is not callable: {replacement!r}"
            )
        return replacement(self)

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
