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


# The files of a run directory --------------------------------------------------------


def _are_versions(value):
    """Return whether it lists one version, or more if training continued on others."""
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


_IMPLEMENTATIONS = Form("a list of implementations of ZhuSuan", _are_versions)
_ESTIMATE = {"mean": NUMBER, "stderr": AMOUNT}
_WITH_PARTICLES = dict(_ESTIMATE, particles=WHOLE)
_BOUNDS = ("bound", "reconstruction", "kl", "kl_sampled")
_AIS = {
    "images": WHOLE,
    "chains": WHOLE,
    "temperatures": WHOLE,
    "leapfrog_steps": WHOLE,
    "acceptance": SHARE,
    "log_likelihood": _ESTIMATE,
    "importance": _ESTIMATE,
    "difference": _ESTIMATE,
    "simulated": {
        "images": WHOLE,
        "forward": _ESTIMATE,
        "backward": _ESTIMATE,
        "gap": _ESTIMATE,
        "importance": _ESTIMATE,
    },
}
_MISTAKE = {"image": WHOLE, "class": WHOLE, "predicted": WHOLE, "log_odds": AMOUNT}
EVALUATION = {
    **{name: _ESTIMATE for name in _BOUNDS},
    "log_likelihood": _WITH_PARTICLES,
    "marginal": _WITH_PARTICLES,
    "growth": [
        {
            "particles": WHOLE,
            "log_likelihood": _ESTIMATE,
            "marginal": _ESTIMATE,
            "gain?": _ESTIMATE,
        }
    ],
    "ess": {"median": AMOUNT, "p5": AMOUNT, "particles": WHOLE},
    "classifier": {
        "errors": WHOLE,
        "n_images": WHOLE,
        "error_rate": SHARE,
        "low": SHARE,
        "high": SHARE,
        "log_loss": _ESTIMATE,
        "particles": WHOLE,
        "confusion": [[WHOLE]],
        "mistakes": [_MISTAKE],
    },
    "latent": {
        "kl": [NUMBER],
        "activity": [AMOUNT],
        "active": WHOLE,
        "threshold": NUMBER,
    },
    "ais?": _AIS,
    "train_bound": dict(_ESTIMATE, n_images=WHOLE),
    "per_class": [
        {
            **{name: NUMBER for name in _BOUNDS},
            "log_likelihood": NUMBER,
            "marginal": NUMBER,
            "class": WHOLE,
            "n": WHOLE,
            "errors": WHOLE,
        }
    ],
    "n_images": WHOLE,
    "bits_seed": WHOLE,
    "dataset": TEXT,
    "note": TEXT,
    "step": WHOLE,
    "zhusuan": {"trained": _IMPLEMENTATIONS, "evaluated": _IMPLEMENTATIONS},
}
