"""The graph of a part of a batch: bounds, and their gradients in θ and φ."""

import contextlib
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import model, zs
from cvae.backend import compat, stateless
from cvae.config import Config
from cvae.errors import CvaeError

# The most parts of a batch. Draws are keyed by part, and sums round by part: so their
# number must not depend on the machine's cores.
MOST = 2
WIDE = 1024  # units of a layer from which on a batch stays whole
# Without gates, today's TensorFlow adds up other terms together than it did, and rounds
# otherwise. 1.15 does not, and builds a seventh fewer operations.
GATES = not compat.VERSION.startswith("1.")


class Part(NamedTuple):
    """The graph of a part of a batch, which every step imports."""

    size: int  # images
    graph: tf.GraphDef
    weights: Dict[str, Tuple[tf.Tensor, Any]]  # name to placeholder and initializer
    inputs: Dict[str, str]  # what is fed, to its tensor's name
    outputs: List[str]  # names of the bounds and of the weights' gradients

    def place(
        self, number: int, values: Sequence[tf.Tensor], inputs: Dict[str, tf.Tensor]
    ) -> List[tf.Tensor]:
        """Return bounds and gradients of part `number` of a batch.

        Args:
            number: of the part, from 0; its draws are its own.
            values: the weights, in the order of `weights`.
            inputs: intensities and y of the part, step, and the KL's weight if any.
        """
        fed = dict(inputs, number=inputs["step"] * MOST + number)
        feed = {name: fed[key] for key, name in self.inputs.items()}
        names = [placeholder.name for placeholder, _ in self.weights.values()]
        feed.update(zip(names, values))
        return tf.import_graph_def(self.graph, feed, self.outputs, f"part_{number}")


def count(config: Config) -> int:
    """Return the number of parts of a batch."""
    if max(config.hidden) >= WIDE:
        return 1
    return min(MOST, config.batch_size)


def build(config: Config, weighted: bool) -> List[Part]:
    """Return the parts of a batch; those of one size share their graph.

    To import a graph is faster than to build it and its gradients again.

    Args:
        config: the settings of the steps.
        weighted: maximize the importance-weighted bound of `config.particles`.

    Raises:
        CvaeError: a part does not train exactly the model's own variables.
    """
    n_parts = count(config)
    sizes = [(config.batch_size + number) // n_parts for number in range(n_parts)]
    graphs = {size: _part(size, config, weighted) for size in set(sizes)}
    return [graphs[size] for size in sizes]


def _part(size, config, weighted):
    """Build the graph of `size` images: bounds, and gradients of the batch's cost."""
    with tf.Graph().as_default() as graph:
        inputs = {
            "intensities": tf.placeholder(tf.uint8, [size, config.x_dim]),
            "y": tf.placeholder(tf.float32, [size, config.n_classes]),
            "number": tf.placeholder(tf.int64, []),
        }
        if config.weighs_kl:
            inputs["kl_weight"] = tf.placeholder(tf.float32, [])
        with _noted_weights() as weights:
            nets = model.build_networks(config)
            cost, bound = _cost_and_bound(
                nets, config=config, weighted=weighted, **inputs
            )
            bound = tf.convert_to_tensor(bound)
        _check_shared(weights, config)
        kernels = [placeholder for placeholder, _ in weights.values()]
        share = tf.fill([size], np.float32(1.0) / np.float32(config.batch_size))
        gradients = tf.gradients(cost, kernels, share, gate_gradients=GATES)
    outputs = [tensor.name for tensor in [bound, *gradients]]
    names = {name: tensor.name for name, tensor in inputs.items()}
    return Part(size, graph.as_graph_def(), weights, names, outputs)


@contextlib.contextmanager
def _noted_weights():
    """Make each variable that is asked for a placeholder, and note it by its name."""
    noted = {}

    def note(getter, name, shape, initializer, **unused):
        if name not in noted:
            noted[name] = tf.placeholder(tf.float32, shape), initializer
        return noted[name][0]

    with tf.variable_scope("", custom_getter=note):
        yield noted


def _check_shared(weights, config):
    """Check that a part of a batch trains exactly the model's own variables.

    Raises:
        CvaeError: the part trains other weights, or some are not trained.
    """
    with tf.Graph().as_default(), _noted_weights() as own:
        nets = model.build_networks(config)
        x, y = tf.zeros([1, config.x_dim]), tf.zeros([1, config.n_classes])
        mean, _ = nets.encoder(x, y)
        nets.decoder(y, mean)
    trained, own = set(weights), set(own)
    for names, fault in ((trained - own, "has"), (own - trained, "lacks")):
        if names:
            raise CvaeError(
                f"the training graph {fault} {min(names)}, unlike the model's own: "
                "part of the training would be lost; build every part of a batch on "
                "the same `model.build_networks`"
            )


def _cost_and_bound(nets, intensities, y, number, config, weighted, kl_weight=None):
    """Return cost and bound on log p(x, y) of each image; `number` keys the draws."""
    x = stateless.binarize(
        intensities, stateless.key(config.seed, number, "binarization")
    )
    posterior_key = stateless.key(config.seed, number, "posterior")
    bound = model.lower_bound(nets, x, y, posterior_key, config, config.particles)
    if kl_weight is not None:
        return _weigh_kl(bound, kl_weight), bound
    if not weighted:
        return bound.sgvb(), bound
    log_joint = bound.bn.log_joint()
    tighter = zs.variational.importance_weighted_objective(
        lambda _: log_joint, {}, variational=bound.variational, axis=0
    )
    return tighter.sgvb(), bound


def _weigh_kl(bound, weight):
    """Return the cost β KL(q || p) - E_q[log p(x | y, z)] (Higgins et al. 2017)."""
    reconstruction = tf.reduce_mean(bound.bn.cond_log_prob("x"), 0)
    return weight * bound.sgvb() - (1.0 - weight) * reconstruction
