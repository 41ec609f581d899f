"""Muon against NumPy: textbook iterations in float64, and the SVD itself."""

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny

from cvae.backend.resource import Variable
from cvae.config import preset
from cvae.model import build_networks
from cvae.training import muon, schedule
from cvae.training.step import Trainer

CONFIG = dataclasses.replace(tiny.CONV, optimizer="muon", channels=(16, 8))
SUITED = {  # those with 16 to 128 rows or columns, whichever are fewer
    "q_net/down_1/halve/kernel": (25, 16),
    "q_net/down_1/block_1/conv_1/kernel": (9 * 16, 16),
    "q_net/down_1/block_1/conv_2/kernel": (9 * 16, 16),
    "q_net/hidden_1/kernel": (7 * 7 * 8 + 10, 32),
    "gen/unfold/kernel": (32, 7 * 7 * 8),
    "gen/up_2/double/kernel": (9 * 8, 4 * 16),
    "gen/up_1/block_1/conv_1/kernel": (9 * 16, 16),
    "gen/up_1/block_1/conv_2/kernel": (9 * 16, 16),
}


def textbook(matrix):
    """The quintic iteration as it is written: X <- a X + (b A + c A²) X, A = X Xᵀ."""
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def run(made):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(made())


@pytest.mark.parametrize("shape", [(90, 20), (20, 90), (30, 30)])
def test_the_orthogonal_factor_is_the_textbooks_and_near_the_svds(shape):
    matrix = np.random.RandomState(0).standard_normal(shape)
    found = run(lambda: muon.orthogonal(tf.constant(matrix, tf.float32)))
    np.testing.assert_allclose(found, textbook(matrix), atol=2e-4)
    u, _, v = np.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ found @ v.T  # would be the identity
    values = np.diag(inner)
    np.testing.assert_allclose(inner, np.diag(values), atol=1e-3)
    assert values.min() > 0.65 and values.max() < 1.25


def test_a_gradient_of_zero_moves_nothing():
    found = run(lambda: muon.orthogonal(tf.zeros([8, 4])))
    np.testing.assert_array_equal(found, np.zeros((8, 4)))


def test_two_steps_are_those_of_numpy_with_nesterovs_momentum():
    random = np.random.RandomState(1)
    start, *gradients = random.standard_normal((3, 3, 3, 4, 20))

    with tf.Graph().as_default(), tf.Session() as session:
        kernel = Variable("kernel", tf.constant(start, tf.float32))
        momentum = Variable("momentum", tf.zeros(start.shape))
        fed = tf.placeholder(tf.float32, start.shape)
        step = muon.step(kernel, fed, momentum, tf.constant(0.1))
        session.run([kernel.initializer, momentum.initializer])
        for gradient in gradients:
            session.run(step, {fed: gradient})
        found = session.run(kernel.value)
    expected, momentum = start.reshape(36, 20), 0.0
    for gradient in gradients:
        gradient = gradient.reshape(36, 20)
        momentum = 0.95 * momentum + 0.05 * gradient
        ahead = 0.95 * momentum + 0.05 * gradient
        expected = expected - 0.1 * 0.2 * np.sqrt(36) * textbook(ahead)
    np.testing.assert_allclose(found.reshape(36, 20), expected, atol=1e-4)


@pytest.fixture(scope="module")
def train(mnist):
    return tiny.dataset(mnist).train


@pytest.fixture(scope="module")
def trainer(train):
    with Trainer(CONFIG, train) as trainer:
        yield trainer


def test_kernels_whose_shorter_side_is_in_its_range_are_its_own_and_no_others(trainer):
    """The first step moves those by a known mean square, the rest as Adam does."""
    rate, before = 1e-3, trainer.state()
    trainer.steps(0, schedule.order(0, 1, 600, CONFIG), np.full(1, rate, np.float32))
    after = trainer.state()
    trainer.restore(before)
    with tf.Graph().as_default():
        names = {variable.op.name for variable in build(CONFIG)}
    assert SUITED.keys() < names
    assert {name for name in names if f"{name}/Muon" in after} == SUITED.keys()
    assert {name for name in names if f"{name}/Adam" in after} == names - SUITED.keys()
    for name in names:
        move = after[name] - before[name]
        if name not in SUITED:
            gradient = after[f"{name}/Adam"] / 0.1  # the first moment's, 1 - beta_1
            epsilon = 1e-8 / np.sqrt(0.001)  # of the root of the second's, 1 - beta_2
            expected = -rate * gradient / (np.abs(gradient) + epsilon)
            np.testing.assert_allclose(move, expected, rtol=1e-3, atol=1e-7)
        elif after[f"{name}/Muon"].any():  # behind a kernel of zeros nothing moves yet
            assert np.prod(SUITED[name]) == move.size
            values = np.linalg.svd(move.reshape(SUITED[name]), compute_uv=False)
            largest = rate * 0.2 * max(SUITED[name]) ** 0.5
            assert 0.6 * largest < values[0] < 1.3 * largest


def build(config):
    """Make the nets of `config`; return their variables."""
    nets, y = build_networks(config), tf.zeros([2, 10])
    mean, _ = nets.encoder(tf.zeros([2, 784]), y)
    nets.decoder(y, mean)
    return tf.trainable_variables()


def test_a_restored_state_continues_bit_for_bit(trainer):
    rates, ends = np.full(4, 1e-3, np.float32), []
    trainer.steps(0, schedule.order(0, 4, 600, CONFIG), rates)
    state = trainer.state()
    for _ in range(2):
        trainer.restore(state)
        trainer.steps(4, schedule.order(4, 4, 600, CONFIG), rates)
        ends.append(trainer.state())
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)


def test_the_preset_best_takes_it_for_its_convolutions():
    config = preset("best")
    assert config.optimizer == "muon"
    with tf.Graph().as_default():
        variables = build(config)
        names = {v.op.name for v in variables}
        suited = {v.op.name for v in variables if muon.suits(v.op.name, v.shape)}
    of_blocks = {n for n in names if "block_1/conv" in n and n.endswith("kernel")}
    assert len(of_blocks) == 8 and of_blocks < suited
    large = {"q_net/hidden_1/kernel", "gen/unfold/kernel"}
    assert large < names and not large & suited
