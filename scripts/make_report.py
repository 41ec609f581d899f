"""Run all stages, from the data to the run's report.pdf (`make report`).

python scripts/make_report.py
python scripts/make_report.py --preset quick --output report-quick
python scripts/make_report.py --dataset path/to/data
"""

import _env  # noqa: F401  (first: a clear line when the environment is missing)

from cvae import cli
from cvae.cli import options
from cvae.config import PRESETS
from cvae.storage import files


def main():
    """Parse the command line and run the stages."""
    parser = cli.Parser(__doc__)
    options.add_mnist_dir(parser)
    parser.add_argument(
        "--preset",
        default="default",
        type=options.choice(PRESETS),
        metavar="NAME",
        help=f"settings of the run: {' or '.join(PRESETS)}",
    )
    options.add_fields(parser, ("dataset", "class_names", "test_share", "binarize"))
    options.add_side(parser)
    options.add_output_dir(parser)
    arguments = parser.parse_args()
    if arguments.output:
        files.check_place(arguments.output)
    from cvae.report import pipeline  # imports TensorFlow

    return pipeline.make_report(
        arguments.preset,
        arguments.output,
        arguments.mnist_dir,
        arguments.side,
        **options.given(arguments),
    )


if __name__ == "__main__":
    cli.run_main(main)
