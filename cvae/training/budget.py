"""A time budget: the plan is shortened so that the run ends in time."""

from typing import Optional

from cvae.training import schedule
from cvae.training.schedule import Plan

MARGIN = 1.25  # times the measured seconds of the last evaluation and checkpoint


class Budget:
    """The `minutes` of a run, for all that it does from its first step to its end.

    Args:
        goal: the last step of the plan that time does not shorten.
    """

    def __init__(self, minutes: Optional[float], goal: int):
        self._limit = None if minutes is None else 60.0 * minutes
        self._goal = goal
        self._reserve = None  # type: Optional[float]  # seconds for the end of the run
        self._from = None  # step and seconds after the first block, which is slower

    def lacks_reserve(self) -> bool:
        """Return whether the end of the run should be measured now."""
        limited = self._limit is not None and self._from is not None
        return limited and self._reserve is None

    def reserve(self, seconds: float) -> None:
        """Reserve time for an end that takes so many `seconds`."""
        self._reserve = MARGIN * seconds

    def restart_pace(self) -> None:
        """Measure the pace from the end of the next block on."""
        self._from = None

    def fit(self, plan: Plan, step: int, seconds: float) -> Plan:
        """Return `plan`, changed at `step` to end in time at the pace so far.

        Args:
            seconds: how long the run has taken up to `step`.
        """
        if self._limit is None:
            return plan
        left = self._limit - seconds - (self._reserve or 0.0)
        if left <= 0.0:
            return schedule.refit(plan, step, 0, self._goal)
        if self._from is None:
            self._from = (step, seconds)
            return plan
        from_step, from_seconds = self._from
        elapsed = max(seconds - from_seconds, 1e-9)  # the clock may be coarse
        fits = int(left * (step - from_step) / elapsed)
        return schedule.refit(plan, step, fits, self._goal)
