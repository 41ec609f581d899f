"""The one exception type that a person is meant to read."""


class CvaeError(Exception):
    """Bad input or a failed environment: one line, what is wrong and what to do.

    Scripts print it as ``error: …`` and exit with status 2 (`cvae.cli.run_main`).
    """


def suggest(name, valid):
    """Sentence that lists the valid names and suggests the one nearest to `name`."""
    names = [str(v) for v in valid]
    return "{}choose from {}".format(suggestion(name, names), ", ".join(names))


def suggestion(name, valid):
    """Return "did you mean …? " if one of the names in `valid` is near, else ""."""
    import difflib

    close = difflib.get_close_matches(str(name)[:100], valid, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def shown(value):
    """Return `value` as source text, cut where it would fill a screen."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
