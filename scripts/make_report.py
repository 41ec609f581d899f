"""Do everything, from the data to report/report.pdf (`make report`).

python scripts/make_report.py
python scripts/make_report.py --preset quick --output /tmp/report
"""

import _env  # noqa: F401  (first: a clear line when the environment is missing)

from pathlib import Path

from cvae import cli, options
from cvae.config import PRESETS


def main():
    """Parse the command line and run the stages."""
    parser = cli.Parser(__doc__)
    options.add_mnist_dir(parser)
    parser.add_argument(
        "--preset", default="default", type=options.choice(PRESETS), metavar="NAME"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("report"),
        metavar="DIR",
        help="where report.pdf, its figures and results.json go",
    )
    arguments = parser.parse_args()
    from cvae import pipeline  # TensorFlow, once the command line is right

    return pipeline.make_report(arguments.preset, arguments.output, arguments.mnist_dir)


if __name__ == "__main__":
    cli.run_main(main)
