"""The form of a value parsed from JSON: names, types and ranges.

A form is a `Form`, a list of one form (of every item), or a dict from names to forms.
A name that ends with "?" may be missing; the name "*" stands for every other name.
"""

import re
from typing import Any, Callable, NamedTuple

from cvae.errors import CvaeError, shown


class Form(NamedTuple):
    """A condition on a single value, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value):
    return type(value) is int and 0 <= value < 2**63


def _is_number(value):
    return type(value) in (int, float) and abs(value) < 1e30  # NaN is not


def _is_text(value):
    return isinstance(value, str) and len(value) <= 1000 and value.isprintable()


WHOLE = Form("a whole number", _is_whole)
NUMBER = Form("a finite number", _is_number)
AMOUNT = Form("a number from 0 up", lambda value: _is_number(value) and not value < 0)
NUMBER_OR_NULL = Form(
    "a finite number or null", lambda value: value is None or _is_number(value)
)
SHARE = Form("a share from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
TEXT = Form("a line of text", _is_text)


def check(value: Any, form: Any, place: str) -> None:
    """Raise `CvaeError` with the `place` unless `value` has the `form`."""
    if isinstance(form, dict):
        _check_object(value, form, place)
    elif isinstance(form, list):
        if not isinstance(value, list):
            raise CvaeError(f"{place} is {shown(value)}, not a list")
        for number, item in enumerate(value):
            check(item, form[0], f"{place}[{number}]")
    elif not form.fits(value):
        raise CvaeError(f"{place} is {shown(value)}, not {form.words}")


def _check_object(value, form, place):
    if not isinstance(value, dict):
        raise CvaeError(f"{place} is {shown(value)}, not an object")
    inner = {name.rstrip("?"): part for name, part in form.items()}
    for name in form:
        if name[-1] not in "?*" and name not in value:
            raise CvaeError(f"{place} has no {name}")
    for name, item in value.items():
        part = inner.get(name, inner.get("*"))
        if part is None:
            raise CvaeError(f"{place} has an unknown {shown(name)}")
        check(item, part, f"{place}: {shown(name)}")


# The files of a run directory --------------------------------------------------------


def _is_plan(value):
    """`schedule.Plan`: start, progress, end."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and WHOLE.fits(value[0])
        and NUMBER.fits(value[1])
        and WHOLE.fits(value[2])
    )


def _are_versions(value):
    """Return whether it lists one version, or more if training continued on others."""
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_checkpoint_name(value):
    name = re.compile(r"step-[0-9]{9,18}\.npz")
    return isinstance(value, str) and bool(name.fullmatch(value))


def _is_sha256(value):
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value))


CHECKPOINT_NAME = Form("the name of a checkpoint", _is_checkpoint_name)
_ENTRY = {"file": CHECKPOINT_NAME, "sha256": Form("a SHA-256", _is_sha256)}
INDEX = {"recent": [_ENTRY], "best?": _ENTRY}
_IMPLEMENTATIONS = Form("a list of implementations of ZhuSuan", _are_versions)
PROGRESS = {
    "step": WHOLE,
    "plan": Form("a plan", _is_plan),
    "seconds?": AMOUNT,
    "bound_sum?": NUMBER,
    "bound_steps?": WHOLE,
    "best?": NUMBER_OR_NULL,
    "tensorflow?": Form("a list of versions", _are_versions),
    "zhusuan?": _IMPLEMENTATIONS,
}
METRICS_ROW = {
    "step": WHOLE,
    "epoch": AMOUNT,
    "seconds": AMOUNT,
    "train_bound": NUMBER,
    "*": NUMBER,
}
