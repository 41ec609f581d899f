"""Run the same training in JAX: XLA compiles the whole step, whose state is donated.

The step computes the new weights from the image numbers of the batch. Without `scan`, a
call is one step; with it, a call is a `lax.scan` of 16 steps, as in "ours". Adam is
written out, as the usual library (Optax) compiles to the same code. Images stay an
array of uint8, and convolutions are `[n, side, side, channels]`. In a scan they took
XLA over ten times as long as in a step of its own, so they have no row with `scan`. All
cores are used, which is the default.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers import BLOCK, shuffled
from peers.nets import initial_weights

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
ACTIVATIONS = {"relu": jax.nn.relu, "swish": jax.nn.silu}


class Peer:
    """One step in a call, or a scan of `BLOCK` steps."""

    flop = None

    def __init__(self, config, train, scan):
        self.versions = ["JAX " + jax.__version__]
        random = np.random.RandomState(config.seed)
        self._order = shuffled(len(train.images), config.batch_size, random)
        self._data = jnp.asarray(train.images), jnp.asarray(train.labels)
        self._state = _initial(config)
        step = _step(config)
        self._call = jax.jit(_scanned(step) if scan else step, donate_argnums=0)
        self._block = BLOCK if scan else None

    def run(self, n_steps):
        """Take `n_steps` steps, a multiple of `BLOCK`; return their bounds."""
        bounds = []
        for _ in range(n_steps // (self._block or 1)):
            chosen = next(self._order)
            if self._block:
                rest = [next(self._order) for _ in range(self._block - 1)]
                chosen = np.stack([chosen, *rest])
            self._state, bound = self._call(self._state, chosen, self._data)
            bounds.append(bound)
        return np.ravel([np.asarray(bound) for bound in bounds])

    def weights(self):
        """Return the weights by the names of `cvae.model`'s variables."""
        return {name: np.asarray(array) for name, array in self._state[0].items()}


def _initial(config):
    """Return weights, Adam's two moments, the number of the step, the random key."""
    weights = jax.tree.map(jnp.asarray, initial_weights(config))
    moments = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
    return (weights, *moments, jnp.zeros(()), jax.random.key(config.seed))


def mean_bound(weights, x, y, noise, config):
    """Return the mean bound on log p(x | y) in nats; z is made of the `noise`."""
    mean, logstd = jnp.split(_heads(weights, x, y, config), 2, 1)
    z = mean + jnp.exp(logstd) * noise
    logits = _logits(weights, y, z, config)
    log_px = x * logits - jax.nn.softplus(logits)
    if config.path_derivative:  # log q depends on the weights only by z
        mean, logstd = lax.stop_gradient((mean, logstd))
        noise = (z - mean) * jnp.exp(-logstd)
    log_qz_pz = 0.5 * (z * z - noise * noise - 2.0 * logstd)
    return (log_px.sum() - log_qz_pz.sum()) / len(x)


def _step(config):
    def step(state, chosen, data):
        weights, first, second, time, key = state
        images, labels = data
        key, of_x, of_z = jax.random.split(key, 3)
        intensities = images[chosen]
        uniform = jax.random.uniform(of_x, intensities.shape)
        x = (255.0 * uniform < intensities).astype(jnp.float32)
        y = jax.nn.one_hot(labels[chosen], config.n_classes)
        noise = jax.random.normal(of_z, (len(chosen), config.z_dim))
        value_and_grad = jax.value_and_grad(mean_bound)
        value, gradients = value_and_grad(weights, x, y, noise, config)
        time = time + 1.0
        unbiased = jnp.sqrt(1.0 - BETA_2**time) / (1.0 - BETA_1**time)
        rate = config.learning_rate * unbiased
        first = _moved(first, gradients, 1.0 - BETA_1)
        squares = jax.tree.map(jnp.square, gradients)
        second = _moved(second, squares, 1.0 - BETA_2)
        weights = jax.tree.map(
            lambda w, m, v: w + rate * m / (jnp.sqrt(v) + EPSILON),
            weights,
            first,
            second,
        )
        return (_decayed(weights, config), first, second, time, key), value

    return step


def _scanned(step):
    def steps(state, order, data):
        return lax.scan(lambda state, chosen: step(state, chosen, data), state, order)

    return steps


def _moved(average, values, share):
    return jax.tree.map(lambda a, v: a + share * (v - a), average, values)


def _decayed(weights, config):
    keep = 1.0 - config.learning_rate * config.weight_decay
    return {k: keep * w if k.endswith("kernel") else w for k, w in weights.items()}


def _heads(weights, x, y, config):
    """Return mean and log standard deviation of z, side by side."""
    if config.network == "conv":
        h = (2.0 * x - 1.0).reshape(-1, config.side, config.side, 1)
        for level in range(1, 1 + len(config.channels)):
            scope = f"q_net/down_{level}"
            h = _conv(weights, scope + "/halve", h, stride=2)
            h = _blocks(weights, scope, h, y, config)
        x = h.reshape(-1, config.dense_dim)
    h = _hidden(weights, "q_net", jnp.concatenate([x, y], 1), y, config)
    return _dense(weights, "q_net/z_heads", h)


def _logits(weights, y, z, config):
    h = _hidden(weights, "gen", jnp.concatenate([y, z], 1), y, config)
    if config.network == "mlp":
        return _dense(weights, "gen/x_logits", h)
    side = config.small_side
    h = _dense(weights, "gen/unfold", h).reshape(-1, side, side, config.channels[-1])
    for level in range(len(config.channels), 0, -1):
        scope = f"gen/up_{level}"
        h = ACTIVATIONS[config.activation](_blocks(weights, scope, h, y, config))
        h = _doubled(_conv(weights, scope + "/double", h))
    return h.reshape(-1, config.x_dim)


def _hidden(weights, scope, h, y, config):
    for number in range(1, 1 + len(config.hidden)):
        h = _dense(weights, f"{scope}/hidden_{number}", h)
        if config.film:
            scale, shift = _scale_shift(weights, f"{scope}/class_{number}", y)
            h = h * (1.0 + scale) + shift
        h = ACTIVATIONS[config.activation](h)
    return h


def _blocks(weights, scope, h, y, config):
    activation = ACTIVATIONS[config.activation]
    for number in range(1, 1 + config.blocks):
        block = f"{scope}/block_{number}"
        r = _conv(weights, block + "/conv_1", activation(h))
        scale, shift = _scale_shift(weights, block + "/class", y)
        r = activation(r * (1.0 + scale[:, None, None]) + shift[:, None, None])
        h = h + _conv(weights, block + "/conv_2", r)
    return h


def _scale_shift(weights, name, y):
    return jnp.split(_dense(weights, name, y), 2, 1)


def _dense(weights, name, h):
    return h @ weights[name + "/kernel"] + weights[name + "/bias"]


def _conv(weights, name, h, stride=1):
    kernel, strides = weights[name + "/kernel"], (stride, stride)
    form = ("NHWC", "HWIO", "NHWC")
    h = lax.conv_general_dilated(h, kernel, strides, "SAME", dimension_numbers=form)
    return h + weights[name + "/bias"]


def _doubled(h):
    """Make each pixel `[4 c]` of h a square of four pixels `[c]`."""
    n, side, _, channels = h.shape
    h = h.reshape(n, side, side, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return h.reshape(n, 2 * side, 2 * side, channels // 4)
