"""The SGVB training graph, and the session that holds its state."""

import dataclasses
from typing import Any, Dict, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import networks
from cvae.backend import compat, threads
from cvae.backend.resource import Variable
from cvae.config import Config
from cvae.data.dataset import Split
from cvae.training import optimizers, parts


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
            intra_op_parallelism_threads=max(1, threads.cores() // parts.count(config))
        )
        with compat.new_graph() as self._graph:
            self._build(config, train, weighted)
        with compat.open_session(self._graph, share, brief=True) as self._session:
            start = {self._images: train.images, self._labels: train.labels}
            if networks.pixel_bias(config):
                bias = self._variables[f"gen/{networks.pixel_bias(config)}"]
                start[bias.initial] = _log_odds(train.images)  # and its average's
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
        return self._fetch(self._variables)

    def averages(self) -> Dict[str, np.ndarray]:
        """Return the averaged weights by their variables' names."""
        return self._fetch(self._averages)

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

    def _fetch(self, variables):
        return self._session.run({n: v.value for n, v in variables.items()})

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

        pieces = parts.build(config, weighted)
        weights = _make_weights(pieces[0])
        optimizer = optimizers.Optimizer(weights, config)
        self._variables, self._averages = optimizer.variables, optimizer.averages

        def one_step(i, n_done, bounds):
            chosen = self._order[i]
            inputs = {
                "intensities": tf.gather(images, chosen),
                "y": tf.one_hot(tf.gather(labels, chosen), config.n_classes),
                "step": self._first + tf.cast(i, tf.int64),
            }
            if config.weighs_kl:
                inputs["kl_weight"] = self._kl_weights[i]
            with tf.control_dependencies([n_done]):
                values = [variable.read() for variable in weights.values()]
            bound, gradients = _bound_and_gradients(pieces, values, inputs, config)
            update = optimizer.update(gradients, n_done, inputs["step"], self._rates[i])
            # After the gradients, a core that is free draws the next step's bits.
            with tf.control_dependencies(gradients):
                following = i + 1
            with tf.control_dependencies([update]):
                return following, tf.identity(following), bounds.write(i, bound)

        n_steps = tf.size(self._rates)
        _, n_done, bounds = tf.while_loop(
            lambda i, *_: i < n_steps,
            one_step,
            (0, 0, tf.TensorArray(tf.float32, n_steps)),
            parallel_iterations=2,
        )
        with tf.control_dependencies([n_done]):
            self._bounds = bounds.stack()
        data = tf.variables_initializer(tf.get_collection("data"))
        self._initialize = [data, *(v.initializer for v in self._variables.values())]


def _make_weights(part):
    """Return the variables that `part` trains, in its order: name to variable."""
    found = {}
    for name, (placeholder, initializer) in part.weights.items():
        with tf.variable_scope(name.rpartition("/")[0]):  # which keys its draw
            initial = initializer(placeholder.shape.as_list(), tf.float32)
        found[name] = Variable(name, initial)
    return found


def _log_odds(images):
    """Return each pixel's log-odds of a 1, `[x_dim]`.

    Half a 1 and half a 0 are added to the images, so that all are finite.
    """
    share = (images.sum(0) / 255.0 + 0.5) / (len(images) + 1.0)
    return np.log(share / (1.0 - share)).astype(np.float32)


def _bound_and_gradients(pieces, values, inputs, config):
    """Return a batch's mean bound on log p(x | y), and its cost's gradients."""
    sizes = [part.size for part in pieces]
    split = {name: tf.split(inputs[name], sizes) for name in ("intensities", "y")}
    found = []
    for number, part in enumerate(pieces):
        own = {name: tensors[number] for name, tensors in split.items()}
        found.append(part.place(number, values, dict(inputs, **own)))
    bounds, *gradients = zip(*found)
    # The bound is on log p(x, y) = log p(x | y) + log π_y, and log π_y = -log K.
    bound = tf.reduce_mean(tf.concat(bounds, 0)) + np.log(config.n_classes)
    return bound, [tf.add_n(of_parts) for of_parts in gradients]
