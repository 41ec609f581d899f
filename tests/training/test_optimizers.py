"""The update of the weights, beside TensorFlow's own Adam."""

import dataclasses

import numpy as np
import tensorflow.compat.v1 as tf
import tiny

from cvae.backend import compat
from cvae.backend.resource import Variable
from cvae.training.optimizers import Optimizer

RATES = (1e-3, 2e-3, 5e-4)
CONFIG = dataclasses.replace(tiny.CONFIG, weight_decay=0.0)


def test_steps_are_those_of_tensorflows_own_adam_to_the_bit():
    random = np.random.RandomState(0)
    start, *gradients = random.standard_normal((1 + len(RATES), 30, 20))
    with compat.new_graph(), tf.Session() as session:
        rate, fed = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [30, 20])
        ours = Variable("net/kernel", tf.constant(start, tf.float32))
        optimizer = Optimizer({ours.name: ours}, CONFIG)
        step = optimizer.update([fed], tf.constant(0), tf.constant(0, tf.int64), rate)
        theirs = tf.get_variable(
            "theirs", initializer=tf.constant(start, tf.float32), use_resource=True
        )
        their_step = tf.train.AdamOptimizer(rate).apply_gradients([(fed, theirs)])
        session.run([v.initializer for v in optimizer.variables.values()])
        session.run(tf.global_variables_initializer())
        for gradient, value in zip(gradients, RATES):
            session.run([step, their_step], {fed: gradient, rate: value})
        found = session.run({n: v.value for n, v in optimizer.variables.items()})
        expected = {v.op.name: session.run(v) for v in tf.global_variables()}
    pairs = {
        "net/kernel": "theirs",
        "net/kernel/Adam": "theirs/Adam",
        "net/kernel/Adam_1": "theirs/Adam_1",
        "while/beta1_power": "beta1_power",
        "while/beta2_power": "beta2_power",
    }
    assert found.keys() == pairs.keys() | {"net/kernel/ExponentialMovingAverage"}
    for ours, theirs in pairs.items():
        np.testing.assert_array_equal(found[ours], expected[theirs], err_msg=ours)
    assert np.abs(found["net/kernel"] - start).min() > 0
