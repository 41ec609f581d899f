"""A time budget: the plan ends in time, with time for the last evaluation."""

import dataclasses
import time

import pytest
import tiny

from cvae.inference.trained import Model
from cvae.runs.run import Run
from cvae.training import loop
from cvae.training.budget import MARGIN, SHARE, Budget
from cvae.training.schedule import Plan
from cvae.training.step import Trainer

STEP, EVALUATION = 0.02, 0.4  # seconds of a step, and of an evaluation


def test_a_plan_that_time_does_not_limit_is_not_touched():
    budget, plan = Budget(None, 100), Plan(0, 0.0, 100)
    for step in (10, 20):
        assert budget.fit(plan, step, 1e6) is plan
    assert not budget.lacks_reserve()


def test_the_pace_is_that_after_the_first_steps_which_are_slower():
    budget, plan = Budget(1.0, 1000), Plan(0, 0.0, 1000)
    assert budget.fit(plan, 1, 20.0) is plan
    assert budget.fit(plan, 2, 20.1) is plan  # too short to tell
    assert budget.fit(plan, 21, 22.0).end == 21 + 380  # a tenth of a second each


def test_time_is_reserved_for_the_end_of_the_run():
    budget, plan = Budget(1.0, 1000), Plan(0, 0.0, 1000)
    assert not budget.lacks_reserve()
    budget.fit(plan, 1, 20.0)
    assert budget.lacks_reserve()
    budget.reserve(8.0)
    assert not budget.lacks_reserve()
    assert budget.fit(plan, 21, 22.0).end == 21 + int((38.0 - 8.0 * MARGIN) / 0.1)


def test_no_call_takes_more_than_a_small_share_of_the_budget():
    budget, plan = Budget(1.0, 1000), Plan(0, 0.0, 1000)
    assert budget.block(16) == 1  # nobody knows how long a step takes
    budget.fit(plan, 1, 0.25)
    assert budget.block(16) == int(SHARE * 60.0 / 0.25)
    budget.fit(plan, 5, 0.26)
    assert budget.block(16) == 16
    budget.fit(plan, 6, 50.0)
    assert budget.block(16) == 1
    assert Budget(None, 1000).block(16) == 16


@pytest.mark.parametrize("seconds", [52.0, 61.0])
def test_without_time_for_another_step_the_plan_ends(seconds):
    budget, plan = Budget(1.0, 1000), Plan(0, 0.0, 1000)
    budget.reserve(8.0)
    assert budget.fit(plan, 10, seconds).end == 10


pytestmark = pytest.mark.usefixtures("kept_graphs")


@pytest.fixture(scope="module")
def data(mnist):
    return tiny.dataset(mnist)


@pytest.fixture
def slow(monkeypatch):
    """A clock by which steps and evaluations take time, and all else takes none."""
    now, steps, bound = [0.0], Trainer.steps, Model.bound

    def timed_steps(trainer, first, order, *others):
        now[0] += STEP * len(order)
        return steps(trainer, first, order, *others)

    def timed_bound(model, bits, labels):
        now[0] += EVALUATION * len(bits) / 200
        return bound(model, bits, labels)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Trainer, "steps", timed_steps)
    monkeypatch.setattr(Model, "bound", timed_bound)
    return now


def _train(tmp_path, data, **changes):
    run = Run.create(tmp_path / "run", dataclasses.replace(tiny.CONFIG, **changes))
    return loop.train(run, data)


@pytest.mark.parametrize("epochs", [None, 1e5])
def test_a_run_ends_in_time_with_the_rate_all_the_way_down(
    data, tmp_path, slow, epochs
):
    """The evaluation at its end included, though none was due before."""
    last = _train(tmp_path, data, epochs=epochs, minutes=0.1, evaluate_every=1000)
    assert last["seconds"] >= 6.0 - MARGIN * EVALUATION - STEP * loop.BLOCK
    assert slow[0] <= 6.0
    assert last["learning_rate"] < 0.02 * tiny.CONFIG.learning_rate
    assert last["epoch"] > 4


def test_epochs_that_fit_are_all_done(data, tmp_path, slow):
    assert _train(tmp_path, data, epochs=2.0, minutes=5.0)["epoch"] == 2.0
