"""The commands of `cvae`, one module each.

The docstring of a command's module is its help. `add_options(parser)` adds its options;
`main(arguments)` does the work, and returns an exit status or None. TensorFlow is
imported in `main`, after the input is checked.
"""

import importlib
import re
from typing import List, Optional

import cvae
from cvae.cli import Parser
from cvae.errors import shown, suggest
from cvae.storage import checkout

NAMES = (
    *("data", "train", "sample", "evaluate", "draw", "report", "pipeline"),
    *("explore", "sweep", "export", "binarize", "completion"),
)


def run(program: str, arguments: List[str]) -> Optional[int]:
    """Run the command that the arguments begin with; return its exit status.

    Args:
        program: what the user typed before the arguments, for the help.
    """
    if arguments and arguments[0] in NAMES:
        name = arguments[0]
        return run_one(f"{program} {name}", name, arguments[1:])
    parser = parser_of_all(program)
    if arguments and not arguments[0].startswith("-"):
        found = suggest(arguments[0], NAMES)
        parser.error(f"there is no command {shown(arguments[0])}: {found}")
    parser.parse_args(arguments or ["--help"])
    return None


def run_one(program: str, name: str, arguments: List[str]) -> Optional[int]:
    """Run the command `name`, as `run` does; `program` includes it."""
    return _module(name).main(parser_of(name, program).parse_args(arguments))


def parser_of(name: str, program: str) -> Parser:
    """Return the parser of the command `name`; `program` is what the user typed."""
    parser = Parser(_help(name), program)
    _module(name).add_options(parser)
    return parser


def parser_of_all(program: str = "cvae") -> Parser:
    """Return a parser that has the commands with all of their options."""
    parser = Parser("Train, use and evaluate a class-conditional VAE.", program)
    parser.add_argument(
        *("--version", "-V"),
        action="version",
        version=f"cvae {cvae.__version__}",
        help="print the version",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in NAMES:
        doc = _help(name)
        summary = doc.partition("\n")[0].rstrip(".")
        _module(name).add_options(commands.add_parser(name, help=summary, doc=doc))
    return parser


def _module(name):
    return importlib.import_module(f"{__name__}.{name}")


def _help(name):
    """Return the docstring of a command, with commands as a user types them here."""
    spelt = re.compile(rf"\bcvae ({'|'.join(NAMES)})\b")
    doc = _module(name).__doc__
    return spelt.sub(lambda match: checkout.command(match.group(1)), doc)
