"""Run the same training in JAX: XLA compiles the whole step, whose state is donated.

The step computes the new weights from the image numbers of the batch. Without `scan`, a
call is one step; with it, a call is a `lax.scan` of 16 steps, as in "ours". Adam is
written out, as the usual library (Optax) compiles to the same code. Images stay an
array of uint8. All cores are used, which is the default.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers import BLOCK, layers, shuffled

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class Peer:
    """One step in a call, or a scan of `BLOCK` steps."""

    flop = None

    def __init__(self, config, train, scan):
        self.versions = ["JAX " + jax.__version__]
        self._names = [name for name, _ in layers(config)]
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
        """Return the weights, kernels as `[n_in, n_out]`."""
        found = {}
        for name, (kernel, bias) in zip(self._names, self._state[0]):
            found[name + "/kernel"] = np.asarray(kernel)
            found[name + "/bias"] = np.asarray(bias)
        return found


def _initial(config):
    """Return weights, Adam's two moments, the number of the step, the random key."""
    key, *keys = jax.random.split(jax.random.key(config.seed), 1 + len(layers(config)))
    draw = jax.nn.initializers.glorot_uniform()
    sizes = [size for _, size in layers(config)]
    weights = [(draw(k, size), jnp.zeros(size[1])) for k, size in zip(keys, sizes)]
    moments = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
    return (weights, *moments, jnp.zeros(()), key)


def _step(config):
    half = len(layers(config)) // 2

    def bound(weights, x, y, noise):
        heads = _dense(weights[:half], jnp.concatenate([x, y], 1))
        mean, logstd = jnp.split(heads, 2, 1)
        z = mean + jnp.exp(logstd) * noise
        logits = _dense(weights[half:], jnp.concatenate([y, z], 1))
        log_px = x * logits - jax.nn.softplus(logits)
        log_qz_pz = 0.5 * (z * z - noise * noise - 2.0 * logstd)
        return (log_px.sum() - log_qz_pz.sum()) / len(x)

    def step(state, chosen, data):
        weights, first, second, time, key = state
        images, labels = data
        key, of_x, of_z = jax.random.split(key, 3)
        intensities = images[chosen]
        uniform = jax.random.uniform(of_x, intensities.shape)
        x = (255.0 * uniform < intensities).astype(jnp.float32)
        y = jax.nn.one_hot(labels[chosen], config.n_classes)
        noise = jax.random.normal(of_z, (len(chosen), config.z_dim))
        value, gradients = jax.value_and_grad(bound)(weights, x, y, noise)
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
        return (weights, first, second, time, key), value

    return step


def _scanned(step):
    def steps(state, order, data):
        return lax.scan(lambda state, chosen: step(state, chosen, data), state, order)

    return steps


def _moved(average, values, share):
    return jax.tree.map(lambda a, v: a + share * (v - a), average, values)


def _dense(weights, h):
    *hidden, (kernel, bias) = weights
    for k, b in hidden:
        h = jax.nn.relu(h @ k + b)
    return h @ kernel + bias
