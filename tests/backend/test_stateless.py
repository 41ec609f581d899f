"""Random draws depend on (seed, step, purpose) and on nothing else."""

import numpy as np
import tensorflow.compat.v1 as tf
from scipy import stats

from cvae.backend import stateless


def _run(build):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(build())


def _uniform(seed, step, purpose):
    key = stateless.key(seed, step, purpose)
    return tf.random.stateless_uniform([20], key)


def test_the_same_key_draws_the_same_in_another_graph():
    first = _run(lambda: _uniform(1, 2, "posterior"))
    np.testing.assert_array_equal(first, _run(lambda: _uniform(1, 2, "posterior")))


def test_seed_step_and_purpose_each_change_every_draw():
    keys = [(1, 2, p) for p in stateless.PURPOSES] + [
        (2, 2, "weights"),
        (1, 3, "weights"),
    ]
    values = _run(lambda: [_uniform(*k) for k in keys])
    assert len(np.unique(np.stack(values))) == 20 * len(keys)


def test_steps_beyond_32_bits_still_have_keys_of_their_own():
    values = _run(lambda: [_uniform(0, s, "weights") for s in (5, 5 + 2**32)])
    assert not np.array_equal(*values)


def test_bits_have_the_intensity_as_their_probability():
    intensities = np.arange(256, dtype=np.uint8).repeat(4000)
    key = (0, 0, "binarization")
    bits = _run(
        lambda: stateless.binarize(tf.constant(intensities), stateless.key(*key))
    )
    bits = bits.reshape(256, 4000)
    assert set(np.unique(bits)) == {0.0, 1.0}
    assert (bits[0] == 0).all() and (bits[255] == 1).all()
    p = np.arange(256) / 255.0
    error = np.sqrt(np.maximum(p * (1 - p), 1e-12) / 4000)
    assert (np.abs(bits.mean(1) - p) <= 5 * error + 1e-12).all()


def test_the_stateless_normal_is_normal_and_its_log_prob_is_scipys():
    mean, logstd = np.float32([[1.0, -2.0]]), np.float32([[0.5, -1.0]])

    def build():
        key = stateless.key(0, 0, "posterior")
        normal = stateless.StatelessNormal(
            tf.constant(mean), tf.constant(logstd), key, group_ndims=1
        )
        z = normal.sample(20000)
        return z, normal.log_prob(z)

    z, log_prob = _run(build)
    assert z.shape == (20000, 1, 2) and log_prob.shape == (20000, 1)
    expected = stats.norm.logpdf(z, mean, np.exp(logstd)).sum(-1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-4)
    for i in range(2):
        scaled = (z[:, 0, i] - mean[0, i]) / np.exp(logstd[0, i])
        assert stats.kstest(scaled, "norm").pvalue > 1e-3


def test_a_reparameterized_draw_passes_gradients_to_mean_and_std():
    def build():
        mean, logstd = tf.zeros([1, 2]), tf.zeros([1, 2])
        key = stateless.key(0, 0, "posterior")
        z = stateless.StatelessNormal(mean, logstd, key).sample(3)
        return [z] + tf.gradients(z, [mean, logstd])

    z, by_mean, by_logstd = _run(build)
    np.testing.assert_allclose(by_mean, np.full((1, 2), 3.0))
    np.testing.assert_allclose(by_logstd, z.sum(0), rtol=1e-6)
