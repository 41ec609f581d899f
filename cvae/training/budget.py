"""A time budget: the plan is shortened so that the run ends in time."""

from typing import Optional

from cvae.training import schedule
from cvae.training.schedule import Plan

MARGIN = 1.25  # times the measured seconds of the last evaluation and checkpoint
SHARE = 0.02  # of the budget: calls take no longer, and a pace is known after so long
ENOUGH = 16  # steps after which a pace is known, too


class Budget:
    """The `minutes` of a run, from its first step to its last checkpoint.

    Args:
        goal: the last step of the plan that time does not shorten.
    """

    def __init__(self, minutes: Optional[float], goal: int):
        self._limit = None if minutes is None else 60.0 * minutes
        self._goal = goal
        self._reserve: Optional[float] = None  # seconds for the end of the run
        self.restart_pace(0, 0.0)

    def restart_pace(self, step: int, seconds: float) -> None:
        """Measure the pace again from `step` on, because it will be another one."""
        self._from = self._last = (step, seconds)
        self._is_warm = False  # the first steps of a trainer are slower
        self._step_seconds: Optional[float] = None  # of the last call

    def block(self, most: int) -> int:
        """Return how many steps the next call should take, up to `most`."""
        if self._limit is None:
            return most
        if self._step_seconds is None:
            return 1
        fits = SHARE * self._limit / max(self._step_seconds, 1e-9)
        return int(min(most, max(1, fits)))

    def lacks_reserve(self) -> bool:
        """Return whether the end of the run should be measured now."""
        return self._limit is not None and self._is_warm and self._reserve is None

    def reserve(self, seconds: float) -> None:
        """Reserve time for an end that takes so many `seconds`."""
        self._reserve = MARGIN * seconds

    def fit(self, plan: Plan, step: int, seconds: float) -> Plan:
        """Return `plan`, changed at `step` to end in time at the pace so far.

        Args:
            seconds: how long the run has taken up to `step`.
        """
        if self._limit is None:
            return plan
        last_step, last_seconds = self._last
        self._step_seconds = (seconds - last_seconds) / max(step - last_step, 1)
        self._last = (step, seconds)
        left = self._limit - seconds - (self._reserve or 0.0)
        if left <= 0.0:
            return schedule.refit(plan, step, 0, self._goal)
        n_steps, elapsed = step - self._from[0], seconds - self._from[1]
        if n_steps < ENOUGH and elapsed < SHARE * self._limit:
            return plan
        if not self._is_warm:
            self._from, self._is_warm = (step, seconds), True
            return plan
        fits = int(left * n_steps / max(elapsed, 1e-9))  # the clock may be coarse
        return schedule.refit(plan, step, fits, self._goal)
