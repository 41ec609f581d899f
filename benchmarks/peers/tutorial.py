"""Run the same training as tutorials do: each step is one call that is fed a batch.

Model and variational net are ZhuSuan's `BayesianNet`s, with one sample of z and
TensorFlow's own random numbers. Grey images and one-hot classes are fed as floats;
their bits are drawn in the graph, which is faster than in NumPy. Convolutions are those
of `cvae.networks`.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from cvae import networks, zs
from cvae.backend import compat
from cvae.networks.layers import ACTIVATIONS, is_kernel
from peers import shuffled


class Peer:
    """Take each step by a `Session.run` with a `feed_dict`."""

    flop = None

    def __init__(self, config, train):
        self.versions = ["TensorFlow " + tf.__version__, zs.IMPLEMENTATION]
        self._images = train.images / np.float32(255)
        self._y = np.eye(config.n_classes, dtype=np.float32)[train.labels]
        random = np.random.RandomState(config.seed)
        self._order = shuffled(len(train.images), config.batch_size, random)
        with compat.new_graph() as graph:
            tf.set_random_seed(config.seed)
            self._fed_images = tf.placeholder(tf.float32, [None, config.x_dim])
            self._fed_y = tf.placeholder(tf.float32, [None, config.n_classes])
            self._bound = _bound(self._fed_images, self._fed_y, config)
            self._update = _update(-self._bound, config)
            self._weights = {v.op.name: v for v in tf.trainable_variables()}
            self._session = tf.Session(graph=graph)
            self._session.run(tf.global_variables_initializer())

    def run(self, n_steps):
        """Take `n_steps` steps; return their bounds."""
        bounds = []
        for _ in range(n_steps):
            chosen = next(self._order)
            feed = {
                self._fed_images: self._images[chosen],
                self._fed_y: self._y[chosen],
            }
            bounds.append(self._session.run([self._bound, self._update], feed)[0])
        return np.array(bounds)

    def weights(self):
        """Return the weights by the names of `cvae.model`'s variables."""
        return self._session.run(self._weights)


def _update(cost, config):
    """Take one step of Adam; then decay the kernels."""
    done = tf.train.AdamOptimizer(config.learning_rate).minimize(cost)
    if not config.weight_decay:
        return done
    share = config.learning_rate * config.weight_decay
    kernels = [v for v in tf.trainable_variables() if is_kernel(v.op.name)]
    with tf.control_dependencies([done]):
        return tf.group(*(k.assign_sub(share * k.read_value()) for k in kernels))


def _bound(intensities, y, config):
    """Return the mean bound on log p(x | y) of the batch, in nats."""
    decoder, encoder = _decoder, _encoder
    if config.network == "conv":
        decoder, encoder = networks.decoder, networks.encoder
    n = tf.shape(y)[0]

    @zs.meta_bayesian_net(scope="gen", reuse_variables=True)
    def generator():
        bn = zs.BayesianNet()
        uniform = tf.zeros([n, config.n_classes])
        one_hot = bn.onehot_categorical("y", uniform, dtype=tf.float32)
        z = bn.normal("z", tf.zeros([n, config.z_dim]), std=1.0, group_ndims=1)
        logits = decoder(one_hot, z, config)
        bn.bernoulli("x", logits, group_ndims=1, dtype=tf.float32)
        return bn

    @zs.meta_bayesian_net(scope="q_net", reuse_variables=True)
    def posterior(x):
        bn = zs.BayesianNet()
        mean, logstd = encoder(x, y, config)
        path = {"use_path_derivative": config.path_derivative}
        bn.normal("z", mean, logstd=logstd, group_ndims=1, **path)
        return bn

    uniform = tf.random_uniform(tf.shape(intensities))
    x = tf.cast(uniform < intensities, tf.float32)
    elbo = zs.variational.elbo(
        generator(), {"x": x, "y": y}, variational=posterior(x).observe()
    )
    return tf.reduce_mean(elbo) + np.log(config.n_classes)


def _decoder(y, z, config):
    h = _hidden(tf.concat([y, z], 1), y, config.hidden[::-1], config)
    return _dense(h, config.x_dim, "x_logits")


def _encoder(x, y, config):
    h = _hidden(tf.concat([x, y], 1), y, config.hidden, config)
    return tf.split(_dense(h, 2 * config.z_dim, "z_heads"), 2, 1)


def _hidden(h, y, sizes, config):
    for number, units in enumerate(sizes, 1):
        h = _dense(h, units, f"hidden_{number}")
        if config.film:
            scale, shift = tf.split(_dense(y, 2 * units, f"class_{number}"), 2, 1)
            h = h * (1.0 + scale) + shift
        h = ACTIVATIONS[config.activation](h)
    return h


def _dense(h, units, name):
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [h.shape.as_list()[-1], units])
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
    return tf.nn.bias_add(tf.matmul(h, kernel), bias)
