"""The model once more, in float64 NumPy and SciPy, straight from equation (1).

Shares no code with the package: a second implementation to compare with.
"""

import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp


def swish(h):
    return h * expit(h)


def one_hot(labels, n_classes):
    return np.eye(n_classes)[labels]


def affine(h, weights, name):
    return h @ weights[name + "/kernel"] + weights[name + "/bias"]


def scale_shift(y, weights, name):
    """What the class makes of each unit: to multiply by, and to add."""
    scale, shift = np.split(affine(y, weights, name), 2, axis=-1)
    return 1.0 + scale, shift


def mlp(h, y, weights, scope, n_layers, head):
    """Where there are weights for it, the class scales and shifts the hidden units."""
    for i in range(1, n_layers + 1):
        h = affine(h, weights, f"{scope}/hidden_{i}")
        name = f"{scope}/class_{i}"
        if name + "/kernel" in weights:
            scale, shift = scale_shift(y, weights, name)
            h = scale * h + shift
        h = swish(h)
    return affine(h, weights, head)


def encode(bits, y, weights, n_layers):
    """Mean and standard deviation of q(z | x, y)."""
    inputs = np.concatenate([bits, y], 1)
    heads = mlp(inputs, y, weights, "q_net", n_layers, "q_net/z_heads")
    mean, logstd = np.split(heads, 2, axis=1)
    return mean, np.exp(logstd)


def decode(y, z, weights, n_layers):
    """Bernoulli means of x."""
    inputs = np.concatenate([y, z], -1)
    return expit(mlp(inputs, y, weights, "gen", n_layers, "gen/x_logits"))


def log_px(bits, means):
    return stats.bernoulli.logpmf(bits, means).sum(-1)


def log_weights(bits, labels, z, weights, n_classes, n_layers):
    """log p(x | y, z), log p(z), log q(z | x, y): each `[particles, n]`, z given."""
    y = one_hot(labels, n_classes)
    mean, std = encode(bits, y, weights, n_layers)
    y = np.broadcast_to(y, z.shape[:1] + y.shape)
    return (
        log_px(bits, decode(y, z, weights, n_layers)),
        stats.norm.logpdf(z).sum(-1),
        stats.norm.logpdf(z, mean, std).sum(-1),
    )


def log_mean_exp(values, axis):
    return logsumexp(values, axis) - np.log(values.shape[axis])
