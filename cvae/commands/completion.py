"""Print a script with which a shell completes the commands and options of `cvae`.

cvae completion bash > ~/.local/share/bash-completion/completions/cvae
cvae completion zsh > ~/.zfunc/_cvae    # a directory of $fpath, before compinit
"""

import argparse

import shtab

from cvae.cli import options

SHELLS = ("bash", "zsh", "tcsh")


def add_options(parser):
    """Add the options of the command."""
    parser.add_argument(
        "shell",
        nargs="?",
        type=options.choice(SHELLS),
        default="bash",
        metavar="SHELL",
        help=f"name of the shell, {' or '.join(SHELLS)}",
    )


def main(arguments):
    """Print the script."""
    from cvae import commands

    parser = commands.parser_of_all()
    _mark(parser)
    print(shtab.complete(parser, arguments.shell))


def _mark(parser):
    """Mark the options whose values are paths, or one of a few names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _mark(command)
        elif action.type in (options.path, options.picture, options.page):
            action.complete = shtab.FILE
        elif action.choices is None:
            action.choices = getattr(action.type, "valid", None)
