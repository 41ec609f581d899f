"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from typing import Any, Optional

from tqdm import tqdm


class Progress:
    """Print the progress of work of `total` units, `done` of them done before.

    A terminal shows a tqdm bar. A log gets the lines passed to `note`, and a line
    every half minute, without control characters. While the total is not known (None),
    no share and no time left are printed.
    """

    def __init__(
        self,
        total: Optional[int],
        done: int = 0,
        unit: str = "image",
        label: str = "",
    ):
        self._stream = sys.stderr
        self._bar: Optional[tqdm] = None
        if self._stream.isatty():
            self._bar = tqdm(
                total=total,
                initial=done,
                unit=unit,
                unit_scale=True,
                desc=label or None,
                dynamic_ncols=True,
                file=self._stream,
            )
        self._label, self._unit = label, unit
        self._total, self._done, self._began_with = total, done, done
        self._began = self._printed = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *unused: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(
        self, units: int, total: Optional[int] = None, remark: str = ""
    ) -> None:
        """Count `units` as done; `total` replaces the total if the plan changed."""
        self._done += units
        self._total = total or self._total
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.set_postfix_str(remark, refresh=False)
            self._bar.update(units)
        elif time.monotonic() - self._printed > 30.0:
            self.note(f"{self.summary()} {remark}".strip())

    def note(self, line: str) -> None:
        """Print `line` above the bar."""
        self._printed = time.monotonic()
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def summary(self) -> str:
        """Return share, rate and time left, ``40 %, 9,800 images/s, 5:12 left``."""
        elapsed = max(time.monotonic() - self._began, 1e-9)
        rate = (self._done - self._began_with) / elapsed
        text = f"{rate:,.{0 if rate >= 10 else 1}f} {self._unit}s/s"
        if self._total:
            share = 100.0 * self._done / self._total
            left = (self._total - self._done) / rate if rate else 0.0
            text = f"{share:.0f} %, {text}, {clock(left)} left"
        return f"{self._label}: {text}" if self._label else text


def clock(seconds: float) -> str:
    """Return a duration as m:ss or h:mm:ss."""
    minutes, seconds = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:02d}"
    return f"{minutes}:{seconds:02d}"
