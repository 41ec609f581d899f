"""The one exception type that a person is meant to read."""


class CvaeError(Exception):
    """Bad input or a failed environment: one line, what is wrong and what to do.

    Scripts print it as ``error: …`` and exit with status 2 (`cvae.cli.run_main`).
    """


def nearest(name, valid):
    """Sentence that lists the valid names and suggests the one nearest to `name`."""
    import difflib

    close = difflib.get_close_matches(str(name), [str(v) for v in valid], n=1)
    guess = "did you mean {!r}? ".format(close[0]) if close else ""
    return "{}choose from {}".format(guess, ", ".join(str(v) for v in valid))
