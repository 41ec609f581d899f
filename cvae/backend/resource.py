"""Variables as plain operations, on both stacks.

To make a `tf.Variable` takes several times as long, and a trainer has four variables
for each weight.
"""

import tensorflow.compat.v1 as tf


class Variable:
    """A float32 variable of the default graph.

    Args:
        name: as it stands in a checkpoint.
        initial: its first value. `compat.load` feeds another one.
    """

    def __init__(self, name: str, initial: tf.Tensor):
        self.name, self.shape, self.dtype = name, initial.shape, initial.dtype
        self.handle = tf.raw_ops.VarHandleOp(
            dtype=self.dtype, shape=self.shape, shared_name=name, name=name
        )
        # A tensor of its own, so that two variables that start alike are loaded apart.
        self.initial = tf.placeholder_with_default(initial, self.shape)
        self.initializer = self.assign(self.initial)
        self.value = self.read()  # between calls of the session

    def read(self) -> tf.Tensor:
        """Return the value after the operations that control dependencies name."""
        # Named as `tf.Variable` names it: today's rounding of sums depends on names.
        value = tf.raw_ops.ReadVariableOp(
            resource=self.handle, dtype=self.dtype, name="Read/ReadVariableOp"
        )
        value.set_shape(self.shape)
        return value

    def assign(self, value: tf.Tensor) -> tf.Operation:
        """Return the operation that replaces the value."""
        return tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)

    def assign_sub(self, value: tf.Tensor) -> tf.Operation:
        """Return the operation that subtracts from the value."""
        return tf.raw_ops.AssignSubVariableOp(resource=self.handle, value=value)
