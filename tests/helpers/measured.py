"""What training and inference give on this process's ZhuSuan, number by number.

    ZHUSUAN=real make env && .venv/bin/python tests/helpers/measured.py

records `zhusuan-0.4.0.npz` from the real ZhuSuan. Every implementation is compared with
it, on both TensorFlows, whether the real one is installed or not.
"""

import dataclasses
import hashlib
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
import tiny

from cvae import model, zs
from cvae.backend import compat, stateless
from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.inference.trained import Model
from cvae.storage import npz
from cvae.training import schedule
from cvae.training.step import Trainer

RECORD = Path(__file__).resolve().parent / "zhusuan-0.4.0.npz"
STEPS, PARTICLES, N_IMAGES = 200, 50, 10

# Images of 8 x 8 pixels, so that all weights are a few kilobytes.
_SMALL = {"x_dim": 64, "hidden": (4,), "z_dim": 2, "film": True, "learning_rate": 5e-3}
CONFIGS = {
    "dense": dataclasses.replace(tiny.CONFIG, **_SMALL),
    "conv": dataclasses.replace(tiny.CONV, channels=(2, 3), **_SMALL),
}


def measure(config, data):
    """Return what must not depend on the implementation, name to array.

    Weights and gradients are one vector each, in the order of the variables' names.
    `start` is the SHA-256 of those names, and of the initial weights' shapes and bits.
    """
    order = schedule.order(0, STEPS, len(data.train.images), config)
    rates = np.full(STEPS, config.learning_rate, np.float32)
    with Trainer(config, data.train) as trainer:
        start = trainer.averages()
        bounds = trainer.steps(0, order, rates)
        weights = trainer.averages()
    bits = binarize(data.test.images[:N_IMAGES])
    labels = data.test.labels[:N_IMAGES]
    bound, gradient = _bound_and_gradient(config, weights, bits, labels)
    with Model(config, weights) as trained:
        mean, _ = trained.encode(bits, labels)
        return {
            "start": np.array(_checksum(start)),
            "bounds": bounds,
            "weights": _vector(weights),
            "bound": bound,
            "gradient": gradient,
            "samples": trained.decode(labels, mean),
            "log_likelihood": trained.log_likelihood(bits, labels, PARTICLES),
        }


def images(whole):
    """The tiny data set in 8 x 8 pixels: the middle of each image, 3 x 3 to one."""
    data = tiny.dataset(whole)

    def shrunk(split):
        middle = split.images.reshape(-1, 28, 28)[:, 2:26, 2:26]
        means = middle.reshape(-1, 8, 3, 8, 3).mean((2, 4))
        return split._replace(images=means.astype(np.uint8).reshape(-1, 64))

    return data._replace(train=shrunk(data.train), test=shrunk(data.test))


def record(whole):
    """Write `RECORD`, which must come from the real ZhuSuan."""
    found = {"implementation": np.array(zs.IMPLEMENTATION)}
    for net, config in CONFIGS.items():
        for name, array in measure(config, images(whole)).items():
            found[f"{net}/{name}"] = array
    npz.write_arrays(RECORD, found)


def _checksum(weights):
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _vector(weights):
    return np.concatenate([weights[name].ravel() for name in sorted(weights)])


def _bound_and_gradient(config, weights, bits, labels):
    """The bound of each image, from one draw of z, and the gradient of its mean."""
    with compat.new_graph(), tf.Session() as session:
        x, y = tf.cast(bits, tf.float32), tf.one_hot(labels, config.n_classes)
        nets, key = model.build_networks(config), stateless.key(5, 0, "posterior")
        bound = model.lower_bound(nets, x, y, key, config)
        cost = tf.reduce_mean(bound.sgvb())
        variables = {v.op.name: v for v in tf.trainable_variables()}
        slopes = dict(zip(variables, tf.gradients(cost, list(variables.values()))))
        compat.load(session, variables, weights)
        bound, slopes = session.run([bound.tensor, slopes])
    return bound, _vector(slopes)


if __name__ == "__main__":
    if zs.IMPLEMENTATION != "ZhuSuan 0.4.0":
        sys.exit("error: this is not ZhuSuan 0.4.0; run `ZHUSUAN=real make env`")
    record(mnist.load("mnist"))
