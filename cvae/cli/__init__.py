"""What scripts share: arguments, options, errors as one line, exit statuses."""

from cvae.cli.parser import STOP_SIGNALS, Parser, run_main

__all__ = ["STOP_SIGNALS", "Parser", "run_main"]
