"""Measure the float32 matrix rate of TensorFlow: matrix products only.

Without a size, a step is the matrix products of one training step, one after the other
on all cores: of each layer, of the gradient of its weights, and of the gradient of its
input, which the first layer does not need. With a size, a step is one product of square
matrices of that size.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from peers import layers


class Peer:
    """Products of one step, or of two square matrices."""

    def __init__(self, config, train, size):
        del train
        self.versions = ["TensorFlow " + tf.__version__]
        with tf.Graph().as_default() as graph:
            if size:
                shapes = [(size, size, size)]
                work = [tf.matmul(_matrix(size, size), _matrix(size, size))]
            else:
                shapes, work = _of_a_step(config)
            self.flop = sum(2 * a * b * c for a, b, c in shapes)
            session = tf.Session(graph=graph)
            session.run(tf.global_variables_initializer())
            # All are fetched, as TensorFlow does not run others.
            self._step = session.make_callable([product.op for product in work])

    def run(self, n_steps):
        """Multiply; return no bounds."""
        for _ in range(n_steps):
            self._step()
        return np.empty(0)


def _of_a_step(config):
    """Return shapes `(rows, inner, columns)` and the products, which run in order."""
    shapes, work, rows = [], [], config.batch_size

    def product(a, b, transpose_a=False, transpose_b=False):
        with tf.control_dependencies(work[-1:]):
            work.append(tf.matmul(a, b, transpose_a, transpose_b))

    net = [
        (_matrix(rows, n_in), _matrix(n_in, n_out), _matrix(rows, n_out))
        for _, (n_in, n_out) in layers(config)
    ]
    for h, kernel, _ in net:
        product(h, kernel)
    for number, (h, kernel, gradient) in reversed(list(enumerate(net))):
        product(h, gradient, transpose_a=True)
        if number:
            product(gradient, kernel, transpose_b=True)
    for number, (_, (n_in, n_out)) in enumerate(layers(config)):
        shapes += [(rows, n_in, n_out)] * (3 if number else 2)
    return shapes, work


def _matrix(rows, columns):
    return tf.Variable(tf.random_normal([rows, columns]))
