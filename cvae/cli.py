"""What every script shares: its arguments' look, and errors as one line."""

import argparse
import logging
import os
import sys

from cvae.errors import CvaeError


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

    def error(self, message):
        """Exit with status 2 after one line that says what is wrong."""
        self.exit(2, "error: {} (see --help)\n".format(message))


class _HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    def _get_help_string(self, action):
        return super()._get_help_string(action) if action.default else action.help


def run_main(main):
    """Run `main()` and exit: 0, its status, or 2 with one line for a `CvaeError`."""
    # TensorFlow's notes on deprecation and on missing GPUs are not for our readers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        status = main()
        sys.stdout.flush()
    except CvaeError as error:
        status = 2
        print("error: {}".format(" ".join(str(error).split())), file=sys.stderr)
    except KeyboardInterrupt:
        status = 130
        print("interrupted", file=sys.stderr)
    except BrokenPipeError:
        # The reader went away (`… | head`): nothing left to say, nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
