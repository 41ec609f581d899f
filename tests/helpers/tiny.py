"""A model, data and runs small enough for a test to train in a second."""

import dataclasses
import functools

import numpy as np

from cvae.config import Config
from cvae.data import mnist as mnist_module
from cvae.data.dataset import Split

CONFIG = Config(
    hidden=(32,),
    z_dim=5,
    batch_size=50,
    learning_rate=2e-3,
    warmup=0,
    weight_decay=0.0,
    epochs=4.0,
    minutes=None,
    evaluate_every=2,
)
SCRIPTS = {"hidden": [32], "z_dim": 5, "batch_size": 200}  # of scripts that tests start
OPTIONS = "--hidden 32 --z-dim 5 --batch-size 200".split()  # the same, for train.py
UNTRAINED = Config(hidden=(20, 15), z_dim=6)  # of the weights of `random_weights`
CONV = dataclasses.replace(CONFIG, network="conv", channels=(4, 8))


def dataset(mnist, n_train=600, n_test=200):
    """The first images of a data set, as a data set of its own."""
    (images, labels), test = mnist.train, mnist.test
    return mnist._replace(
        train=Split(images[:n_train], labels[:n_train]),
        test=Split(test.images[:n_test], test.labels[:n_test]),
    )


@functools.lru_cache(maxsize=1)
def whole(mnist_dir):
    """The whole of MNIST, read and verified once a process and its forks."""
    return mnist_module.load("mnist", mnist_dir)


def random_weights(shapes, seed=0):
    """Weights of order one, so that nothing cancels: name to float32 array."""
    random = np.random.RandomState(seed)
    return {
        name: (
            random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1] or shape))
        ).astype(np.float32)
        for name, shape in sorted(shapes.items())
    }


def shapes(config):
    """Return the variables of an MLP by name, as shapes, written independently."""
    encoder = [config.x_dim + config.n_classes] + list(config.hidden)
    decoder = [config.n_classes + config.z_dim] + list(config.hidden[::-1])
    layers = {
        "q_net/z_heads": (config.hidden[-1], 2 * config.z_dim),
        "gen/x_logits": (config.hidden[0], config.x_dim),
    }
    for scope, sizes in (("q_net", encoder), ("gen", decoder)):
        for i, pair in enumerate(zip(sizes, sizes[1:]), 1):
            layers[f"{scope}/hidden_{i}"] = pair
            if config.film:
                layers[f"{scope}/class_{i}"] = (config.n_classes, 2 * pair[1])
    result = {}
    for name, (n_in, n_out) in layers.items():
        result[name + "/kernel"] = (n_in, n_out)
        result[name + "/bias"] = (n_out,)
    return result
