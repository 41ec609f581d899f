"""Numbers as the report writes them: true minus, thousands separators, no line breaks.

`rounded` of `plotting.style` rounds them as the figures do.
"""

from typing import Any, Dict, Sequence

import numpy as np

from cvae.plotting.style import rounded

MINUS = "\u2212"
SPACE = "\u00a0"  # where a line must not end
THIN_SPACE = "\u202f"


def number(value: float, places: int = 2) -> str:
    """Return `value` with `places` decimals."""
    return rounded(value, places).replace("-", MINUS)


def whole(value: float) -> str:
    """Return `value` rounded to a whole number."""
    return number(value, 0)


def with_error(estimate: Dict[str, float], places: int = 2) -> str:
    """Return a mean and its standard error: "-80.25 ± 0.21"."""
    mean, error = (number(estimate[part], places) for part in ("mean", "stderr"))
    return f"{mean}{SPACE}±{SPACE}{error}"


def percent(share: float, places: int = 2) -> str:
    """Return a share of 1 in percent: "1.23 %"."""
    return f"{number(100 * share, places)}{THIN_SPACE}%"


def interval(found: Dict[str, float], places: int = 2) -> str:
    """Return the shares `low` to `high` in percent: "1.03 to 1.47 %"."""
    return f"{number(100 * found['low'], places)} to {percent(found['high'], places)}"


def count(n: int, one: str, many: str) -> str:
    """Return a number of things: "no images", "one image" or "1,000 images"."""
    if n < 2:
        return f"one {one}" if n else f"no {many}"
    return f"{whole(n)}{SPACE}{many}"


def listed(items: Sequence[Any]) -> str:
    """Return "1", "1 and 2" or "1, 2 and 3"."""
    *most, last = map(str, items)
    return f"{', '.join(most)} and {last}" if most else last


def duration(seconds: float) -> str:
    """Return a duration in seconds, or in minutes from two minutes on."""
    if seconds < 120:
        return f"{whole(seconds)} seconds"
    return f"{number(seconds / 60, 1)} minutes"


def setting(value: Any) -> str:
    """Return a value of `Config` as a reader writes it."""
    if value is None or isinstance(value, str):
        return value or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, int):
        return whole(value)
    return np.format_float_positional(value, trim="-").replace("-", MINUS)
