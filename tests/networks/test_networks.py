"""NN_θ and the encoder against NumPy in float64, for both kinds of network."""

import dataclasses

import numpy as np
import pytest
import reference
import reference_conv
import tensorflow.compat.v1 as tf
import tiny

from cvae import config as config_room
from cvae import networks
from cvae.backend import compat
from cvae.config import Config
from cvae.errors import CvaeError

CONV = Config(
    n_classes=3,
    x_dim=144,
    z_dim=4,
    network="conv",
    hidden=(9, 8),
    channels=(5, 6),
    blocks=2,
    minutes=None,
)
N, PARTICLES = 4, 3


class World:
    """Both networks of a config, with weights of order one, on fixed inputs."""

    def __init__(self, config, bits=None):
        random = np.random.RandomState(3)
        self.config, self.bits = config, bits
        if bits is None:
            self.bits = random.randint(0, 2, (N, config.x_dim)).astype(np.float32)
        self.y = np.eye(config.n_classes, dtype=np.float32)[[0, 2, 1, 2]]
        shape = (PARTICLES, N, config.z_dim)
        self.z = random.standard_normal(shape).astype(np.float32)
        with tf.Graph().as_default() as graph:
            x, y, z = (tf.constant(v) for v in (self.bits, self.y, self.z))
            with tf.variable_scope("q_net"):
                self._heads = tf.concat(networks.encoder(x, y, config), -1)
            with tf.variable_scope("gen"):
                self._logits = networks.decoder(y, z, config)
            variables = tf.trainable_variables()
            self._variables = {v.op.name: v for v in variables}
            total = tf.reduce_sum(self._heads) + tf.reduce_sum(self._logits)
            self._gradients = tf.gradients(total, variables)
            self.session = tf.Session(graph=graph)
            self.session.run(tf.global_variables_initializer())
            self.initial = self.session.run(self._variables)
        shapes = {name: array.shape for name, array in self.initial.items()}
        self.weights = tiny.random_weights(shapes)

    def load(self, weights):
        compat.load(self.session, self._variables, weights)

    def outputs(self):
        return self.session.run([self._heads, self._logits])

    def gradients(self):
        return dict(zip(self._variables, self.session.run(self._gradients)))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "film"])
def conv(request):
    return World(dataclasses.replace(CONV, film=request.param))


def test_the_convolutional_networks_are_those_of_the_reference(conv):
    conv.load(conv.weights)
    heads, logits = conv.outputs()
    expected = reference_conv.heads(conv.bits, conv.y, conv.weights, conv.config)
    np.testing.assert_allclose(heads, expected, rtol=1e-4, atol=1e-4)
    for z, found in zip(conv.z, logits):
        expected = reference_conv.logits(conv.y, z, conv.weights, conv.config)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("film", [False, True])
def test_the_dense_networks_are_those_of_the_reference(film):
    config = dataclasses.replace(CONV, network="mlp", film=film)
    world = World(config)
    world.load(world.weights)
    heads, logits = world.outputs()
    mean, std = reference.encode(world.bits, world.y, world.weights, 2)
    expected = np.concatenate([mean, np.log(std)], 1)
    np.testing.assert_allclose(heads, expected, rtol=1e-4, atol=1e-4)
    y = np.broadcast_to(world.y, (PARTICLES,) + world.y.shape)
    expected = reference.decode(y, world.z, world.weights, 2)
    np.testing.assert_allclose(
        1.0 / (1.0 + np.exp(-np.float64(logits))), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("side", [9, 10, 11])
def test_padding_is_a_margin_of_zeros_that_no_logit_shows(side):
    """It is a larger image with a margin of 0.5, which the network scales to 0."""
    random = np.random.RandomState(4)
    bits = random.randint(0, 2, (N, side, side)).astype(np.float32)
    before = (12 - side) // 2
    inside = slice(before, before + side)
    padded = np.full((N, 12, 12), 0.5, np.float32)
    padded[:, inside, inside] = bits
    small = World(dataclasses.replace(CONV, x_dim=side**2), bits.reshape(N, -1))
    large = World(CONV, padded.reshape(N, -1))
    assert [a.shape for a in small.initial.values()] == [
        a.shape for a in large.initial.values()
    ]
    for world in (small, large):
        world.load(small.weights)
    heads, logits = small.outputs()
    expected, whole = large.outputs()
    whole = whole.reshape(PARTICLES, N, 12, 12)[..., inside, inside]
    assert (heads == expected).all()
    assert (logits == whole.reshape(logits.shape)).all()


def test_a_residual_block_adds_nothing_at_the_start(conv):
    last = [name for name in conv.initial if "conv_2" in name]
    assert len(last) == 2 * 2 * 2 * len(CONV.channels)  # kernel and bias of each block
    assert all((conv.initial[name] == 0.0).all() for name in last)


def test_kernels_start_within_glorots_limits_and_fill_them(conv):
    kernel = conv.initial["gen/up_2/double/kernel"]  # [3, 3, 6, 20]
    limit = (6.0 / (9 * (6 + 20))) ** 0.5
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.98 * limit
    assert abs(kernel.mean()) < 0.05 * limit


def test_the_memory_of_the_weights_is_that_of_the_model(conv, monkeypatch):
    size = 16 * sum(array.size for array in conv.initial.values())
    monkeypatch.setattr(config_room, "MAX_MODEL_BYTES", size)
    dataclasses.replace(conv.config)
    monkeypatch.setattr(config_room, "MAX_MODEL_BYTES", size - 1)
    with pytest.raises(CvaeError, match="weights"):
        dataclasses.replace(conv.config)


def test_every_weight_has_a_part_in_the_result(conv):
    conv.load(conv.weights)
    gradients = conv.gradients()
    still = [n for n, g in gradients.items() if g is None or not np.abs(g).max() > 0]
    assert still == []
