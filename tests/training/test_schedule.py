"""The plan, the learning rate and the order of images are functions of the step."""

import dataclasses
import math

import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cvae.config import Config
from cvae.training import schedule
from cvae.training.schedule import Plan


@fuzz(60)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 60))
def test_every_image_is_seen_once_an_epoch_whatever_the_batch(size, n_steps, n_images):
    config = Config(batch_size=size)
    seen = schedule.order(0, n_steps, n_images, config).ravel()
    for start in range(0, len(seen) - n_images + 1, n_images):
        epoch = seen[start : start + n_images]
        assert sorted(epoch) == list(range(n_images))


@fuzz(60)
@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 9))
def test_the_order_does_not_depend_on_how_steps_are_grouped(first, left, right):
    config = Config(batch_size=7)
    both = schedule.order(first, left + right, 20, config)
    parts = [
        schedule.order(first, left, 20, config),
        schedule.order(first + left, right, 20, config),
    ]
    np.testing.assert_array_equal(both, np.concatenate(parts))


def test_another_seed_or_epoch_is_another_order():
    orders = [schedule.order(0, 2, 100, Config(batch_size=100, seed=s)) for s in (0, 1)]
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0][0], orders[0][1])


def test_the_cosine_starts_at_the_rate_halves_in_the_middle_and_ends_near_zero():
    config = Config(learning_rate=0.5, warmup=0, epochs=10.0, batch_size=10)
    plan = schedule.full_plan(config, 100)
    rates = schedule.rates(plan, 0, 100, config)
    assert plan == Plan(0, 0.0, 100)
    assert rates[0] == 0.5
    assert rates[50] == pytest.approx(0.25)
    assert rates[99] == pytest.approx(0.25 * (1 + math.cos(0.99 * math.pi)), rel=1e-5)
    assert (np.diff(rates) < 0).all()


def test_a_constant_schedule_stays_at_the_rate():
    config = Config(schedule="constant", learning_rate=0.25, warmup=0)
    assert (schedule.rates(Plan(0, 0.0, 9), 0, 9, config) == 0.25).all()


@pytest.mark.parametrize("kind", ["cosine", "constant"])
def test_a_warm_up_rises_in_a_line_to_the_schedule_and_is_gone(kind):
    plain = Config(schedule=kind, warmup=0, epochs=10.0, batch_size=10)
    warm = dataclasses.replace(plain, warmup=8)
    plan = schedule.full_plan(plain, 100)
    share = schedule.rates(plan, 0, 20, warm) / schedule.rates(plan, 0, 20, plain)
    np.testing.assert_allclose(share[:8], np.arange(1, 9) / 8, rtol=1e-6)
    assert (share[7:] == 1.0).all()


def test_a_plan_that_fits_is_not_touched():
    plan = Plan(0, 0.0, 100)
    assert schedule.refit(plan, 10, fits=90, goal=100) == plan
    assert schedule.refit(plan, 10, fits=10**6, goal=100) == plan


@fuzz(60)
@given(st.integers(1, 99), st.integers(1, 98))
def test_a_shortened_plan_goes_on_from_its_progress_and_ends_in_time(step, fits):
    plan = Plan(0, 0.0, 100)
    bent = schedule.refit(plan, step, fits, goal=100)
    assert bent.end == min(100, step + fits)
    assert bent.at(step) == pytest.approx(plan.at(step))
    assert bent.at(bent.end) == 1.0


def test_a_shortened_plan_grows_back_when_time_is_gained_but_not_past_the_goal():
    short = schedule.refit(Plan(0, 0.0, 100), 10, fits=40, goal=100)
    assert schedule.refit(short, 20, fits=31, goal=100).end == 51
    assert schedule.refit(short, 20, fits=500, goal=100).end == 100
    assert schedule.refit(short, 30, fits=20, goal=100) == short


def test_no_time_left_ends_the_plan_at_once():
    assert schedule.refit(Plan(0, 0.0, 100), 40, fits=-5, goal=100).end == 40


def test_a_run_that_only_time_ends_has_an_endless_plan_at_first():
    config = Config(epochs=None, minutes=1.0)
    assert schedule.full_plan(config, 60000).end == schedule.ENDLESS


@fuzz(60)
@given(st.floats(0.01, 1.0), st.integers(1, 99), st.integers(1, 98))
def test_the_importance_weighted_part_is_the_last_share_of_a_bent_plan_too(
    share, step, fits
):
    config = Config(iwae_share=share)
    whole = Plan(0, 0.0, 100)
    for plan in whole, schedule.refit(whole, step, fits, goal=100):
        start = schedule.iwae_start(plan, config)
        assert plan.at(start) >= 1.0 - share - 1e-9
        assert start == plan.start or plan.at(start - 1) < 1.0 - share + 1e-9


def test_there_is_no_importance_weighted_part_unless_it_is_asked_for():
    assert schedule.iwae_start(Plan(0, 0.0, 100), Config()) == schedule.ENDLESS
