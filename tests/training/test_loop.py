"""The loop: metrics, resumption, signals, divergence; nothing lost."""

import dataclasses
import os
import shutil
import signal

import events
import numpy as np
import pytest
import tiny

from cvae.data.binarize import binarize
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.runs.run import Run
from cvae.training import loop
from cvae.training.step import Trainer
from cvae.training.tensorboard import Events

TIMING = ("seconds", "images_per_second")

pytestmark = pytest.mark.usefixtures("kept_graphs")


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


def test_the_held_out_bound_is_that_of_the_averaged_weights(data, whole):
    with Model(whole.config, whole.weights()) as model:
        bits = binarize(data.test.images)
        bound = model.bound(bits, data.test.labels).total.mean()
    assert whole.metrics()[-1]["test_bound"] == pytest.approx(float(bound), abs=1e-6)


def test_tensorboard_shows_each_row_of_the_metrics_once(whole):
    found, rows = events.read(whole.events_dir), whole.metrics()
    for name in {name for row in rows for name in row} - {"step"}:
        expected = [(row["step"], np.float32(row[name])) for row in rows if name in row]
        assert [(e.step, e.value) for e in found.Scalars(name)] == expected


def test_a_watcher_receives_the_start_all_steps_and_every_row(data, tmp_path):
    seen = []

    class Recorder(loop.Watcher):
        def began(self, done, planned):
            seen.append(("began", done, planned))

        def advanced(self, n_images, planned, bound):
            assert planned == 1200 and bound < 0.0
            seen.append(("advanced", n_images))

        def ended_epoch(self, row):
            seen.append(("row", row["step"]))

    loop.train(_new_run(tmp_path, epochs=2.0), data, Recorder())
    assert seen == [
        *(("began", 0, 1200), ("advanced", 600), ("row", 12)),
        *(("advanced", 600), ("row", 24)),
    ]


def test_the_loop_itself_prints_nothing(data, tmp_path, capsys):
    loop.train(_new_run(tmp_path, epochs=1.0), data)
    assert capsys.readouterr() == ("", "")


def test_the_same_seed_trains_the_same_bits_and_another_seed_others(
    data, tmp_path, whole
):
    same, other = _new_run(tmp_path, "same"), _new_run(tmp_path, "other", seed=1)
    for run in same, other:
        loop.train(run, data)
    _assert_same_end(whole, same)
    assert whole.metrics()[-1]["test_bound"] != other.metrics()[-1]["test_bound"]


@pytest.mark.parametrize("share, n_stops", [(0.0, 12), (0.48, 13)])
def test_stopped_and_resumed_anywhere_ends_as_if_never_stopped(
    data, tmp_path, monkeypatch, whole, share, n_stops
):
    """Stops after every block: in epochs, at their ends, before evaluations.

    And where the importance-weighted part begins, one step into an epoch.
    """
    monkeypatch.setattr(loop, "BLOCK", 5)
    if share:
        whole = _new_run(tmp_path, "whole", iwae_share=share)
        loop.train(whole, data)
    pieces = _new_run(tmp_path, "pieces", iwae_share=share)
    steps = Trainer.steps

    def stop_after_this_block(trainer, *args):
        bounds = steps(trainer, *args)
        os.kill(os.getpid(), signal.SIGTERM)
        return bounds

    monkeypatch.setattr(Trainer, "steps", stop_after_this_block)
    stops = 0
    while not pieces.has_checkpoint() or pieces.load_checkpoint().state.step < 48:
        try:
            loop.train(pieces, data)
        except loop.Interrupted as stop:
            assert stop.status == 143
            stops += 1
    assert stops == n_stops  # after each block of 5, 5 and 2 steps, the last one, too
    _assert_same_end(whole, pieces)


def test_the_last_part_of_a_run_is_importance_weighted(data, tmp_path, monkeypatch):
    opened, taken, make = [], [], loop.Trainer

    def open_one(config, train, weighted=False):
        opened.append(weighted)
        return make(config, train, weighted)

    def remember(trainer, first, order, *others):
        taken.extend([opened[-1]] * len(order))
        return np.zeros(len(order), np.float32)

    monkeypatch.setattr(loop, "Trainer", open_one)
    monkeypatch.setattr(Trainer, "steps", remember)
    loop.train(_new_run(tmp_path, iwae_share=0.4), data)
    assert opened == [False, True]
    assert taken == [False] * 29 + [True] * 19


def test_work_after_the_last_checkpoint_is_done_again_to_the_same_bits(
    data, tmp_path, monkeypatch, whole
):
    """As after SIGKILL: metrics are ahead of the checkpoint, then trimmed."""
    killed = _new_run(tmp_path)

    class Killed(BaseException):
        pass

    write = Events.write_row

    def die_after_the_row(events, row):
        write(events, row)
        if row["step"] == 36:
            raise Killed

    monkeypatch.setattr(Events, "write_row", die_after_the_row)
    with pytest.raises(Killed):
        loop.train(killed, data)
    monkeypatch.undo()
    assert killed.metrics()[-1]["step"] == 36
    assert killed.load_checkpoint().state.step == 24
    loop.train(killed, data)
    _assert_same_end(whole, killed)
    test_tensorboard_shows_each_row_of_the_metrics_once(killed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_or_kill_before_the_first_step_loses_nothing(
    data, tmp_path, monkeypatch, whole, number
):
    stopped = _new_run(tmp_path)
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
    if number == signal.SIGTERM:  # its training is the same as the other's
        return
    row = {"step": 12, "epoch": 1.0, "seconds": 1.0, "train_bound": -1.0}
    stopped.append_metrics(row)  # as if killed before the first checkpoint
    loop.train(stopped, data)
    _assert_same_end(whole, stopped)


def test_resuming_a_finished_run_changes_nothing(data, copy):
    before = copy.load_checkpoint()
    assert loop.train(copy, data) == copy.metrics()[-1]
    assert before.state == copy.load_checkpoint().state


@pytest.mark.parametrize("kept", [0, 3])
def test_a_finished_run_without_its_last_metrics_is_one_line(data, copy, kept):
    path = copy.path / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(True)[:kept]))
    with pytest.raises(CvaeError, match=r"metrics\.jsonl lacks .* step, 48: restore"):
        loop.train(copy, data)


def test_edited_settings_are_refused_when_training_is_resumed(data, copy):
    edited = dataclasses.replace(copy.config, epochs=8.0)
    shutil.rmtree(str(copy.path / "events"))
    (copy.path / "config.json").unlink()
    run = Run.create(copy.path, edited)
    with pytest.raises(CvaeError, match=r"epochs was 4\.0 and is 8\.0"):
        loop.train(run, data)


@pytest.mark.parametrize(
    "fault, words",
    [
        (lambda images: images / np.float32(255), "training images .* float32"),
        (lambda images: images > 127, "training images .* bool"),
        (lambda images: np.uint8(images > 127), "training images .* bits"),
        (lambda images: images[:, :64], "64 pixels"),
        (lambda images: images.reshape(-1, 28, 28), "training images"),
        (lambda images: images[:0], "no training images"),
    ],
)
def test_images_that_the_model_cannot_take_are_refused_before_a_step(
    data, tmp_path, fault, words
):
    train = data.train._replace(images=fault(data.train.images))
    run = _new_run(tmp_path)
    with pytest.raises(CvaeError, match=words) as error:
        loop.train(run, data._replace(train=train))
    assert "\n" not in str(error.value) and not run.events_dir.exists()


def test_validation_holds_out_the_last_sixth_of_the_training_images(mnist):
    config = dataclasses.replace(tiny.CONFIG, validate=True)
    train, held_out, name = loop.splits(mnist, config)
    assert name == "validation"
    np.testing.assert_array_equal(train.images, mnist.train.images[:50000])
    np.testing.assert_array_equal(held_out.labels, mnist.train.labels[50000:])


def test_one_image_cannot_be_split_for_validation(data):
    config = dataclasses.replace(tiny.CONFIG, validate=True)
    with pytest.raises(CvaeError, match="leave out validate"):
        loop.splits(_first_image(data), config)


def test_validation_does_not_take_all_images_of_a_class(data):
    config = dataclasses.replace(tiny.CONFIG, validate=True)
    images, labels = data.train
    order = np.argsort(labels, kind="stable")
    by_class = data._replace(train=data.train._replace(labels=labels[order]))
    with pytest.raises(CvaeError, match="class 9 are among the last sixth"):
        loop.splits(by_class, config)


def test_the_default_trains_on_every_training_image_and_holds_out_the_test_set(mnist):
    train, held_out, name = loop.splits(mnist, tiny.CONFIG)
    assert train is mnist.train and held_out is mnist.test and name == "test"


def test_with_validation_the_best_checkpoint_is_kept_and_used(data, tmp_path):
    run = _new_run(tmp_path, validate=True, evaluate_every=1, learning_rate=0.02)
    loop.train(run, data)
    rows = run.metrics()
    best = max(rows, key=lambda row: row["validation_bound"])
    assert run.load_checkpoint(best=True).state.step == best["step"]
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
    run = _new_run(tmp_path, epochs=20.0, evaluate_every=20)
    assert -30.0 < loop.train(run, blank)["test_bound"] <= 0.01


@pytest.mark.parametrize("n_classes", [1, 300])
def test_a_single_class_is_learned(data, tmp_path, n_classes):
    """With 300 classes, the last one: labels need more than a byte."""
    train, test = (
        split._replace(labels=np.full(len(split.labels), n_classes // 300 * 299))
        for split in (data.train, data.test)
    )
    run = _new_run(tmp_path, n_classes=n_classes, epochs=10.0, evaluate_every=10)
    last = loop.train(run, data._replace(train=train, test=test))
    assert -300.0 < last["test_bound"] < 0.0
    if n_classes == 300:
        gradients = run.load_checkpoint().arrays["gen/hidden_1/kernel/Adam"][:300]
        assert gradients[299].any() and not gradients[:299].any()


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
        saved.append(checkpoint.state.step)
        save(run, checkpoint, best)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "save_checkpoint", save_and_signal)
    with pytest.raises(loop.Interrupted):
        loop.train(run, data)
    assert saved == [24]


def test_a_batch_larger_than_the_data_and_a_single_image_work(data, tmp_path):
    run = _new_run(tmp_path, batch_size=8, epochs=80.0)
    last = loop.train(run, _first_image(data))
    assert last["step"] == 10 and np.isfinite(last["train_bound"])


def _first_image(data):
    """The data set with a single training image."""
    images, labels = data.train
    return data._replace(
        train=data.train._replace(images=images[:1], labels=labels[:1])
    )
