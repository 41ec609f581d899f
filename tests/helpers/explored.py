"""Runs with random weights, and the explorer's random numbers once more."""

import numpy as np
import tensorflow.compat.v1 as tf
import tiny

from cvae.model import build_networks
from cvae.runs.checkpoints import AVERAGE, Checkpoint, State
from cvae.runs.run import Run


def run(path, config):
    """Make a run at `path` with random weights, which half precision can hold."""
    found = Run.create(path, config)
    weights = tiny.random_weights(_shapes(config))
    arrays = {name + AVERAGE: half(array) for name, array in weights.items()}
    found.save_checkpoint(Checkpoint(arrays, State(1, [0, 0.0, 1])))
    return found


def half(array):
    return array.astype(np.float16).astype(np.float32)


def _shapes(config):
    with tf.Graph().as_default():
        nets, y = build_networks(config), tf.zeros([1, config.n_classes])
        nets.encoder(tf.zeros([1, config.x_dim]), y)
        nets.decoder(y, tf.zeros([1, config.z_dim]))
        return {v.op.name: v.shape.as_list() for v in tf.global_variables()}


def normals(seed, n):
    """The first draws of explorer/likelihood.js, for an even number `n`."""
    state = np.arange(1, n + 1, dtype=np.uint64) * 0x9E3779B9
    state = (state + (seed * 0x9E3779B1 & 0xFFFFFFFF)) & 0xFFFFFFFF
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        state = (state ^ (state >> np.uint64(shift))) * factor & 0xFFFFFFFF
    uniform = (state ^ (state >> np.uint64(16))) / 2.0**32
    radius, angle = np.sqrt(-2 * np.log1p(-uniform[::2])), 2 * np.pi * uniform[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
