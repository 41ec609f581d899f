"""What every script shares: help, errors as one line, exit statuses."""

import argparse
import errno
import os
import signal
import sys
from typing import Any, Callable, NoReturn, Optional, Tuple

from cvae.cli import process
from cvae.errors import CvaeError, leave, shown, suggestion

STOP_SIGNALS: Tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under `nohup`
    STOP_SIGNALS += (signal.SIGHUP,)  # the terminal was closed
_NO_READER = (errno.EPIPE, errno.EIO)  # `... | head`, or the terminal was closed


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that prints defaults in its help, and errors as one line.

    Its help begins with the first line of `doc` and ends with the others. `prog` is
    what the user types to call the program, by default the name of the script.
    """

    def __init__(self, doc, prog=None):
        summary, _, epilog = doc.partition("\n")
        super().__init__(
            prog=prog,
            description=summary,
            epilog=epilog.strip(),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `ArgumentParser` does; suggest the nearest to a mistyped option."""
        try:
            arguments, unknown = self.parse_known_args(args, namespace)
        except IndexError:  # what argparse raises for `-h=`
            self.error("-h= is not an option")
        for text in unknown:
            name = text.partition("=")[0]
            guess = suggestion(name, list(self._option_string_actions))
            self.error(f"there is no {shown(name)}; {guess}".strip("; "))
        return arguments

    def error(self, message: str) -> NoReturn:
        """Print one line that names what is wrong, and exit with status 2."""
        self.exit(2, f"error: {' '.join(message.split())} (see --help)\n")


class _HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    def _get_help_string(self, action):
        shown = action.default is not None and action.default is not False
        return super()._get_help_string(action) if shown else action.help


def run_main(main: Callable[[], Optional[int]]) -> NoReturn:
    """Run `main()` and exit: 0, its status, or 2 with one line for a `CvaeError`."""
    process.prepare()
    try:
        _on_stop_signals(_interrupt)
        status = _status(main)
        _on_stop_signals(signal.SIG_IGN)  # the work is done: only the exit is left
    except KeyboardInterrupt as stop:
        status = 128 + (stop.args or (signal.SIGINT,))[0]
        print("interrupted", file=sys.stderr)
    stdout: Any = sys.stdout  # a `process.Output`, since `prepare`
    stdout.flush()
    fault = stdout.fault
    if fault and fault.errno not in _NO_READER and not status:
        status = _refuse(f"cannot write the output: {fault.strerror or fault}")
    sys.stderr.flush()
    process.clean()
    os._exit(status)  # the end of the interpreter takes TensorFlow half a second


def _status(main):
    try:
        return main() or 0
    except SystemExit as end:  # of the parser: help, or a bad option
        return end.code or 0
    except (CvaeError, OSError, MemoryError) as error:
        return _refuse(_one_line(error))


def _refuse(reason):
    print(f"error: {reason}", file=sys.stderr)
    return 2


def _one_line(error):
    if isinstance(error, MemoryError):
        return "out of memory; make batch_size, hidden or --per-class smaller"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {shown(error.filename)}"
    return " ".join(str(error).split())


def _interrupt(number, frame):
    """Leave through every `finally`; a second signal kills at once."""
    if _importing(frame):  # TensorFlow's modules swallow the exception
        process.clean()
        leave(number)
    _on_stop_signals(signal.SIG_DFL)
    raise KeyboardInterrupt(number)


def _on_stop_signals(handler):
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


def _importing(frame):
    while frame and "importlib" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None
