"""The command line: `cvae COMMAND`, or `python -m cvae COMMAND`."""

import gc
import importlib.util
import signal
import sys
from typing import NoReturn, Optional

from cvae.errors import leave


def main(command: Optional[str] = None) -> NoReturn:
    """Run the command line, and exit.

    A signal during the imports ends it with one line, too.

    Args:
        command: the name of the command, if a script calls it; None if it is the first
            of the arguments.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):
            signal.signal(number, leave)  # `run_main` takes over
    gc.set_threshold(10**6)  # imports and graphs make many objects and little garbage
    from cvae.cli import process, run_main
    from cvae.storage import checkout

    process.prepare()
    program, *arguments = sys.argv
    how = "python -m cvae" if program.endswith("__main__.py") else "cvae"
    how = checkout.command(command) if command else how
    remedy = "install the package again, with its requirements"
    if checkout.IS_CHECKOUT:
        remedy = f"run `make env`, then `.venv/bin/{how}`"
    _check_python(remedy)
    from cvae import commands

    if command:
        run_main(lambda: commands.run_one(how, command, arguments))
    else:
        run_main(lambda: commands.run(how, arguments))


def _check_python(remedy):
    """Exit with one line, which ends with `remedy`, where a package is missing."""
    if sys.flags.optimize > 1:
        sys.stderr.write(
            "error: TensorFlow needs docstrings, which -OO removes; leave out -OO and "
            "PYTHONOPTIMIZE=2\n"
        )
        sys.exit(2)
    for module in ("numpy", "tensorflow"):
        if importlib.util.find_spec(module) is None:
            sys.stderr.write(f"error: this Python has no {module}; {remedy}\n")
            sys.exit(2)


if __name__ == "__main__":
    main()
