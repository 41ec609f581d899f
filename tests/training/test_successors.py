"""After a run: a new plan for it, or a new run from its weights; the KL weight."""

import dataclasses
import shutil

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny
from idx_files import refusal

from cvae import model
from cvae.backend import compat
from cvae.config import Config
from cvae.data.binarize import binarize
from cvae.errors import CvaeError
from cvae.runs import successors
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run
from cvae.storage import files
from cvae.training import loop, parts, schedule, step

pytestmark = pytest.mark.usefixtures("kept_graphs")


@pytest.fixture
def run(copy):
    """A copy of a run that is trained to its end, four epochs of twelve steps."""
    return copy


def same(one, other):
    return all((other[name] == array).all() for name, array in one.items())


def go_on(run, data, **limits):
    run.go_on(successors.lengthened(run, {"epochs": None, "minutes": None, **limits}))
    return loop.train(run, data)


# A new plan


def test_a_trained_run_goes_on_to_more_epochs_and_becomes_better(run, data, capsys):
    before = run.metrics()
    last = go_on(run, data, epochs=10.0)
    assert last["step"] == 120 and last["test_bound"] > before[-1]["test_bound"] + 1
    assert run.metrics()[: len(before)] == before
    assert run.config.epochs == 10.0 and run.config.continued == (48,)
    assert "bits will be those of neither plan" in capsys.readouterr().err
    assert same(run.weights(), loop_end(run))
    assert Run(run.path).load_checkpoint(best=True).state.step == 120


def loop_end(run):
    return averages(run.load_checkpoint())


def test_the_rate_is_that_of_the_new_plan_from_there_on(run, data):
    go_on(run, data, epochs=8.0)
    rates = [row["learning_rate"] for row in run.metrics()]
    plan = schedule.Plan(0, 0.0, 96)
    steps = [row["step"] - 1 for row in run.metrics()]
    expected = [schedule.rates(plan, s, 1, run.config)[0] for s in steps]
    np.testing.assert_allclose(rates[4:], expected[4:], rtol=1e-6)
    assert rates[4] > 100 * rates[3]


def test_stopped_in_the_new_plan_and_resumed_it_ends_as_if_never_stopped(
    run, data, tmp_path, monkeypatch
):
    shutil.copytree(str(run.path), str(tmp_path / "stopped"))
    stopped = Run(tmp_path / "stopped")
    go_on(run, data, epochs=7.0)
    calls = []

    def interrupted(trainer, *args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return kept(trainer, *args)

    kept = step.Trainer.steps
    monkeypatch.setattr(step.Trainer, "steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go_on(stopped, data, epochs=7.0)
    monkeypatch.undo()
    loop.train(Run(stopped.path), data)
    assert same(loop_end(run), loop_end(stopped))


def test_until_the_new_plan_has_ended_the_weights_before_are_the_runs(
    run, data, monkeypatch
):
    before, seen = run.weights(), []

    def watch(row):
        seen.append(same(Run(run.path).weights(), before))

    watcher = loop.Watcher()
    watcher.ended_epoch = watch
    run.go_on(successors.lengthened(run, {"epochs": 9.0, "minutes": None}))
    assert same(Run(run.path).weights(), before)
    loop.train(run, data, watcher)
    assert len(seen) == 5 and all(seen)
    assert not same(Run(run.path).weights(), before)


def test_a_new_plan_that_makes_nothing_better_leaves_the_weights_before(
    run, data, monkeypatch, capsys
):
    before = run.weights()
    worse = dict(run.metrics()[-1], train_bound=-1.0)  # nothing beats that
    run.trim_metrics(47)
    run.append_metrics(worse)
    last = go_on(run, data, epochs=5.0)
    assert last["step"] == 60 and same(run.weights(), before)
    assert "has not become better" in capsys.readouterr().err
    last = go_on(run, data, epochs=6.0)
    assert last["step"] == 72 and run.config.continued == (48, 60)
    assert same(Run(run.path).weights(), before)


def test_with_a_time_limit_the_progress_goes_on_where_the_time_is(run, data):
    config = dataclasses.replace(run.config, epochs=None, minutes=2.0)
    plan = schedule.next_plan(config, 600, 48, 30.0)
    assert plan.start == 48 and plan.progress == 0.25 and plan.end == schedule.ENDLESS


@pytest.mark.parametrize(
    "limits, reason",
    [
        ({"epochs": 4.0}, "has trained for 4 epochs: give more than that"),
        ({"epochs": 4.01}, "has trained for 4 epochs"),
        ({"minutes": 1e-2}, "minutes: give more than that"),
    ],
)
def test_a_plan_that_is_over_already_is_refused(run, limits, reason, monkeypatch):
    state = run.load_checkpoint().state._replace(seconds=60.0)
    found = run.load_checkpoint()._replace(state=state)
    monkeypatch.setattr(run, "load_checkpoint", lambda: found)
    assert reason in refusal(successors.lengthened, run, limits)


def test_a_run_that_is_not_trained_to_its_end_keeps_its_settings(data, tmp_path):
    run = Run.create(tmp_path / "new", tiny.CONFIG)
    watcher = loop.Watcher()

    def stop(*_):
        raise KeyboardInterrupt

    watcher.ended_epoch = stop
    with pytest.raises(KeyboardInterrupt):
        loop.train(run, data, watcher)
    assert "no checkpoint" in refusal(successors.lengthened, run, {"epochs": 9.0})


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 9.0}, {"continued": [3]}, {"continued": [47], "epochs": 9.0}],
)
def test_edited_settings_are_no_new_plan(run, changes):
    values = dict(run.config.to_dict(), **changes)
    files.write_json(run.path / "config.json", values)
    with pytest.raises(CvaeError, match="was edited"):
        Run(run.path).load_checkpoint()


# A new run from another's weights


def test_a_new_run_starts_from_the_weights_of_another(whole, data, tmp_path):
    given = successors.settings_from(whole, {"epochs": 1.0, "learning_rate": 1e-12})
    config = dataclasses.replace(tiny.CONFIG, **given)
    new = Run.create(tmp_path / "new", config)
    loop.train(new, data)
    for name, array in whole.weights().items():
        np.testing.assert_allclose(new.weights()[name], array, atol=1e-6)
    assert new.config.origin == str(whole.path.resolve())


def test_it_has_the_networks_of_the_other_and_no_others(whole):
    given = successors.settings_from(whole, {"seed": 3})
    assert given["hidden"] == tiny.CONFIG.hidden and given["seed"] == 3
    assert given["dataset"] == "mnist"
    message = refusal(successors.settings_from, whole, {"hidden": (64, 64)})
    assert "leave out --hidden" in message
    for changes in ({"n_classes": 9}, {"x_dim": 64}):
        config = dataclasses.replace(tiny.CONFIG, **changes)
        assert "do not fit these data" in refusal(
            successors.check_origin, whole, config
        )


# The weight of the KL divergence


@pytest.mark.parametrize("particles", [1, 3])
def test_the_gradient_is_that_of_beta_times_the_kl_minus_the_reconstruction(
    train_images, particles
):
    """ZhuSuan's own cost is that of β = 1; at β = 0 only log p(x | y, z) is left."""
    config = dataclasses.replace(tiny.CONFIG, particles=particles)
    images, labels = train_images
    with compat.new_graph() as graph:
        nets = model.build_networks(config)
        y = tf.one_hot(labels, 10)
        beta = tf.placeholder(tf.float32, [])
        number = tf.constant(3, tf.int64)
        cost, bound = parts._cost_and_bound(
            nets, tf.constant(images), y, number, config, False, beta
        )
        plain, _ = parts._cost_and_bound(
            nets, tf.constant(images), y, number, config, False, None
        )
        reconstruction = -tf.reduce_mean(bound.bn.cond_log_prob("x"))
        weights = tf.trainable_variables()
        gradients = [
            tf.gradients(tf.reduce_mean(one), weights)
            for one in (cost, plain, reconstruction)
        ]
        with tf.Session(graph=graph) as session:
            session.run(tf.global_variables_initializer())
            at = {b: session.run(gradients[0], {beta: b}) for b in (0.0, 1.0, 4.0)}
            whole, part = session.run(gradients[1:])
    for zero, one, four, own, reconstructed in zip(*at.values(), whole, part):
        np.testing.assert_allclose(zero, reconstructed, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one, own, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(four - one, 3 * (one - zero), rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def train_images(data):
    return data.train.images[:20], data.train.labels[:20]


def test_a_larger_weight_gives_a_smaller_kl_and_a_lower_real_bound(data, tmp_path):
    """The divergence of q from p(z) is computed by NumPy."""
    bits, found = binarize(data.test.images), {}
    y = reference.one_hot(data.test.labels, 10)
    for beta in (0.2, 1.0, 5.0):
        config = dataclasses.replace(tiny.CONFIG, beta=beta, epochs=12.0)
        run = Run.create(tmp_path / str(beta), config)
        last = loop.train(run, data)
        mean, std = reference.encode(bits, y, run.weights(), 1)
        kl = 0.5 * (mean**2 + std**2 - 1) - np.log(std)
        found[beta] = last["test_bound"], kl.sum(1).mean()
    assert found[0.2][1] > found[1.0][1] > found[5.0][1]
    assert found[1.0][0] > max(found[0.2][0], found[5.0][0])


def test_the_weight_rises_in_its_share_of_the_run_and_stays():
    plan = schedule.Plan(0, 0.0, 100)
    config = dataclasses.replace(Config(), beta=2.0, beta_warmup=0.5)
    found = schedule.kl_weights(plan, 0, 100, config)
    expected = np.minimum(2.0, 2.0 * np.arange(100) / 50)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (schedule.kl_weights(plan, 0, 9, Config(beta=3.0)) == 3.0).all()


def test_the_importance_weighted_bound_has_no_kl_to_weigh():
    with pytest.raises(CvaeError, match="leave out beta or iwae_share"):
        Config(beta=2.0, iwae_share=0.5)
