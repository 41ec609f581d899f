"""Errors, warnings and notes for users, one line each, and the phrases in them."""

import functools
import os
import sys
from typing import Any, Iterable, NoReturn, Sequence


class CvaeError(Exception):
    """Bad input or a failed environment, as one line: what failed, why, what to do.

    Scripts print it as ``error: …`` and exit with status 2 (`cvae.cli.run_main`).
    """


def note(text: str) -> None:
    """Print a note to stderr."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


@functools.lru_cache(maxsize=None)
def warn_once(text: str) -> None:
    """Print a warning to stderr, unless this process has printed it before."""
    warn(text)


def leave(number: int, *unused: Any) -> NoReturn:
    """Exit at once, with the status of a process that the signal `number` ends."""
    try:
        os.write(2, b"interrupted\n")
    finally:  # the terminal may be closed
        os._exit(128 + number)


def suggest(name: Any, valid: Iterable[Any]) -> str:
    """Return a phrase that lists the valid names and suggests the nearest to `name`."""
    names = [str(v) for v in valid]
    return f"{suggestion(name, names)}choose from {', '.join(names)}"


def suggestion(name: Any, valid: Sequence[str]) -> str:
    """Return "did you mean …? " if `name` is similar to one in `valid`, else ""."""
    import difflib

    close = difflib.get_close_matches(str(name)[:100], valid, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def shown(value: Any) -> str:
    """Return `repr(value)`, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
