"""Graphs and sessions that act the same on both stacks: TensorFlow 1.15 and today's.

The package builds graphs through `tensorflow.compat.v1`, which both have. 1.15 is the
reference.
"""

import contextlib
import functools
import os
from typing import Dict, Iterator, Optional

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.util import deprecation

from cvae.errors import CvaeError

VERSION = tf.__version__


@contextlib.contextmanager
def new_graph() -> Iterator[tf.Graph]:
    """Make an empty graph the default one while it is built, with loops as in 1.15.

    Today's loops are functions. Adam's variables would be named after them, and one
    stack could not read a checkpoint of the other. They are also some 5 % slower here.
    """
    _absorb_first_note()
    functional = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    try:
        # 1.15 inspects the arguments of each operation for a warning that nobody sees.
        with deprecation.silence(), tf.Graph().as_default() as graph:
            yield graph
    finally:
        if functional:
            tf.enable_control_flow_v2()


@contextlib.contextmanager
def open_session(
    graph: tf.Graph, config: Optional[tf.ConfigProto] = None, brief: bool = False
) -> Iterator[tf.Session]:
    """Open a session on `graph`; close it only if the body raises.

    A constructor calls in the body whatever may fail, and keeps the session. With
    `brief`, 1.15 optimizes the graph once instead of twice: a training takes its first
    step sooner, and no step is slower. On today's TensorFlow, rounding depends on it.
    """
    settings = tf.ConfigProto()
    # Grappler has optimized the graph before: the older optimizer takes only time.
    settings.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    grappler = settings.graph_options.rewrite_options
    grappler.memory_optimization = grappler.NO_MEM_OPT  # plans swaps to a GPU's host
    if brief and VERSION.startswith("1."):
        grappler.meta_optimizer_iterations = grappler.ONE
    settings.MergeFrom(config or tf.ConfigProto())
    session = tf.Session(graph=graph, config=settings)
    try:
        yield session
    except BaseException:
        session.close()
        raise


def load(
    session: tf.Session,
    variables: Dict[str, tf.Variable],
    arrays: Dict[str, np.ndarray],
) -> None:
    """Give each of `variables`, by name, the array of that name.

    Raises:
        CvaeError: the arrays are those of another architecture, or of another type.
    """
    for name, variable in variables.items():
        shape = variable.shape.as_list()
        found = list(np.shape(arrays[name])) if name in arrays else "missing"
        if found != shape:
            raise CvaeError(
                f"{name} is {found} in the checkpoint, {shape} in this model: the "
                "checkpoint is of another architecture; choose the model's own run"
            )
        kind = np.asarray(arrays[name]).dtype
        if kind.kind != np.dtype(variable.dtype.as_numpy_dtype).kind:
            raise CvaeError(
                f"{name} is of type {kind} in the checkpoint, and the model's is "
                f"{variable.dtype.name}: choose another checkpoint"
            )
    # One call, of what `variable.load` feeds: each call costs some milliseconds, and
    # outside of the variable's graph today's TensorFlow cannot load it.
    initializers = {name: v.initializer for name, v in variables.items()}
    feed = {op.inputs[1]: arrays[name] for name, op in initializers.items()}
    session.run(list(initializers.values()), feed)


@functools.lru_cache(maxsize=None)
def _absorb_first_note():
    """Open today's first session of this process with stderr closed.

    It writes a note on compilers to stderr, whatever the log level, and an error has
    to be one line.
    """
    if VERSION.startswith("1."):
        return
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with tf.Graph().as_default(), tf.Session() as session:
            session.run(tf.constant(0))
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
