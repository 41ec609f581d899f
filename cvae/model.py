"""The homework's model: class-conditional VAE.

    y       ~ Discrete(π),  π_j = 1/K                    j = 1..K
    z       ~ N(0, I_d)                                                (1)
    x | y,z ~ Bernoulli(NN_θ(y, z))                      x in {0, 1}^784

and the variational posterior q_φ(z | x, y) = N(z | μ_φ(x, y), diag σ²_φ(x, y)).
"""

import tensorflow.compat.v1 as tf

from cvae import networks, zs
from cvae.config import Config
from cvae.draws import StatelessNormal


@zs.meta_bayesian_net(scope="gen", reuse_variables=True)
def build_generator(n: tf.Tensor, config: Config, n_particles: int = 1):
    """p(x, y, z) for `n` images; x and z have `n_particles` on axis 0."""
    bn = zs.BayesianNet()
    uniform = tf.zeros([n, config.n_classes])
    y = bn.onehot_categorical("y", uniform, dtype=tf.float32)  # [n, K]
    origin = tf.zeros([n, config.z_dim])
    z = bn.normal("z", origin, std=1.0, group_ndims=1, n_samples=n_particles)
    logits = networks.decoder(y, z, config)  # [particles, n, x_dim]
    bn.deterministic("x_mean", tf.sigmoid(logits))
    bn.bernoulli("x", logits, group_ndims=1, dtype=tf.float32)
    return bn


@zs.meta_bayesian_net(scope="q_net", reuse_variables=True)
def build_variational(x, y, draw_key, config: Config, n_particles: int = 1):
    """q(z | x, y) for x `[n, x_dim]` and one-hot y `[n, K]`; z is `[particles, n, d]`.

    Samples are keyed by `draw_key` (int64 `[2]`, see `cvae.draws.key`).
    """
    bn = zs.BayesianNet()
    mean, logstd = networks.encoder(x, y, config)  # [n, d] each
    posterior = StatelessNormal(
        mean,
        logstd,
        draw_key,
        group_ndims=1,
        use_path_derivative=config.path_derivative,
    )
    bn.stochastic("z", posterior, n_samples=n_particles)
    return bn
