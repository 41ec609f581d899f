"""Variables as plain operations, beside those of TensorFlow."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from cvae.backend import compat
from cvae.backend.resource import Variable
from cvae.errors import CvaeError

START = np.arange(6, dtype=np.float32).reshape(2, 3)


def _both():
    """A variable of ours and TensorFlow's own, of one start."""
    theirs = tf.get_variable("theirs", initializer=START, use_resource=True)
    return Variable("ours", tf.constant(START)), theirs


def test_it_is_assigned_and_read_as_tensorflows_own():
    with compat.new_graph(), tf.Session() as session:
        ours, theirs = _both()
        session.run([ours.initializer, theirs.initializer])
        first = session.run([ours.value, theirs])
        with tf.control_dependencies([ours.assign_sub(ours.read() * 0.5)]):
            halved = ours.read()
        with tf.control_dependencies([theirs.assign_sub(theirs * 0.5).op]):
            expected = theirs.read_value()
        second = session.run([halved, expected])
    np.testing.assert_array_equal(*first)
    np.testing.assert_array_equal(*second)
    np.testing.assert_array_equal(second[0], START / 2)


def test_two_that_start_alike_are_loaded_apart():
    with compat.new_graph(), tf.Session() as session:
        start = tf.constant(START)
        both = {name: Variable(name, start) for name in ("net/a", "net/b")}
        arrays = {"net/a": START + 1, "net/b": START + 2}
        compat.load(session, both, arrays)
        found = session.run({name: v.value for name, v in both.items()})
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_it_takes_no_array_of_another_shape():
    with compat.new_graph(), tf.Session() as session:
        ours, _ = _both()
        with pytest.raises(CvaeError, match="another architecture"):
            compat.load(session, {"ours": ours}, {"ours": START.T})
