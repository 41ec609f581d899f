"""The homework's model against equation (1) in NumPy."""

import dataclasses

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny

from cvae.backend import compat, stateless
from cvae.config import Config
from cvae.model import build_generator, build_networks, build_variational, lower_bound

CONFIG = Config(n_classes=3, x_dim=12, z_dim=4, hidden=(7, 6), film=True)
N, PARTICLES = 5, 2


@pytest.fixture(scope="module")
def world():
    """Bits, labels, z and weights, fixed, of order one."""
    random = np.random.RandomState(1)
    return {
        "x": random.randint(0, 2, (N, 12)).astype(np.float32),
        "labels": random.randint(0, 3, N),
        "z": random.standard_normal((PARTICLES, N, 4)).astype(np.float32),
        "weights": tiny.random_weights(tiny.shapes(CONFIG)),
    }


def _evaluate(world, build):
    """Run what `build(generator, variational, bound)` returns, on `world`."""
    with tf.Graph().as_default():
        x = tf.constant(world["x"])
        y = tf.one_hot(world["labels"], 3)
        nets, key = build_networks(CONFIG), stateless.key(0, 0, "posterior")
        fetches = build(
            build_generator(nets, N, CONFIG, PARTICLES),
            build_variational(nets, x, y, key, CONFIG, PARTICLES),
            lower_bound(nets, x, y, key, CONFIG, PARTICLES),
        )
        with tf.Session() as session:
            variables = {v.op.name: v for v in tf.global_variables()}
            compat.load(session, variables, world["weights"])
            return session.run(fetches)


def _given(world, *names):
    """The values of nodes in `world`, as constants of the graph."""
    y = reference.one_hot(world["labels"], 3).astype(np.float32)
    values = {"x": world["x"], "y": y, "z": world["z"]}
    return {name: tf.constant(values[name]) for name in names}


def test_the_variables_are_those_of_the_two_networks_and_no_others():
    with tf.Graph().as_default():
        x, y = tf.zeros([N, 12]), tf.zeros([N, 3])
        nets = build_networks(CONFIG)
        build_generator(nets, N, CONFIG).observe(x=x, y=y)
        build_variational(
            nets, x, y, stateless.key(0, 0, "posterior"), CONFIG
        ).observe()
        found = {v.op.name: tuple(v.shape.as_list()) for v in tf.global_variables()}
    assert found == tiny.shapes(CONFIG)


def test_each_conditional_is_that_of_equation_1(world):
    def build(generator, variational, bound):
        bn = generator.observe(**_given(world, "x", "y", "z"))
        return bn.cond_log_prob(["x", "z", "y"])

    log_px, log_pz, log_py = _evaluate(world, build)
    expected = reference.log_weights(
        world["x"], world["labels"], world["z"], world["weights"], 3, 2
    )
    np.testing.assert_allclose(log_px, expected[0], rtol=1e-5)
    np.testing.assert_allclose(log_pz, expected[1], rtol=1e-5)
    np.testing.assert_allclose(log_py, np.full(N, -np.log(3.0)), rtol=1e-6)


def test_q_is_the_gaussian_of_the_encoder_of_x_and_y(world):
    def build(generator, variational, bound):
        bn = variational.observe(z=tf.constant(world["z"]))
        return bn.cond_log_prob("z")

    expected = reference.log_weights(
        world["x"], world["labels"], world["z"], world["weights"], 3, 2
    )[2]
    np.testing.assert_allclose(_evaluate(world, build), expected, rtol=1e-5)


def test_the_elbo_is_the_homeworks_bound_with_log_pi(world):
    def build(generator, variational, bound):
        return bound.tensor, bound.sgvb(), bound.variational["z"].tensor

    elbo, cost, z = _evaluate(world, build)
    log_px, log_pz, log_qz = reference.log_weights(
        world["x"], world["labels"], z, world["weights"], 3, 2
    )
    expected = (log_px + log_pz - log_qz).mean(0) - np.log(3.0)
    np.testing.assert_allclose(elbo, expected, rtol=1e-5)
    np.testing.assert_allclose(cost, -expected, rtol=1e-5)


def test_x_mean_is_the_sigmoid_of_the_logits_of_y_and_z(world):
    def build(generator, variational, bound):
        return generator.observe(**_given(world, "y", "z"))["x_mean"]

    y = np.broadcast_to(reference.one_hot(world["labels"], 3), (PARTICLES, N, 3))
    expected = reference.decode(y, world["z"], world["weights"], 2)
    np.testing.assert_allclose(_evaluate(world, build), expected, rtol=1e-5)


def test_unobserved_nodes_draw_one_hot_y_and_binary_x_with_particles_first(world):
    def build(generator, variational, bound):
        bn = generator.observe()
        return bn["y"].tensor, bn["z"].tensor, bn["x"].tensor

    y, z, x = _evaluate(world, build)
    assert y.shape == (N, 3) and (y.sum(1) == 1).all() and set(y.ravel()) == {0, 1}
    assert z.shape == (PARTICLES, N, 4)
    assert x.shape == (PARTICLES, N, 12) and set(x.ravel()) <= {0, 1}


def test_the_log_likelihood_sums_to_one_over_all_images_of_a_tiny_model():
    config = Config(n_classes=2, x_dim=6, z_dim=2, hidden=(5,))
    images = np.array(np.meshgrid(*[[0.0, 1.0]] * 6)).reshape(6, -1).T
    z = np.random.RandomState(0).standard_normal((3, 1, 2)).astype(np.float32)
    with tf.Graph().as_default():
        y = tf.one_hot(np.ones(len(images), int), 2)
        given = tf.constant(np.broadcast_to(z, (3, len(images), 2)))
        generator = build_generator(build_networks(config), len(images), config, 3)
        bn = generator.observe(x=tf.constant(images, tf.float32), y=y, z=given)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log_px = session.run(bn.cond_log_prob("x"))
    np.testing.assert_allclose(np.exp(log_px).sum(1), np.ones(3), rtol=1e-5)


def _gradient_of_encoder(world, path_derivative, z_key):
    """Gradient of the mean SGVB cost by the encoder's heads, and z."""
    config = dataclasses.replace(CONFIG, path_derivative=path_derivative)
    with tf.Graph().as_default():
        x, y = tf.constant(world["x"]), tf.one_hot(world["labels"], 3)
        key = stateless.key(0, z_key, "posterior")
        bound = lower_bound(build_networks(config), x, y, key, config, 2000)
        mean = bound.variational["z"].dist.mean
        gradient = tf.gradients(tf.reduce_mean(bound.sgvb()), mean)
        with tf.Session() as session:
            variables = {v.op.name: v for v in tf.global_variables()}
            compat.load(session, variables, world["weights"])
            return session.run(gradient)[0]


def test_the_path_derivative_changes_the_gradients_noise_but_not_its_mean(world):
    with_score = _gradient_of_encoder(world, False, 0)
    without = _gradient_of_encoder(world, True, 0)
    again = _gradient_of_encoder(world, False, 1)
    noise = np.abs(with_score - again).mean()
    assert 0 < np.abs(with_score - without).mean() < 5 * noise
    assert noise < 0.2 * np.abs(with_score).mean()
