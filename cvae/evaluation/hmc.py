"""Run Hamiltonian Monte Carlo on p(z) p(x | y, z)^β, β rising or falling, in tensors.

The algorithm is that of Neal (2011), "MCMC using Hamiltonian dynamics". Momenta are
N(0, I) in coordinates that are scaled by the step of each dimension. This is a diagonal
mass matrix.
"""

from typing import Callable, NamedTuple, Tuple

import tensorflow.compat.v1 as tf


class Point(NamedTuple):
    """Positions z of chains, `[..., d]`, with log densities in nats, `[...]`.

    The slopes are gradients with respect to z, `[..., d]`.
    """

    z: tf.Tensor
    log_px: tf.Tensor  # log p(x | y, z)
    log_pz: tf.Tensor  # log p(z)
    slope_px: tf.Tensor
    slope_pz: tf.Tensor


class AnnealingPath(NamedTuple):
    """A sequence of moves; the first changes β from `betas[0]` to `betas[1]`."""

    betas: tf.Tensor  # float64 [moves + 1]
    steps: tf.Tensor  # [moves, d], leapfrog steps in units of z
    leapfrog_steps: int


class Move(NamedTuple):
    """The settings of one transition, without its random numbers."""

    beta: tf.Tensor  # scalar, the power of p(x | y, z)
    step: tf.Tensor  # [d], leapfrog step in units of z
    leapfrog_steps: int


def anneal(
    evaluate: Callable[[tf.Tensor], Point],
    start: Point,
    path: AnnealingPath,
    noise: Callable[[tf.Tensor], tf.Tensor],
) -> Tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Move chains from `start` along `path`.

    Args:
        evaluate: a function from z to `Point`.
        noise: a function from the number of a move to samples of N(0, 1), shaped
            `[..., d + 1]` for z of `[..., d]`.

    Returns:
        z at the end, the log-weights of the chains, and the acceptance rate of each
        move. The log-weight is Σ_j (β_{j+1} - β_j) log p(x | y, z_j), z_j before move
        j, in float64 (Neal 2001); its move is made at β_{j+1}.
    """
    betas, n_moves = tf.cast(path.betas, path.steps.dtype), tf.shape(path.steps)[0]

    def one_move(i, point, log_weights, rates):
        rise = path.betas[i + 1] - path.betas[i]
        log_weights += rise * tf.cast(point.log_px, tf.float64)
        draws = noise(tf.cast(i, tf.int64))
        uniform = 0.5 * tf.math.erfc(draws[..., -1] * 0.5**0.5)
        move = Move(betas[i + 1], path.steps[i], path.leapfrog_steps)
        point, accepted = transition(evaluate, point, move, draws[..., :-1], uniform)
        rate = tf.reduce_mean(tf.cast(accepted, tf.float64))
        return i + 1, point, log_weights, rates.write(i, rate)

    _, end, log_weights, rates = tf.while_loop(
        lambda i, *_: i < n_moves,
        one_move,
        (
            0,
            start,
            tf.zeros_like(start.log_px, tf.float64),
            tf.TensorArray(tf.float64, n_moves),
        ),
        parallel_iterations=1,
    )
    return end.z, log_weights, rates.stack()


def transition(
    evaluate: Callable[[tf.Tensor], Point],
    point: Point,
    move: Move,
    momentum: tf.Tensor,
    uniform: tf.Tensor,
) -> Tuple[Point, tf.Tensor]:
    """Make one move that is reversible with respect to p(z) p(x | y, z)^β.

    The proposal comes from `leapfrog`, which conserves volume and is its own inverse
    except for the sign of the momentum. Metropolis's rule accepts or rejects it. A
    proposal whose energy is not a number is rejected.

    Args:
        evaluate: a function from z to `Point`.
        momentum: samples of N(0, I), shaped as z.
        uniform: samples from [0, 1), one for each chain.

    Returns:
        The new point, and which chains accepted (bool).
    """

    def energy(at, momentum):
        kinetic = 0.5 * tf.reduce_sum(tf.square(momentum), -1)
        return kinetic - at.log_pz - move.beta * at.log_px

    proposal, end_momentum = leapfrog(evaluate, point, move, momentum)
    loss = energy(proposal, end_momentum) - energy(point, momentum)
    accepted = tf.log(uniform) < -loss

    along_z = accepted[..., None]
    masks = Point(along_z, accepted, accepted, along_z, along_z)
    return Point(*map(tf.where_v2, masks, proposal, point)), accepted


def leapfrog(
    evaluate: Callable[[tf.Tensor], Point],
    point: Point,
    move: Move,
    momentum: tf.Tensor,
) -> Tuple[Point, tf.Tensor]:
    """Integrate the dynamics for `move.leapfrog_steps`; return point and momentum.

    The potential energy is -log p(z) - β log p(x | y, z). Each step evaluates the
    model once.
    """

    def half_kick(at, momentum):
        force = at.slope_pz + move.beta * at.slope_px
        return momentum + 0.5 * move.step * force

    def one_step(i, at, momentum):
        momentum = half_kick(at, momentum)
        at = evaluate(at.z + move.step * momentum)
        return i + 1, at, half_kick(at, momentum)

    _, point, momentum = tf.while_loop(
        lambda i, *_: i < move.leapfrog_steps,
        one_step,
        (0, point, momentum),
        parallel_iterations=1,
    )
    return point, momentum
