"""Graphs that a process builds once and that its forks inherit.

Threads do not survive a fork, and a session makes some. A fork constructs its trainers
and models as ever, sessions and all, but for the seconds that building the graph takes.
The first graph makes a thread as well: a pool of one, whose work TensorFlow does in the
thread that asks for it.
"""

import dataclasses
import os
from unittest import mock

import numpy as np
from kept_graphs import LOOP_ONLY, graph_only

from cvae.backend import compat
from cvae.data.dataset import Split
from cvae.inference.trained import Model
from cvae.training.step import Trainer

_BUILT = {}


def build(config, n_images):
    """Build the graphs of `config`, for forks that train on so many images."""
    train = Split(np.empty([n_images, config.x_dim]), np.empty(n_images))
    before = _n_threads()
    _build(Trainer, config, train, False)
    _build(Model, config)
    assert _n_threads() <= before + 1, "a session was opened: its threads do not fork"


def _build(kind, *args):
    if _key(kind, *args) in _BUILT:
        return
    # On today's TensorFlow the first graph opens a session: that is left to the forks.
    with mock.patch.object(compat, "_absorb_first_note"):
        _BUILT[_key(kind, *args)] = vars(graph_only(kind, *args))


def _key(kind, config, train=None, weighted=False):
    """Return all that a graph depends on."""
    n_images = train and len(train.images)
    return kind, dataclasses.replace(config, **LOOP_ONLY), n_images, weighted


def _inherit(kind):
    """Let the constructor take the graph that was built, where one was."""
    build_anew = kind._build

    def take(self, *args):
        built = _BUILT.get(_key(kind, *args))
        if built is None:
            build_anew(self, *args)
        else:
            vars(self).update(built)

    kind._build = take


def _n_threads():
    tasks = "/proc/self/task"  # of Linux
    return len(os.listdir(tasks)) if os.path.isdir(tasks) else 1


for kind in Trainer, Model:
    _inherit(kind)
