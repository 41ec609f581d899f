"""Write a run's weights in half precision to data/pretrained, for the repository.

cvae export --run runs/report-best
"""

from cvae.cli import options
from cvae.runs import pretrained
from cvae.runs.run import find


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    parser.add_argument(
        "--output",
        type=options.path,
        default=pretrained.HERE,
        metavar="DIR",
        help="directory to write the run to",
    )


def main(arguments):
    """Write the run, and print its path."""
    pretrained.export(find(arguments.run), arguments.output)
    print(arguments.output)
