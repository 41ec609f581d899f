"""The homework's model: class-conditional VAE.

    y       ~ Discrete(π),  π_j = 1/K                    j = 1..K
    z       ~ N(0, I_d)                                                (1)
    x | y,z ~ Bernoulli(NN_θ(y, z))                      x in {0, 1}^784

the variational posterior q_φ(z | x, y) = N(z | μ_φ(x, y), diag σ²_φ(x, y)), and the
lower bound that training maximizes in θ and φ

    log p(x, y) ≥ E_q[log p(x | y, z) + log p(z) - log q(z | x, y)] + log π_y.   (2)
"""

from typing import Callable, NamedTuple, Union

import tensorflow.compat.v1 as tf

from cvae import networks, zs
from cvae.backend.stateless import StatelessNormal
from cvae.config import Config


class Networks(NamedTuple):
    """NN_θ and the encoder as functions; the nets that call them share θ and φ."""

    decoder: Callable  # y [n, K], z [..., n, d] to the logits of x [..., n, x_dim]
    encoder: Callable  # x [n, x_dim], y [n, K] to mean and logstd of z, [n, d] each


def build_networks(config: Config) -> Networks:
    """Return networks with one θ and one φ, however often the caller calls them."""

    @zs.reuse_variables(scope="gen")
    def decoder(y, z):
        return networks.decoder(y, z, config)

    @zs.reuse_variables(scope="q_net")
    def encoder(x, y):
        return networks.encoder(x, y, config)

    return Networks(decoder, encoder)


@zs.meta_bayesian_net()
def build_generator(
    nets: Networks, n: Union[int, tf.Tensor], config: Config, n_particles: int = 1
) -> zs.BayesianNet:
    """Build p(x, y, z) for `n` images; x and z have `n_particles` on axis 0."""
    bn = zs.BayesianNet()
    uniform = tf.zeros([n, config.n_classes])
    y = bn.onehot_categorical("y", uniform, dtype=tf.float32)  # [n, K]
    origin = tf.zeros([n, config.z_dim])
    z = bn.normal("z", origin, std=1.0, group_ndims=1, n_samples=n_particles)
    logits = nets.decoder(y, z)  # [particles, n, x_dim]
    bn.deterministic("x_mean", tf.sigmoid(logits))
    bn.bernoulli("x", logits, group_ndims=1, dtype=tf.float32)
    return bn


@zs.meta_bayesian_net()
def build_variational(
    nets: Networks,
    x: tf.Tensor,
    y: tf.Tensor,
    draw_key: tf.Tensor,
    config: Config,
    n_particles: int = 1,
) -> zs.BayesianNet:
    """Build q(z | x, y); x is `[n, x_dim]`, y one-hot `[n, K]`, z `[particles, n, d]`.

    Samples are keyed by `draw_key` (int64 `[2]`, see `cvae.backend.stateless.key`).
    """
    bn = zs.BayesianNet()
    mean, logstd = nets.encoder(x, y)  # [n, d] each
    posterior = StatelessNormal(
        mean,
        logstd,
        draw_key,
        group_ndims=1,
        use_path_derivative=config.path_derivative,
    )
    bn.stochastic("z", posterior, n_samples=n_particles)
    return bn


def lower_bound(
    nets: Networks,
    x: tf.Tensor,
    y: tf.Tensor,
    draw_key: tf.Tensor,
    config: Config,
    n_particles: int = 1,
) -> "zs.variational.EvidenceLowerBoundObjective":
    """Return the bound (2) on log p(x, y) of each image, `[n]`, as ZhuSuan's objective.

    Arguments are those of `build_variational`. Its particles estimate the mean over q.
    """
    generator = build_generator(nets, y.shape[0], config, n_particles)
    variational = build_variational(nets, x, y, draw_key, config, n_particles).observe()
    return zs.variational.elbo(
        generator, {"x": x, "y": y}, variational=variational, axis=0
    )
