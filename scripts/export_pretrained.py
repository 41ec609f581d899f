"""Write a run's weights in half precision to data/pretrained, for the repository.

python scripts/export_pretrained.py --run runs/report-best
"""

import _env  # noqa: F401  (first: a clear line when the environment is missing)

from cvae import cli
from cvae.cli import options
from cvae.runs import pretrained
from cvae.runs.run import find


def main():
    """Parse the command line, write the run, and print its path."""
    parser = cli.Parser(__doc__)
    options.add_run(parser)
    parser.add_argument(
        "--output",
        type=options.path,
        default=pretrained.HERE,
        metavar="DIR",
        help="directory to write the run to",
    )
    arguments = parser.parse_args()
    pretrained.export(find(arguments.run), arguments.output)
    print(arguments.output)


if __name__ == "__main__":
    cli.run_main(main)
