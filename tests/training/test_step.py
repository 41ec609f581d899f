"""The training graph: the homework's gradient, Adam, averages, reproducible steps."""

import dataclasses

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny
from kept_graphs import graph_only

from cvae import model
from cvae.backend import compat, stateless
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.training import parts, schedule
from cvae.training import step as trainer_module
from cvae.training.step import Trainer

PLAN = schedule.Plan(0, 0.0, 40)


class _AtStart:
    """A trainer that tests share, set back to its start by each."""

    def __init__(self, config, train, weighted=False):
        self._trainer = Trainer(config, train, weighted)
        self._start = self._trainer.state()

    def again(self):
        self._trainer.restore(self._start)
        return self._trainer


def _take(trainer, first, n_steps, config=tiny.CONFIG):
    return trainer.steps(
        first,
        schedule.order(first, n_steps, 600, config),
        schedule.rates(PLAN, first, n_steps, config),
    )


@pytest.fixture(scope="module")
def train(mnist):
    return tiny.dataset(mnist).train


@pytest.fixture(scope="module")
def dense(train):
    """The trainer of `tiny.CONFIG`."""
    shared = _AtStart(tiny.CONFIG, train)
    yield shared
    shared.again().__exit__()


@pytest.fixture
def trainer(dense):
    """The same at its start."""
    return dense.again()


@pytest.fixture(scope="module")
def twin(train):
    with Trainer(tiny.CONFIG, train) as trainer:
        yield trainer


@pytest.fixture
def other(twin, trainer):
    """Another trainer of the same settings, at its start."""
    twin.restore(trainer.state())
    return twin


@pytest.fixture(scope="module")
def conv(train):
    """The trainer of `tiny.CONV`."""
    shared = _AtStart(tiny.CONV, train)
    yield shared
    shared.again().__exit__()


def _assert_same(first, second):
    assert sorted(first) == sorted(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_two_trainers_take_the_same_steps_however_they_are_grouped(trainer, other):
    together = _take(other, 0, 10)
    apart = np.concatenate([_take(trainer, 0, 3), _take(trainer, 3, 7)])
    np.testing.assert_array_equal(together, apart)
    _assert_same(other.state(), trainer.state())


def test_convolutions_take_the_same_steps_however_they_are_grouped(conv):
    trainer = conv.again()
    together, end = _take(trainer, 0, 10), trainer.state()
    conv.again()
    apart = np.concatenate([_take(trainer, 0, 3), _take(trainer, 3, 7)])
    np.testing.assert_array_equal(together, apart)
    _assert_same(end, trainer.state())


@pytest.mark.parametrize("first", [0, 1015, 20007])
def test_the_average_moves_by_its_decay_at_every_step_and_later_every_16th(
    trainer, first
):
    for step in range(first, first + 20):
        average = trainer.averages()
        _take(trainer, step, 1)
        weights, moved = trainer.state(), trainer.averages()
        decay = min(tiny.CONFIG.average, (1 + step) / (10 + step))
        if step >= 1024:
            decay = decay**16 if step % 16 == 15 else 1.0
        for name in moved:
            expected = decay * average[name] + (1 - decay) * weights[name]
            np.testing.assert_allclose(moved[name], expected, atol=1e-6)


def test_each_half_of_a_batch_has_draws_of_its_own(train):
    """One image twice: the mean of independent bounds has half a bound's variance."""
    config = dataclasses.replace(tiny.CONFIG, batch_size=2)
    with Trainer(config, train) as trainer:
        order, rates = np.zeros((600, 2), np.int32), np.zeros(600, np.float32)
        found = trainer.steps(0, order, rates).var()
        weights = trainer.averages()
    images, labels = (np.repeat(array[:1], 4000, 0) for array in train)
    alone = _bounds_of_reference(images, labels, weights).var()
    assert found == pytest.approx(alone / 2, rel=0.25)


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_all_parts_of_a_batch_train_the_variables_that_the_model_has(
    train, network, request
):
    config = tiny.CONV if network == "conv" else tiny.CONFIG
    weights = request.getfixturevalue(network).again().averages()
    trained = {name: array.shape for name, array in weights.items()}
    graphs = [graph_only(Model, config)]
    if network == "dense":  # convolutions take seconds
        graphs.append(graph_only(Trainer, config, train, True))
    for graph in graphs:
        own = getattr(graph, "_averages", graph._variables)
        assert {n: tuple(v.shape.as_list()) for n, v in own.items()} == trained


@pytest.mark.parametrize("asked", [(0, 1), (1, 0)])
def test_the_order_in_which_parts_are_asked_for_changes_no_variable(asked):
    """Objectives are lazy: the one that is asked for first makes the variables."""
    with compat.new_graph():
        nets, key = model.build_networks(tiny.CONFIG), tf.zeros([2], tf.int64)
        x, y = tf.zeros([3, 784]), tf.zeros([3, 10])
        bounds = [model.lower_bound(nets, x, y, key, tiny.CONFIG) for _ in range(2)]
        for i in asked:
            tf.convert_to_tensor(bounds[i])
        found = {v.op.name: tuple(v.shape.as_list()) for v in tf.global_variables()}
    assert found == tiny.shapes(tiny.CONFIG)


@pytest.mark.parametrize(
    "fault, complaint",
    [("of its own", "has gen_1/hidden_1/bias"), ("missing", "lacks gen/hidden_1/bias")],
)
def test_a_trainer_whose_graph_is_not_the_models_refuses_to_start(
    train, monkeypatch, fault, complaint
):
    build_networks, built = model.build_networks, parts._cost_and_bound

    def faulty(nets, **inputs):
        if fault == "missing":
            nets = nets._replace(decoder=lambda y, z: tf.zeros([1, 25, 784]))
        else:
            tf.convert_to_tensor(built(nets, **inputs)[1])
            nets = build_networks(tiny.CONFIG)
        return built(nets, **inputs)

    monkeypatch.setattr(parts, "_cost_and_bound", faulty)
    with pytest.raises(CvaeError, match=complaint) as caught:
        Trainer(tiny.CONFIG, train)
    assert "\n" not in str(caught.value)


def test_a_wide_net_takes_its_batch_whole_and_trains(train):
    wide = dataclasses.replace(tiny.CONFIG, hidden=(1024,))
    with Trainer(wide, train) as trainer:
        order = schedule.order(0, 60, 600, wide)
        bounds = trainer.steps(0, order, np.full(60, 1e-3, np.float32))
        products = _count_products(trainer)
    assert np.isfinite(bounds).all() and bounds[-5:].mean() > bounds[:5].mean() + 20
    narrow = dataclasses.replace(tiny.CONFIG, hidden=(1023,))
    assert _count_products(graph_only(Trainer, narrow, train, False)) == 2 * products


def _count_products(trainer):
    operations = trainer._graph.get_operations()
    return sum(operation.type == "MatMul" for operation in operations)


def test_a_restored_state_continues_bit_for_bit(trainer, other):
    _take(trainer, 0, 5)
    other.restore(trainer.state())
    np.testing.assert_array_equal(_take(trainer, 5, 5), _take(other, 5, 5))
    _assert_same(trainer.state(), other.state())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_weights_and_another_others(trainer, seed):
    config, kernel = dataclasses.replace(tiny.CONFIG, seed=seed), "gen/hidden_1/kernel"
    with compat.new_graph(), tf.Session() as session:
        model.build_networks(config).decoder(tf.zeros([1, 10]), tf.zeros([1, 1, 5]))
        session.run(tf.global_variables_initializer())
        (found,) = (v for v in tf.global_variables() if v.op.name == kernel)
        same = np.array_equal(trainer.state()[kernel], session.run(found))
    assert same == (seed == tiny.CONFIG.seed)


def test_weights_start_as_glorot_uniform_and_biases_at_zero_or_log_odds(train, trainer):
    ones = train.images.astype(np.float64).sum(0) / 255 + 0.5
    log_odds = np.log(ones) - np.log(len(train.images) + 1 - ones)
    weights = trainer.averages()
    assert {n: w.shape for n, w in weights.items()} == tiny.shapes(tiny.CONFIG)
    for name, weight in weights.items():
        if name == "gen/x_logits/bias":
            np.testing.assert_allclose(weight, log_odds, rtol=1e-5)
        elif name.endswith("bias"):
            assert (weight == 0).all()
        else:
            limit = np.sqrt(6.0 / sum(weight.shape))
            assert 0.98 * limit < np.abs(weight).max() <= limit
            assert weight.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)


def test_the_first_bound_is_that_of_the_reference_in_expectation(train, trainer):
    """Before any step the bound is known from NumPy up to the draws' noise."""
    zero_rates = np.zeros(40, np.float32)
    order = schedule.order(0, 40, 600, tiny.CONFIG)
    bounds = trainer.steps(0, order, zero_rates)
    expected = _bounds_of_reference(*train, trainer.averages(), n_draws=4)
    error = expected.std() * np.sqrt(1 / expected.size + 1 / 2000)
    assert abs(bounds.mean() - expected.mean()) < 4 * error


def _bounds_of_reference(images, labels, weights, n_draws=1):
    """Bounds by NumPy of images binarized at random, `[n_draws, n]`."""
    weights = {n: w.astype(np.float64) for n, w in weights.items()}
    random = np.random.RandomState(0)
    bits = random.random_sample(images.shape) * 255 < images
    mean, std = reference.encode(bits, reference.one_hot(labels, 10), weights, 1)
    z = mean + std * random.standard_normal((n_draws,) + mean.shape)
    parts = reference.log_weights(bits, labels, z, weights, 10, 1)
    return parts[0] + parts[1] - parts[2]


def test_weight_decay_takes_its_share_of_kernels_and_none_of_biases(train, trainer):
    decayed = dataclasses.replace(tiny.CONFIG, weight_decay=20.0)
    with Trainer(decayed, train) as other:
        for each in trainer, other:
            each.steps(0, schedule.order(0, 1, 600, decayed), np.float32([1e-3]))
        plain, shrunk = trainer.state(), other.state()
    for name in tiny.shapes(tiny.CONFIG):
        kept = 1.0 - 1e-3 * 20.0 if name.endswith("kernel") else 1.0
        np.testing.assert_allclose(shrunk[name], kept * plain[name], rtol=1e-5)


@pytest.mark.parametrize("n_particles", [1, 4])
def test_the_importance_weighted_gradient_is_that_of_each_particle_by_its_share(
    train, n_particles
):
    """Adam's first moment after a step is a tenth of the gradient."""
    config = dataclasses.replace(tiny.CONFIG, batch_size=1, iwae_particles=n_particles)
    with Trainer(config, train, weighted=True) as trainer:
        weights = tiny.random_weights(tiny.shapes(config))
        state = dict(trainer.state(), **weights)
        trainer.restore(state)
        (bound,) = trainer.steps(0, np.int32([[3]]), np.float32([0.0]))
        moments = trainer.state()
    log_weights, gradients = _weighted_by_hand(config, weights, train, 3)
    assert bound == pytest.approx(log_weights.mean(), rel=1e-5)
    if n_particles > 1:
        assert np.ptp(log_weights) > 1.0
    for name, gradient in gradients.items():
        found = -10.0 * moments[name + "/Adam"]
        np.testing.assert_allclose(found, gradient, rtol=1e-3, atol=1e-4, err_msg=name)


def _weighted_by_hand(config, weights, train, number):
    """Of one image in step 0: log weights, and the sum of their gradients by share."""
    # Path derivatives would bias it: with weights, the score term has a mean.
    config = dataclasses.replace(config, path_derivative=False)
    with compat.new_graph(), tf.Session() as session:
        x = stateless.binarize(
            tf.constant(train.images[number : number + 1]),
            stateless.key(config.seed, 0, "binarization"),
        )
        y = tf.one_hot(train.labels[number : number + 1], config.n_classes)
        draw_key = stateless.key(config.seed, 0, "posterior")
        k = config.iwae_particles
        nets = model.build_networks(config)
        q = model.build_variational(nets, x, y, draw_key, config, k).observe()
        p = model.build_generator(nets, 1, config, k).observe(x=x, y=y, z=q["z"])
        log_weights = p.cond_log_prob("x") + p.cond_log_prob("z") - q.cond_log_prob("z")
        share = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
        variables = {v.op.name: v for v in tf.trainable_variables()}
        gradients = tf.gradients(share * log_weights, list(variables.values()))
        session.run(tf.global_variables_initializer())
        compat.load(session, variables, weights)
        return session.run([log_weights, dict(zip(variables, gradients))])


def test_adams_first_step_moves_every_touched_weight_by_the_rate(trainer):
    before = trainer.state()
    trainer.steps(0, schedule.order(0, 1, 600, tiny.CONFIG), np.float32([1e-3]))
    after = trainer.state()
    name = "gen/x_logits/bias"
    gradient = np.abs(after[name + "/Adam"]) / 0.1  # the first moment's, 1 - beta_1
    epsilon = 1e-8 / np.sqrt(0.001)  # of the root of the second's, 1 - beta_2
    moved = np.abs(after[name] - before[name])
    np.testing.assert_allclose(moved, 1e-3 * gradient / (gradient + epsilon), rtol=1e-3)
    np.testing.assert_allclose(np.median(moved), 1e-3, rtol=1e-3)


def test_training_raises_the_bound_above_independent_pixels(train, trainer):
    """The best model of independent pixels is beaten on the images trained on."""
    frequency = np.clip(train.images.mean(0) / 255.0, 1e-3, 1 - 1e-3)
    p = train.images / 255.0
    independent = p * np.log(frequency) + (1 - p) * np.log(1 - frequency)
    order = schedule.order(0, 300, 600, tiny.CONFIG)
    bounds = trainer.steps(0, order, np.full(300, 5e-3, np.float32))
    assert abs(bounds[0] - independent.sum(1).mean()) < 30  # its biases' start
    assert bounds[-20:].mean() > independent.sum(1).mean() + 20


def test_a_state_of_another_architecture_is_refused_and_changes_nothing(trainer):
    before = trainer.state()
    wrong = dict(before, **{"gen/x_logits/bias": np.zeros(3, np.float32)})
    with pytest.raises(CvaeError, match="another architecture"):
        trainer.restore(wrong)
    _assert_same(before, trainer.state())


def test_a_constructor_that_fails_closes_its_session_and_adds_to_no_other_graph(
    train, monkeypatch
):
    opened, session = [], tf.Session

    def remembered(*args, **kwargs):
        opened.append(session(*args, **kwargs))
        return opened[-1]

    def refuse(*unused):
        raise CvaeError("no log-odds today")

    monkeypatch.setattr(tf, "Session", remembered)
    monkeypatch.setattr(trainer_module, "_log_odds", refuse)
    with tf.Graph().as_default() as graph:
        tf.constant(1.0)
        with pytest.raises(CvaeError, match="no log-odds"):
            Trainer(tiny.CONFIG, train)
        assert len(graph.get_operations()) == 1
    with pytest.raises(RuntimeError, match="closed"):
        opened[-1].run(tf.constant(0))
