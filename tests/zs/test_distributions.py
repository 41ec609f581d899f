"""What distributions refuse, what they tell of themselves, and what they cost."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from families import (
    DISCRETE,
    NUMBERS,
    built,
    continuous,
    families,
    feedable,
    run,
)
from scipy import stats

from cvae.zs.distributions import (
    Bernoulli,
    Categorical,
    Discrete,
    Distribution,
    Normal,
    OnehotCategorical,
    OnehotDiscrete,
    Uniform,
)

pytestmark = pytest.mark.usefixtures("graph")


# Arguments that are refused


@families
def test_group_ndims_is_a_non_negative_scalar(family):
    params = family.params([2, 3], np.random.RandomState(0))
    x = family.values([2, 3], np.random.RandomState(0))
    negative, ranked = "must be non-negative", "should be a scalar"
    with pytest.raises(ValueError, match=negative):
        built(family, params, group_ndims=-1)
    with pytest.raises(ValueError, match=ranked):
        built(family, params, group_ndims=tf.constant([1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=negative):
        built(family, params, group_ndims=tf.constant(-1))
    for value, message in [(-1, negative), ([1], ranked)]:
        group_ndims, feed = feedable(np.int32(value), None)
        dist, more = built(family, params, group_ndims=group_ndims)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(dist.log_prob(x), {**feed, **more})


@families
def test_the_old_name_of_group_ndims_is_refused(family):
    params = family.params([2, 3], np.random.RandomState(0))
    with pytest.raises(ValueError, match="has been deprecated"):
        built(family, params, group_event_ndims=1)
    with pytest.raises(ValueError, match="has been deprecated"):
        Distribution(tf.float32, tf.float32, True, True, group_event_ndims=0)


def test_group_ndims_is_kept_as_an_int_or_an_int32_tensor():
    assert Normal(std=1.0).group_ndims == 0
    assert Normal(std=1.0, group_ndims=np.int64(2)).group_ndims == 2
    tensor = Normal(std=1.0, group_ndims=tf.constant(3)).group_ndims
    assert tensor.dtype == tf.int32
    assert run(tensor) == 3


@families
def test_n_samples_is_a_scalar(family):
    dist, feed = built(family, family.params([2], np.random.RandomState(0)))
    fed, one = feedable(np.int32([2]), None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="should be a scalar"):
        run(dist.sample(fed), {**feed, **one})
    for n_samples in (tf.constant([2]), [2, 3]):
        with pytest.raises(ValueError, match="should be a scalar"):
            dist.sample(n_samples)


@continuous
def test_parameters_have_one_float_dtype_that_samples_share(family):
    make = family.make
    for dtype in (tf.float16, tf.float32, tf.float64):
        dist = make(tf.zeros([2], dtype), tf.ones([2], dtype))
        assert dist.dtype == dist.param_dtype == dist.sample().dtype == dtype
        assert dist.log_prob(dist.sample(3)).dtype == dtype
        assert np.isfinite(run(dist.log_prob(tf.zeros([2], dtype)))).all()
    with pytest.raises(TypeError, match="must have the same dtype as"):
        make(tf.zeros([2], tf.float32), tf.ones([2], tf.float64))
    with pytest.raises(TypeError, match="must have a dtype in"):
        make(tf.zeros([2], tf.int32), tf.ones([2], tf.int32))
    with pytest.raises(TypeError, match="must have the same dtype as"):
        make(tf.zeros([2]), tf.ones([2], tf.int32))
    with pytest.raises(TypeError, match="must have a dtype in"):
        make(tf.zeros([2]), tf.ones([2], tf.int32))


@pytest.mark.parametrize("make", DISCRETE)
@pytest.mark.parametrize("param_dtype", [tf.float16, tf.float32, tf.float64])
def test_discrete_samples_have_any_number_dtype_and_log_probs_the_params(
    make, param_dtype
):
    if make is Categorical and param_dtype == tf.float16:
        return  # refused, see below
    for dtype in NUMBERS:
        if make is Categorical and dtype in (tf.int16, tf.float16):
            continue
        dist = make(tf.zeros([2, 3], param_dtype), dtype=dtype)
        samples = dist.sample(4)
        log_p, p = dist.log_prob(samples), dist.prob(samples)
        assert dist.dtype == samples.dtype == dtype
        assert dist.param_dtype == log_p.dtype == p.dtype == param_dtype
        values = run([samples, log_p, p])
        expected = 1 / 2 if make is Bernoulli else 1 / 3
        np.testing.assert_allclose(values[1], np.log(expected), rtol=2e-3)
        np.testing.assert_allclose(values[2], expected, rtol=2e-3)


@pytest.mark.parametrize("make", DISCRETE)
def test_discrete_dtypes_are_numbers_and_logits_are_floats(make):
    assert make(tf.zeros([3])).dtype == tf.int32
    for dtype in (tf.bool, tf.uint8, tf.int8, tf.bfloat16, tf.string):
        with pytest.raises(TypeError, match="`dtype`.* not in "):
            make(tf.zeros([3]), dtype=dtype)
    for dtype in (tf.int32, tf.bfloat16):
        with pytest.raises(TypeError, match="must have a dtype in"):
            make(tf.zeros([3], dtype))


def test_categorical_takes_no_16_bits():
    for dtype in (tf.int16, tf.float16):
        with pytest.raises(TypeError, match="`dtype`.* not in "):
            Categorical(tf.zeros([3]), dtype=dtype)
    with pytest.raises(TypeError, match="must have a dtype in"):
        Categorical(tf.zeros([3], tf.float16))


@pytest.mark.parametrize("make", [Categorical, OnehotCategorical])
def test_logits_of_categories_have_at_least_one_axis(make):
    with pytest.raises(ValueError, match="should have rank"):
        make(tf.zeros([]))
    logits, feed = feedable(np.float32(1.0), None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="should have rank"):
        run(make(logits).n_categories, feed)


@pytest.mark.parametrize("make", [Categorical, OnehotCategorical])
def test_n_categories_is_an_int_where_it_is_static(make):
    assert make(tf.placeholder(tf.float32, [None, 7])).n_categories == 7
    for static in (None, [None, None]):
        logits, feed = feedable(np.zeros([2, 7], "f4"), static)
        assert run(make(logits).n_categories, feed) == 7


def test_normal_takes_exactly_one_of_std_and_logstd_by_name():
    with pytest.raises(ValueError, match="Either.*should be passed"):
        Normal(0.0)
    with pytest.raises(ValueError, match="Either.*should be passed"):
        Normal(0.0, std=1.0, logstd=0.0)
    with pytest.raises(ValueError, match="named arguments"):
        Normal(0.0, 1.0)


@continuous
def test_parameters_that_cannot_broadcast_are_an_error(family):
    with pytest.raises(ValueError, match="should be broadcastable to match"):
        family.make(tf.zeros([2, 1]), tf.ones([2, 4, 3]))
    params = [np.zeros([2, 3], "f4"), np.ones([2, 2], "f4")]
    dist, feed = built(family, params, "unknown")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        run(dist.sample(), feed)


def test_check_numerics_names_the_quantity_that_is_not_finite():
    def fails(name, tensor):
        with pytest.raises(tf.errors.InvalidArgumentError, match=name + ".*Inf"):
            run(tensor)

    mean = tf.ones([1, 2])
    no_std = Normal(mean, std=tf.zeros([1, 2]), check_numerics=True)
    fails(r"log\(std\)", no_std.log_prob(0.0))
    huge = Normal(mean, logstd=tf.fill([1, 2], 1e3), check_numerics=True)
    fails(r"exp\(logstd\)", huge.sample())
    tiny = Normal(mean, logstd=tf.fill([1, 2], -1e3), check_numerics=True)
    fails("precision", tiny.log_prob(0.0))
    unchecked = Normal(mean, std=tf.zeros([1, 2]))
    assert not np.isfinite(run(unchecked.log_prob(0.0))).any()
    empty = Uniform(0.0, tf.zeros([2]), check_numerics=True)
    fails("p", empty.log_prob(0.0))
    fails("p", empty.prob(0.0))
    fails("log_p", Uniform(check_numerics=True).log_prob(2.0))
    fine = Normal(mean, std=2.0, check_numerics=True)
    assert run(fine.log_prob(1.0)) == pytest.approx(stats.norm.logpdf(0, 0, 2))


# What a distribution says of itself


def test_properties_name_the_parameters():
    by_std = Normal(tf.constant([1.0]), std=tf.constant([2.0]))
    by_logstd = Normal(tf.constant([1.0]), logstd=tf.constant([0.5]))
    values = run([by_std.mean, by_std.std, by_std.logstd])
    np.testing.assert_allclose(values, [[1.0], [2.0], [np.log(2)]], rtol=1e-6)
    values = run([by_logstd.mean, by_logstd.std, by_logstd.logstd])
    np.testing.assert_allclose(values, [[1.0], [np.exp(0.5)], [0.5]], rtol=1e-6)
    uniform = Uniform(tf.constant(1.0), tf.constant(2.0))
    assert run([uniform.minval, uniform.maxval]) == [1.0, 2.0]
    for make in DISCRETE:
        assert run(make(tf.constant([1.0, 3.0])).logits).tolist() == [1.0, 3.0]


def test_only_continuous_families_are_continuous_and_reparameterized():
    logits = tf.zeros([3])
    for dist in (Normal(std=1.0), Uniform()):
        assert dist.is_continuous
        assert dist.is_reparameterized
        assert not dist.use_path_derivative
    for dist in (Bernoulli(logits), Categorical(logits), OnehotCategorical(logits)):
        assert not dist.is_continuous
        assert not dist.is_reparameterized
        assert not dist.use_path_derivative


def test_aliases_are_the_classes():
    assert Discrete is Categorical
    assert OnehotDiscrete is OnehotCategorical


def test_the_base_class_leaves_everything_to_subclasses():
    dist = Distribution(tf.float32, tf.float64, True, False, True, 2)
    assert (dist.dtype, dist.param_dtype) == (tf.float32, tf.float64)
    assert (dist.is_continuous, dist.is_reparameterized) == (True, False)
    assert (dist.use_path_derivative, dist.group_ndims) == (True, 2)
    for method in (dist._sample, dist._log_prob, dist._prob):
        with pytest.raises(NotImplementedError):
            method(1)
    for method in (dist.get_batch_shape, dist.get_value_shape):
        with pytest.raises(NotImplementedError):
            method()
    for method in (dist._batch_shape, dist._value_shape):
        with pytest.raises(NotImplementedError):
            method()


class Counting(Normal):
    """A `Normal` whose samples are mean + std * (0, 1, 2, …) along the sample axis."""

    arrived = None

    def _sample(self, n_samples):
        self.arrived = n_samples
        steps = tf.reshape(tf.cast(tf.range(n_samples), tf.float32), [-1, 1, 1])
        return self.mean + self.std * steps


def test_a_subclass_draws_samples_with_a_sample_axis_and_sample_removes_it():
    mean = tf.constant([[1.0, 2.0]])
    dist = Counting(mean, std=10.0)
    assert run(dist.sample()).tolist() == [[1.0, 2.0]]
    assert dist.arrived == 1
    assert run(dist.sample(2)).tolist() == [[[1, 2]], [[11, 12]]]
    assert dist.arrived == 2
    n_samples, feed = feedable(np.int32(2), None)
    samples = dist.sample(n_samples)
    assert dist.arrived.shape.as_list() == []
    assert samples.shape.as_list() == [None, 1, 2]
    assert run(samples, feed).tolist() == [[[1, 2]], [[11, 12]]]
    stopped = Counting(mean, std=10.0, is_reparameterized=False)
    assert tf.gradients(stopped.sample(2), mean) == [None]
    assert tf.gradients(dist.sample(2), mean) != [None]


def test_sample_restores_the_static_shape_that_a_subclass_lost():
    class Forgetful(Normal):
        def _sample(self, n_samples):
            return tf.placeholder_with_default(super()._sample(n_samples), None)

    n_samples = tf.placeholder(tf.int32, [])
    for mean, static in [(tf.zeros([2, 3]), [2, 3]), (tf.zeros([]), [])]:
        dist = Forgetful(mean, std=1.0)
        assert dist.sample().shape.as_list() == static
        assert dist.sample(4).shape.as_list() == [4] + static
        assert dist.sample(tf.constant(4)).shape.as_list() == [4] + static
        assert dist.sample(n_samples).shape.as_list() == [None] + static


# The training hot path


def op_types(build):
    with tf.Graph().as_default() as graph:
        build()
        return {op.type for op in graph.get_operations()}


def test_static_shapes_cost_no_shape_arithmetic_and_no_checks():
    def build():
        x = tf.placeholder(tf.float32, [1, 256, 784])
        z = tf.placeholder(tf.float32, [1, 256, 40])
        bernoulli = Bernoulli(x, dtype=tf.float32, group_ndims=1)
        bernoulli.log_prob(x)
        bernoulli.log_prob(tf.placeholder(tf.float32, [256, 784]))
        normal = Normal(z, logstd=z, group_ndims=1)
        normal.log_prob(z)
        normal.sample(1)
        normal.sample()

    needless = {"Assert", "Shape", "BroadcastTo", "BroadcastArgs", "Log", "Cast"}
    assert not op_types(build) & needless


def test_distributions_work_in_a_while_loop_and_in_a_template():
    def nll(x):
        loc = tf.get_variable("loc", [3], initializer=tf.ones_initializer())
        return -Normal(loc, std=1.0, group_ndims=1).log_prob(x)

    template = tf.make_template("net", nll)
    x = np.zeros(3, "f4")

    def body(step, total):
        coin = Bernoulli(tf.fill([2], 100.0), dtype=tf.float32, group_ndims=1)
        return step + 1, total + template(x) + tf.reduce_sum(coin.sample(step))

    total = tf.while_loop(lambda step, _: step < 3, body, [0, 0.0])[1]
    template(x)
    assert [v.op.name for v in tf.global_variables()] == ["net/loc"]
    expected = -3 * 3 * stats.norm.logpdf(1.0) + 2 * (0 + 1 + 2)
    assert run(total) == pytest.approx(expected, rel=1e-5)
