"""What every script shares: its arguments' look, and errors as one line."""

import argparse
import contextlib
import logging
import os
import signal
import sys

from cvae.errors import CvaeError, shown, suggestion

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # else `nohup` asks to go on
    STOP_SIGNALS += (signal.SIGHUP,)  # the terminal was closed


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` with defaults in its help and errors on one line."""

    def __init__(self, doc):
        summary, _, epilog = doc.partition("\n")
        super().__init__(
            description=summary,
            epilog=epilog.strip(),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(self, args=None, namespace=None):
        """Parse as `ArgumentParser` does; suggest the nearest of a mistyped option."""
        try:
            arguments, unknown = self.parse_known_args(args, namespace)
        except IndexError:  # that is all argparse has to say of `-h=`
            self.error("-h= is no option")
        for text in unknown:
            name = text.partition("=")[0]
            guess = suggestion(name, list(self._option_string_actions))
            self.error(f"there is no {shown(name)}; {guess}".strip("; "))
        return arguments

    def error(self, message):
        """Exit with status 2 after one line that says what is wrong."""
        self.exit(2, "error: {} (see --help)\n".format(" ".join(message.split())))


class _HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    def _get_help_string(self, action):
        shown = action.default is not None and action.default is not False
        return super()._get_help_string(action) if shown else action.help


def run_main(main):
    """Run `main()` and exit: 0, its status, or 2 with one line for a `CvaeError`."""
    # TensorFlow's notes on deprecation and on missing GPUs are not for our readers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    if hasattr(sys.stdout, "reconfigure"):  # a name that this terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        status = 128 + (stop.args or (signal.SIGINT,))[0]
        print("interrupted", file=sys.stderr)
    except BrokenPipeError:
        # The reader went away (`… | head`): nothing left to say, nowhere to say it.
        status = 0
    except (CvaeError, OSError, MemoryError) as error:
        status = 2
        print(f"error: {_one_line(error)}", file=sys.stderr)
    for number in STOP_SIGNALS:  # all is done: nothing to interrupt but the exit
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # the disk that it goes to is full
            stream.flush()
    os._exit(status or 0)  # TensorFlow takes half a second and more to fall apart


def _one_line(error):
    if isinstance(error, MemoryError):
        return "out of memory; make batch_size, hidden or --per-class smaller"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {shown(error.filename)}"
    return " ".join(str(error).split())


def _interrupt(number, frame):
    """Leave through every `finally`; the same signal again kills at once."""
    if _importing(frame):  # TensorFlow's modules swallow the exception
        os.write(2, b"interrupted\n")
        os._exit(128 + number)
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt(number)


def _importing(frame):
    while frame and "importlib" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None
