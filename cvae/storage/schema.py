"""The form of a value parsed from JSON: names, types and ranges.

A form is a `Form`, a list of one form (of every item), or a dict from names to forms.
A name that ends with "?" may be missing; the name "*" stands for every other name.
"""

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
