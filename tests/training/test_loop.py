"""The loop: metrics, budget, resumption, signals, divergence; nothing lost."""

import dataclasses
import os
import signal
import time

import numpy as np
import pytest
import tiny

from cvae.errors import CvaeError
from cvae.runs.run import Run
from cvae.training import loop
from cvae.training.step import Trainer

TIMING = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def data(mnist):
    return tiny.dataset(mnist)


def _new_run(tmp_path, name="run", **changes):
    config = dataclasses.replace(tiny.CONFIG, **changes)
    return Run.create(tmp_path / name, config)


def _untimed(rows):
    return [{k: v for k, v in row.items() if k not in TIMING} for row in rows]


def _assert_same_end(one, other):
    first, second = one.load_checkpoint(), other.load_checkpoint()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)
    assert sorted(first.arrays) == sorted(second.arrays)
    assert _untimed(one.metrics()) == _untimed(other.metrics())


def test_a_row_an_epoch_with_the_held_out_bound_every_few_and_at_the_end(
    data, tmp_path
):
    run = _new_run(tmp_path, epochs=3.0)
    last = loop.train(run, data)
    rows = run.metrics()
    assert [row["epoch"] for row in rows] == [1.0, 2.0, 3.0]
    assert [row["step"] for row in rows] == [12, 24, 36]
    assert ["test_bound" in row for row in rows] == [False, True, True]
    assert rows[-1] == last and last["train_bound"] > rows[0]["train_bound"]


def test_the_held_out_bound_is_that_of_the_averaged_weights(data, tmp_path):
    from cvae.data.binarize import binarize
    from cvae.inference.trained import Model

    run = _new_run(tmp_path)
    last = loop.train(run, data)
    with Model(run.config, run.weights()) as model:
        bits = binarize(data.test.images)
        bound = model.bound(bits, data.test.labels).total.mean()
    assert last["test_bound"] == pytest.approx(float(bound), abs=1e-6)


def test_tensorboard_events_hold_the_metrics(data, tmp_path):
    import tensorflow.compat.v1 as tf

    run = _new_run(tmp_path)
    loop.train(run, data)
    found = {}
    for path in run.events_dir.iterdir():
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    for row in run.metrics():
        for name in set(row) - {"step"}:
            expected = pytest.approx(row[name], rel=1e-6)
            assert found[name, row["step"]] == expected


def test_the_same_seed_trains_the_same_bits_and_another_seed_others(data, tmp_path):
    runs = [_new_run(tmp_path, str(i), seed=s) for i, s in enumerate((0, 0, 1))]
    for run in runs:
        loop.train(run, data)
    _assert_same_end(runs[0], runs[1])
    assert runs[0].metrics()[-1]["test_bound"] != runs[2].metrics()[-1]["test_bound"]


@pytest.mark.parametrize("share, n_stops", [(0.0, 12), (0.48, 13)])
def test_stopped_and_resumed_anywhere_ends_as_if_never_stopped(
    data, tmp_path, monkeypatch, share, n_stops
):
    """Stops after every block: in epochs, at their ends, before evaluations.

    And where the importance-weighted part begins, one step into an epoch.
    """
    monkeypatch.setattr(loop, "BLOCK", 5)
    whole = _new_run(tmp_path, "whole", iwae_share=share)
    pieces = _new_run(tmp_path, "pieces", iwae_share=share)
    loop.train(whole, data)
    steps = Trainer.steps

    def stop_after_this_block(trainer, *args):
        bounds = steps(trainer, *args)
        os.kill(os.getpid(), signal.SIGTERM)
        return bounds

    monkeypatch.setattr(Trainer, "steps", stop_after_this_block)
    stops = 0
    while not pieces.has_checkpoint() or pieces.load_checkpoint().state["step"] < 48:
        try:
            loop.train(pieces, data)
        except loop.Interrupted as stop:
            assert stop.status == 143
            stops += 1
    assert stops == n_stops  # after each block of 5, 5 and 2 steps, the last one, too
    _assert_same_end(whole, pieces)


def test_the_last_part_of_a_run_is_importance_weighted(data, tmp_path, monkeypatch):
    taken = []
    steps = Trainer.steps

    def remember(trainer, first, order, rates):
        taken.extend([trainer] * len(order))
        return steps(trainer, first, order, rates)

    monkeypatch.setattr(Trainer, "steps", remember)
    opened = []
    init = Trainer.__init__

    def open_one(trainer, config, train, weighted=False):
        opened.append((trainer, weighted))
        init(trainer, config, train, weighted)

    monkeypatch.setattr(Trainer, "__init__", open_one)
    loop.train(_new_run(tmp_path, iwae_share=0.4), data)
    (plain, first), (weighted, second) = opened
    assert (first, second) == (False, True)
    assert taken == [plain] * 29 + [weighted] * 19


def test_work_after_the_last_checkpoint_is_done_again_to_the_same_bits(
    data, tmp_path, monkeypatch
):
    """As after SIGKILL: metrics are ahead of the checkpoint, then trimmed."""
    whole, killed = _new_run(tmp_path, "whole"), _new_run(tmp_path, "killed")
    loop.train(whole, data)

    class Killed(BaseException):
        pass

    append = Run.append_metrics

    def die_after_the_row(run, row):
        append(run, row)
        if row["step"] == 36:
            raise Killed

    monkeypatch.setattr(Run, "append_metrics", die_after_the_row)
    with pytest.raises(Killed):
        loop.train(killed, data)
    monkeypatch.undo()
    assert killed.metrics()[-1]["step"] == 36
    assert killed.load_checkpoint().state["step"] == 24
    loop.train(killed, data)
    _assert_same_end(whole, killed)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(data, tmp_path):
    whole, killed = _new_run(tmp_path, "whole"), _new_run(tmp_path, "killed")
    loop.train(whole, data)
    row = {"step": 12, "epoch": 1.0, "seconds": 1.0, "train_bound": -1.0}
    killed.append_metrics(row)
    loop.train(killed, data)
    _assert_same_end(whole, killed)


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_saves_the_very_step_and_says_how_to_go_on(
    data, tmp_path, capsys, monkeypatch, number, status
):
    run = _new_run(tmp_path, epochs=10000.0)
    handler = signal.getsignal(number)
    steps, done = Trainer.steps, []

    def stop_in_the_third_block(trainer, *args):
        bounds = steps(trainer, *args)
        done.append(len(bounds))
        if len(done) == 3:
            os.kill(os.getpid(), number)
        return bounds

    monkeypatch.setattr(Trainer, "steps", stop_in_the_third_block)
    assert loop.train_and_tell(run, data) == status
    assert f"--resume --run {run.path}" in capsys.readouterr().out
    assert run.load_checkpoint().state["step"] == sum(done) and len(done) == 3
    assert signal.getsignal(number) is handler


def test_resuming_a_finished_run_changes_nothing(data, tmp_path):
    run = _new_run(tmp_path)
    last = loop.train(run, data)
    before = run.load_checkpoint()
    assert loop.train(run, data) == last
    after = run.load_checkpoint()
    assert before.state == after.state


@pytest.fixture
def slow_steps(monkeypatch):
    """A clock by which a step takes a fiftieth of a second, and all else no time."""
    now, steps = [0.0], Trainer.steps

    def timed(trainer, first, order, rates):
        now[0] += 0.02 * len(order)
        return steps(trainer, first, order, rates)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Trainer, "steps", timed)


def test_a_time_budget_ends_the_run_in_time_with_the_rate_all_the_way_down(
    data, tmp_path, slow_steps
):
    run = _new_run(tmp_path, epochs=None, minutes=0.1, evaluate_every=1000)
    last = loop.train(run, data)
    left = 6.0 - loop.RESERVE_SECONDS
    assert left - 0.02 * loop.BLOCK <= last["seconds"] <= left
    assert last["learning_rate"] < 0.01 * run.config.learning_rate
    assert last["epoch"] > 4


def test_more_epochs_than_time_are_cut_and_fewer_are_all_done(
    data, tmp_path, slow_steps
):
    cut = _new_run(tmp_path, "cut", epochs=1e5, minutes=0.1, evaluate_every=1000)
    done = _new_run(tmp_path, "done", epochs=2.0, minutes=5.0)
    last = loop.train(cut, data)
    assert last["epoch"] < 1e5
    assert last["learning_rate"] < 0.01 * cut.config.learning_rate
    assert loop.train(done, data)["epoch"] == 2.0


def test_validation_holds_out_the_last_sixth_of_the_training_images(mnist):
    config = dataclasses.replace(tiny.CONFIG, validate=True)
    train, held_out, name = loop.splits(mnist, config)
    assert name == "validation"
    np.testing.assert_array_equal(train.images, mnist.train.images[:50000])
    np.testing.assert_array_equal(held_out.labels, mnist.train.labels[50000:])


def test_the_default_trains_on_every_training_image_and_holds_out_the_test_set(mnist):
    train, held_out, name = loop.splits(mnist, tiny.CONFIG)
    assert train is mnist.train and held_out is mnist.test and name == "test"


def test_with_validation_the_best_checkpoint_is_kept_and_used(data, tmp_path):
    run = _new_run(tmp_path, validate=True, evaluate_every=1, learning_rate=0.02)
    loop.train(run, data)
    rows = run.metrics()
    best = max(rows, key=lambda row: row["validation_bound"])
    assert run.load_checkpoint(best=True).state["step"] == best["step"]
    assert not any("test_bound" in row for row in rows)


@pytest.mark.parametrize("rate", [1e6, 1e9])
def test_a_diverged_run_stops_with_one_line_and_no_nan_in_any_file(
    data, tmp_path, rate
):
    run = _new_run(tmp_path, learning_rate=rate, epochs=20.0)
    with pytest.raises(CvaeError, match=r"not finite at step \d+.*--learning-rate"):
        loop.train(run, data)
    assert all(np.isfinite(row["train_bound"]) for row in run.metrics())
    if run.has_checkpoint():
        arrays = run.load_checkpoint().arrays
        assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("intensity", [0, 255])
def test_images_of_one_colour_are_learned_exactly(data, tmp_path, intensity):
    images = np.full_like(data.train.images, intensity)
    blank = data._replace(
        train=data.train._replace(images=images),
        test=data.test._replace(images=images[:200]),
    )
    run = _new_run(tmp_path, epochs=20.0)
    assert -30.0 < loop.train(run, blank)["test_bound"] <= 0.01


@pytest.mark.parametrize("n_classes", [1, 10])
def test_a_single_class_is_learned(data, tmp_path, n_classes):
    train, test = (
        split._replace(labels=np.zeros_like(split.labels))
        for split in (data.train, data.test)
    )
    run = _new_run(tmp_path, n_classes=n_classes, epochs=20.0)
    last = loop.train(run, data._replace(train=train, test=test))
    assert -300.0 < last["test_bound"] < 0.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_step_stops_with_nothing_lost(
    data, tmp_path, monkeypatch, number
):
    whole, stopped = _new_run(tmp_path, "whole"), _new_run(tmp_path, "stopped")
    loop.train(whole, data)
    trim = Run.trim_metrics
    with monkeypatch.context() as patch:
        patch.setattr(
            Run,
            "trim_metrics",
            lambda *args: (os.kill(os.getpid(), number), trim(*args)),
        )
        with pytest.raises(loop.Interrupted):
            loop.train(stopped, data)
    assert not stopped.has_checkpoint()
    loop.train(stopped, data)
    _assert_same_end(whole, stopped)


def test_weights_that_are_not_finite_never_reach_a_checkpoint(
    data, tmp_path, monkeypatch
):
    run = _new_run(tmp_path)
    state = Trainer.state

    def spoiled(trainer):
        arrays = state(trainer)
        sorted(arrays.items())[0][1].flat[0] = np.nan
        return arrays

    monkeypatch.setattr(Trainer, "state", spoiled)
    with pytest.raises(CvaeError, match="not finite at step 24"):
        loop.train(run, data)
    assert not run.has_checkpoint()


def test_a_stop_right_after_a_checkpoint_does_not_write_over_it(
    data, tmp_path, monkeypatch
):
    """Killed while it writes over the only checkpoint, a run would have none."""
    run = _new_run(tmp_path)
    save, saved = Run.save_checkpoint, []

    def save_and_signal(run, checkpoint, best):
        saved.append(checkpoint.state["step"])
        save(run, checkpoint, best)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "save_checkpoint", save_and_signal)
    with pytest.raises(loop.Interrupted):
        loop.train(run, data)
    assert saved == [24]


def test_a_batch_larger_than_the_data_and_a_single_image_work(data, tmp_path):
    one = data._replace(
        train=data.train._replace(
            images=data.train.images[:1], labels=data.train.labels[:1]
        )
    )
    run = _new_run(tmp_path, batch_size=8, epochs=80.0)
    last = loop.train(run, one)
    assert last["step"] == 10 and np.isfinite(last["train_bound"])
