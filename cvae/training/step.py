"""The SGVB training graph, and the session that holds its state."""

import contextlib
import dataclasses
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import model, networks, zs
from cvae.backend import compat, stateless, threads
from cvae.config import Config
from cvae.data.dataset import Split
from cvae.errors import CvaeError
from cvae.runs.checkpoints import AVERAGE
from cvae.training import optimizers

# Parts of a batch. Draws are keyed by part, and sums round by part: so the number must
# not depend on the machine's cores.
TOWERS = 2
WIDE = 1024  # units of a layer from which on a batch stays whole


class Trainer:
    """The training of θ and φ: steps that maximize the mean bound and average weights.

    The images are variables of the graph, and a call runs many steps in one
    `tf.while_loop`: entering TensorFlow for every step takes longer. The halves of a
    batch go through the nets in parallel, each on its share of the cores: threads with
    matrix products of their own do not wait for each other within a product. In wide
    nets the batch stays whole, because the weights do not fit into a core's cache.

    In dense nets the bias of each pixel's logit starts at the pixel's log-odds in the
    images. Those of dark pixels are far from zero, where Adam would take long to get.

    With `weighted`, the steps maximize the mean importance-weighted bound of
    `config.iwae_particles` (Burda et al. 2016).

    Raises:
        CvaeError: the graph does not train exactly the model's own variables.
    """

    def __init__(self, config: Config, train: Split, weighted: bool = False):
        if weighted:  # the mean of the score term is not zero then
            config = dataclasses.replace(
                config, particles=config.iwae_particles, path_derivative=False
            )
        share = tf.ConfigProto(
            intra_op_parallelism_threads=max(1, threads.cores() // _n_towers(config))
        )
        with compat.new_graph() as self._graph:
            self._build(config, train, weighted)
        with compat.open_session(self._graph, share, brief=True) as self._session:
            start = {self._images: train.images, self._labels: train.labels}
            if networks.pixel_bias(config):
                bias = self._variables[f"gen/{networks.pixel_bias(config)}"]
                value = bias.initializer.inputs[1]  # the average starts there, too
                start[value] = _log_odds(train.images)
            self._session.run(self._initialize, start)

    def steps(
        self,
        first_step: int,
        order: np.ndarray,
        rates: np.ndarray,
        kl_weights: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """Take one step for each row of `order`.

        Args:
            first_step: number of the first step, which keys its draws.
            order: image numbers, int32 `[steps, batch]`.
            rates: learning rate of each step, float32 `[steps]`.
            kl_weights: of the KL divergence, float32 `[steps]`, if `config.weighs_kl`.

        Returns:
            Mean bound on log p(x | y) of each step's batch in nats, `[steps]`.
        """
        feed = {self._first: first_step, self._order: order, self._rates: rates}
        if self._kl_weights is not None:
            feed[self._kl_weights] = kl_weights
        return self._session.run(self._bounds, feed)

    def state(self) -> Dict[str, np.ndarray]:
        """Return everything that training changes: name to array."""
        return self._session.run(self._variables)

    def averages(self) -> Dict[str, np.ndarray]:
        """Return the averaged weights by their variables' names."""
        return self._session.run(self._averages)

    def restore(self, arrays: Dict[str, np.ndarray]) -> None:
        """Continue from a `state()`.

        Raises:
            CvaeError: the arrays belong to another architecture.
        """
        compat.load(self._session, self._variables, arrays)

    def start_from(self, weights: Dict[str, np.ndarray]) -> None:
        """Replace the initial weights, and their average, by `weights`, by name.

        Raises:
            CvaeError: the weights belong to another architecture.
        """
        named = {name: self._variables[name] for name in self._averages}
        compat.load(self._session, named, weights)
        compat.load(self._session, self._averages, weights)

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *unused: Any) -> None:
        self._session.close()

    def _build(self, config, train, weighted):
        self._images = tf.placeholder(tf.uint8, train.images.shape)
        self._labels = tf.placeholder(tf.int32, train.labels.shape)
        images, labels = (
            tf.Variable(data, trainable=False, collections=["data"], use_resource=True)
            for data in (self._images, self._labels)
        )
        self._first = tf.placeholder(tf.int64, [])
        self._order = tf.placeholder(tf.int32, [None, config.batch_size])
        self._rates = tf.placeholder(tf.float32, [None])
        self._kl_weights = None
        if config.weighs_kl:
            self._kl_weights = tf.placeholder(tf.float32, [None])

        parts = _parts(config, weighted)
        weights = _make_weights(parts)

        def one_step(i, bounds):
            chosen = self._order[i]
            inputs = {
                "intensities": tf.gather(images, chosen),
                "y": tf.one_hot(tf.gather(labels, chosen), config.n_classes),
                "step": self._first + tf.cast(i, tf.int64),
            }
            if config.weighs_kl:
                inputs["kl_weight"] = self._kl_weights[i]
            bound, gradients = _bound_and_gradients(parts, weights, inputs, config)
            update = optimizers.update(
                list(zip(gradients, weights.values())),
                inputs["step"],
                self._rates[i],
                config,
            )
            with tf.control_dependencies([update]):
                return i + 1, bounds.write(i, bound)

        n_steps = tf.size(self._rates)
        _, bounds = tf.while_loop(
            lambda i, _: i < n_steps,
            one_step,
            (0, tf.TensorArray(tf.float32, n_steps)),
            parallel_iterations=1,
        )
        self._bounds = bounds.stack()
        self._variables = {v.op.name: v for v in tf.global_variables()}
        self._averages = {
            v.op.name: self._variables[v.op.name + AVERAGE]
            for v in tf.trainable_variables()
        }
        data = tf.variables_initializer(tf.get_collection("data"))
        self._initialize = tf.group(data, tf.global_variables_initializer())


class _Part(NamedTuple):
    """The graph of a part of a batch, which every step imports."""

    size: int  # images
    graph: tf.GraphDef
    weights: Dict[str, Tuple[tf.Tensor, Any]]  # name to placeholder and initializer
    inputs: Dict[str, str]  # what is fed, to its tensor's name
    outputs: List[str]  # names of the bounds and of the weights' gradients


def _parts(config, weighted):
    """Return the parts of a batch; those of one size share their graph.

    To import a graph is faster than to build it and its gradients again.
    """
    n_towers = _n_towers(config)
    sizes = [(config.batch_size + tower) // n_towers for tower in range(n_towers)]
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
            cost, bound = _tower(nets, config=config, weighted=weighted, **inputs)
            bound = tf.convert_to_tensor(bound)
        _check_shared(weights, config)
        kernels = [placeholder for placeholder, _ in weights.values()]
        share = tf.fill([size], np.float32(1.0) / np.float32(config.batch_size))
        # Gates keep TensorFlow from adding up other terms together than it did.
        gradients = tf.gradients(cost, kernels, share, gate_gradients=True)
    outputs = [tensor.name for tensor in [bound, *gradients]]
    names = {name: tensor.name for name, tensor in inputs.items()}
    return _Part(size, graph.as_graph_def(), weights, names, outputs)


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


def _make_weights(parts):
    """Make the variables that `parts` train, name to variable."""
    found = {}
    for name, (placeholder, initializer) in parts[0].weights.items():
        scope, _, leaf = name.rpartition("/")
        with tf.variable_scope(scope):
            found[name] = tf.get_variable(
                leaf, placeholder.shape, initializer=initializer, use_resource=True
            )
    return found


def _log_odds(images):
    """Return each pixel's log-odds of a 1, `[x_dim]`.

    Half a 1 and half a 0 are added to the images, so that all are finite.
    """
    share = (images.sum(0) / 255.0 + 0.5) / (len(images) + 1.0)
    return np.log(share / (1.0 - share)).astype(np.float32)


def _bound_and_gradients(parts, weights, inputs, config):
    """Return a batch's mean bound on log p(x | y), and its cost's gradients."""
    sizes = [part.size for part in parts]
    split = {name: tf.split(inputs[name], sizes) for name in ("intensities", "y")}
    values = {name: variable.read_value() for name, variable in weights.items()}
    found = []
    for i, part in enumerate(parts):
        fed = {name: tensors[i] for name, tensors in split.items()}
        fed["number"] = inputs["step"] * TOWERS + i
        if "kl_weight" in inputs:
            fed["kl_weight"] = inputs["kl_weight"]
        feed = {part.inputs[name]: tensor for name, tensor in fed.items()}
        feed.update({part.weights[n][0].name: value for n, value in values.items()})
        found.append(tf.import_graph_def(part.graph, feed, part.outputs, f"part_{i}"))
    bounds, *gradients = zip(*found)
    # The bound is on log p(x, y) = log p(x | y) + log π_y, and log π_y = -log K.
    bound = tf.reduce_mean(tf.concat(bounds, 0)) + np.log(config.n_classes)
    return bound, [tf.add_n(of_parts) for of_parts in gradients]


def _n_towers(config):
    if max(config.hidden) >= WIDE:
        return 1
    return min(TOWERS, config.batch_size)


def _tower(nets, intensities, y, number, config, weighted, kl_weight=None):
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
