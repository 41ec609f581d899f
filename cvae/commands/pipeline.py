"""Run all stages, from the data to the run's report.pdf (`make report`).

cvae pipeline
cvae pipeline --preset quick --output report-quick
cvae pipeline --dataset path/to/data
"""

from cvae.cli import options
from cvae.config import PRESETS
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
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


def main(arguments):
    """Run the stages; return the exit status."""
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
