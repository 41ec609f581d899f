"""Hamiltonian Monte Carlo on targets that are known in closed form."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from scipy import stats

from cvae.evaluation.hmc import Move, Point, leapfrog, transition

BETA = 0.7


def evaluate(z):
    """N(0, I) times exp(-Σ z_d⁴ + z_0 z_1): neither Gaussian nor separable."""
    log_px = -tf.reduce_sum(z**4, -1) + z[..., 0] * z[..., -1]
    log_pz = -0.5 * tf.reduce_sum(tf.square(z), -1)
    return Point(z, log_px, log_pz, *tf.gradients(log_px, z), *tf.gradients(log_pz, z))


def follow(z, momentum, step, n_steps):
    """The leapfrog's end, and the energy there less that at the start."""
    with tf.Graph().as_default(), tf.Session() as session:
        start = evaluate(tf.constant(z))
        move = Move(BETA, np.array(step), n_steps)
        end, end_momentum = leapfrog(evaluate, start, move, tf.constant(momentum))
        parts = [start.log_px, start.log_pz, end.log_px, end.log_pz]
        (ax, az, bx, bz), q, p = session.run([parts, end.z, end_momentum])
    kinetic = 0.5 * (p**2 - momentum**2).sum(-1)
    return q, p, kinetic - (bz - az) - BETA * (bx - ax)


@pytest.fixture
def start():
    random = np.random.RandomState(0)
    return random.standard_normal((2, 50, 2))


def test_leapfrog_runs_back_when_the_momentum_is_turned(start):
    z, momentum = start
    q, p, _ = follow(z, momentum, [0.1, 0.2], 7)
    assert np.abs(q - z).max() > 0.5
    back, turned, _ = follow(q, -p, [0.1, 0.2], 7)
    np.testing.assert_allclose(back, z, atol=1e-9)
    np.testing.assert_allclose(turned, -momentum, atol=1e-9)


def test_leapfrog_conserves_volume(start):
    """The Jacobian of (z, p) -> (z', p'), by central differences, has determinant 1."""
    here = np.concatenate(start[:, 0])
    offsets = np.concatenate([np.eye(4), -np.eye(4)]) * 1e-5
    moved = here + offsets
    q, p, _ = follow(moved[:, :2], moved[:, 2:], [0.15, 0.25], 3)
    ends = np.concatenate([q, p], 1)
    jacobian = (ends[:4] - ends[4:]) / 2e-5
    assert np.abs(jacobian - np.eye(4)).max() > 0.3
    assert np.linalg.det(jacobian) == pytest.approx(1.0, abs=1e-6)


def test_leapfrog_conserves_energy_to_second_order(start):
    z, momentum = 0.5 * start
    errors = [
        np.abs(follow(z, momentum, [step, step], n)[2]).max()
        for step, n in ((0.02, 10), (0.01, 20))
    ]
    assert errors[1] == pytest.approx(errors[0] / 4, rel=0.05)


def chain(z, step, moves, n_steps=2, seed=0):
    """Where chains from `z` `[n, d]` are after `moves` transitions; acceptance rate."""
    random = np.random.RandomState(seed)
    with tf.Graph().as_default(), tf.Session() as session:
        fed_z, fed_momentum = (tf.placeholder(tf.float64, z.shape) for _ in "ab")
        fed_uniform = tf.placeholder(tf.float64, [len(z)])
        move, point = (
            Move(BETA, np.array([step] * z.shape[1]), n_steps),
            evaluate(fed_z),
        )
        end, accepted = transition(evaluate, point, move, fed_momentum, fed_uniform)
        momenta = random.standard_normal((moves,) + z.shape)
        uniforms, rates, carried = random.random_sample((moves, len(z))), [], None
        for momentum, uniform in zip(momenta, uniforms):
            feed = {fed_z: z, fed_momentum: momentum, fed_uniform: uniform}
            carried, moved = session.run([end, accepted], feed)
            z = carried.z
            rates.append(moved.mean())
        here = session.run(point, {fed_z: z})
    for found, expected in zip(carried, here):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    return z, np.mean(rates)


def target(z):
    """The density of one dimension, where z_0 z_1 is z²: normalized by quadrature."""
    return np.exp(-0.5 * z**2 + BETA * (z**2 - z**4)) / 2.6


def cdf():
    grid = np.linspace(-4.0, 4.0, 4001)
    density = target(grid)
    mass = np.cumsum(density) - 0.5 * (density + density[0])  # the trapezoidal rule
    return grid, mass / mass[-1]


@pytest.mark.parametrize("step", [0.4, 0.9])
def test_transitions_leave_the_target_as_it_is_even_with_coarse_steps(step):
    grid, mass = cdf()
    n = 20000
    exact = np.interp((np.arange(n) + 0.5) / n, mass, grid)[:, None]
    z, rate = chain(exact, step, moves=4)
    assert np.abs(z - exact).mean() > 0.3, "the chains must have moved"
    assert 0.3 < rate < 0.97
    distance = stats.kstest(z[:, 0], lambda at: np.interp(at, grid, mass)).statistic
    assert distance < 1.95 / np.sqrt(n)  # one in a thousand


def test_transitions_lead_to_the_target_from_elsewhere():
    grid, mass = cdf()
    n = 20000
    z, _ = chain(np.full((n, 1), 1.2), 0.4, moves=15)
    distance = stats.kstest(z[:, 0], lambda at: np.interp(at, grid, mass)).statistic
    assert distance < 1.95 / np.sqrt(n)


def test_a_rejected_chain_stays_where_it_is():
    z = np.linspace(-1.0, 1.0, 40).reshape(20, 2)
    moved, rate = chain(z, step=1e200, moves=1)  # the energy is not a number
    assert rate == 0.0
    np.testing.assert_array_equal(moved, z)
