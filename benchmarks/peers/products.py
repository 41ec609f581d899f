"""Measure the float32 rate of TensorFlow: only matrix products and convolutions.

Without a size, a step is those of one training step, one after the other on all cores:
of each layer, those of FiLM too, of the gradient of its kernel, and of the gradient of
its input, if training needs it. With a size, a step is one product of square matrices
of that size.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from peers.nets import layers, step_flop


class Peer:
    """Products of one step, or of two square matrices."""

    def __init__(self, config, train, size):
        del train
        self.versions = ["TensorFlow " + tf.__version__]
        with tf.Graph().as_default() as graph:
            if size:
                self.flop = 2 * size**3
                work = [tf.matmul(_array(size, size), _array(size, size))]
            else:
                self.flop = step_flop(config)
                work = of_a_step(config)
            session = tf.Session(graph=graph)
            session.run(tf.global_variables_initializer())
            # All are fetched, as TensorFlow does not run others.
            self._step = session.make_callable([product.op for product in work])

    def run(self, n_steps):
        """Multiply; return no bounds."""
        for _ in range(n_steps):
            self._step()
        return np.empty(0)


def of_a_step(config):
    """Return the products and convolutions of a step, which run in order."""
    net = [(layer, *_arrays(layer, config.batch_size)) for layer in layers(config)]
    work = []
    for layer, h, kernel, _ in net:
        with tf.control_dependencies(work[-1:]):
            work.append(_forward(layer, h, kernel))
    for layer, *arrays in reversed(net):
        for gradient in (_of_kernel, _of_input)[: 1 + layer.back]:
            with tf.control_dependencies(work[-1:]):
                work.append(gradient(layer, *arrays))
    return work


def _arrays(layer, rows):
    """Return input and kernel of a layer, and a gradient of its output."""
    *window, n_in, n_out = layer.kernel
    read, made = [], []
    if window:
        read, made = [layer.side * layer.stride] * 2, [layer.side] * 2
    shapes = (rows, *read, n_in), layer.kernel, (rows, *made, n_out)
    return [_array(*shape) for shape in shapes]


def _forward(layer, h, kernel):
    if len(layer.kernel) == 2:
        return tf.matmul(h, kernel)
    return tf.nn.conv2d(h, kernel, _strides(layer), "SAME")


def _of_kernel(layer, h, kernel, gradient):
    if len(layer.kernel) == 2:
        return tf.matmul(h, gradient, transpose_a=True)
    return tf.nn.conv2d_backprop_filter(
        h, layer.kernel, gradient, _strides(layer), "SAME"
    )


def _of_input(layer, h, kernel, gradient):
    if len(layer.kernel) == 2:
        return tf.matmul(gradient, kernel, transpose_b=True)
    return tf.nn.conv2d_backprop_input(
        h.shape.as_list(), kernel, gradient, _strides(layer), "SAME"
    )


def _strides(layer):
    return [1, layer.stride, layer.stride, 1]


def _array(*shape):
    return tf.Variable(tf.random_normal(shape))
