"""Muon (Jordan et al. 2024): steps along the orthogonal factor of the momentum.

Adam scales the step of each weight separately. But a kernel `[…, n_in, n_out]` acts as
a matrix, and a few strong directions dominate its gradient. The orthogonal factor has
the same length in every direction of the gradient.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from cvae.backend.resource import Variable
from cvae.networks.layers import is_kernel

MOMENTUM = 0.95
# Root mean square of a step over the rate, which makes rates those of Adam (Liu et al.
# 2025, "Muon is Scalable for LLM Training", section 2.2).
STEP = 0.2
# Coefficients of a polynomial (Jordan et al.): iterated, it moves singular values in
# (0, 1] towards 1.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
# The shorter side of a kernel that takes Muon's steps. Below, there are too few weights
# for a matrix; above, the orthogonal factor costs as much as the gradient.
SIDES = (16, 128)


def suits(name: str, shape: tf.TensorShape) -> bool:
    """Return whether a variable is a kernel whose shorter side lies in `SIDES`."""
    low, high = SIDES
    return is_kernel(name) and low <= min(_sides(shape)) <= high


def step(
    weight: Variable, gradient: tf.Tensor, momentum: Variable, rate: tf.Tensor
) -> tf.Operation:
    """Return the operation that takes a step of the kernel `weight`.

    Args:
        gradient: of the cost, of the kernel's shape.
        momentum: of the kernel's shape, zero at the start; the step changes it.
        rate: learning rate, a float32 scalar.
    """
    with tf.control_dependencies([gradient]):  # steps of a loop can overlap
        before = momentum.read()
    moved = momentum.assign(MOMENTUM * before + (1.0 - MOMENTUM) * gradient)
    with tf.control_dependencies([moved]):
        now = momentum.read()
    ahead = MOMENTUM * now + (1.0 - MOMENTUM) * gradient  # Nesterov's
    sides = _sides(weight.shape)
    along = orthogonal(tf.reshape(ahead, sides)) * (STEP * max(sides) ** 0.5)
    return weight.assign_sub(rate * tf.reshape(along, weight.shape))


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Return about U Vᵀ of the singular value decomposition U S Vᵀ of `matrix`.

    Singular values end between 0.7 and 1.2, if they are at least a thousandth of their
    root sum of squares. Each iterate is X p(XᵀX) with a polynomial p, so only the small
    square matrices are iterated, which is faster if the sides differ.

    Args:
        matrix: float32 `[m, n]`.
    """
    rows, columns = matrix.shape.as_list()
    if rows < columns:
        return tf.transpose(orthogonal(tf.transpose(matrix)))
    a, b, c = QUINTIC
    unit = tf.eye(columns)
    matrix = matrix / (tf.norm(matrix) + 1e-12)
    gram, factor = tf.matmul(matrix, matrix, transpose_a=True), unit
    for _ in range(ITERATIONS):
        quadratic = a * unit + b * gram + c * tf.matmul(gram, gram)
        factor = tf.matmul(factor, quadratic)
        gram = tf.matmul(tf.matmul(gram, quadratic), quadratic)
    return tf.matmul(matrix, factor)


def _sides(shape):
    """Return the sides of a kernel as a matrix: the window's size times n_in, n_out."""
    *window, n_out = shape.as_list()
    return [int(np.prod(window)), n_out]
