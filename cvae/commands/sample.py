"""Generate images of every class: a labelled grid (PNG) and the arrays (.npz).

cvae sample --per-class 10
cvae sample --same-style --per-class 12
cvae sample --classes 3,7 --binary --seed 1 --output two.png
"""

from cvae.cli import options
from cvae.runs.pretrained import find_or_unpack


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    parser.add_argument(
        "--per-class",
        type=options.whole(1, 1000),
        default=10,
        metavar="N",
        help="samples of each class",
    )
    parser.add_argument(
        "--classes",
        type=options.names,
        metavar="C,C",
        help="classes to generate, by name or number (default: all of the run's)",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--mean", action="store_true", help="write the means of x (the default)"
    )
    kind.add_argument("--binary", action="store_true", help="write draws of x")
    parser.add_argument(
        "--same-style",
        action="store_true",
        help="use one z for each column, in all rows",
    )
    parser.add_argument(
        "--seed",
        type=options.whole(0, 2**31 - 1),
        default=0,
        metavar="N",
        help="seed of the draws of z and x",
    )
    parser.add_argument(
        "--output",
        type=options.picture,
        metavar="PNG",
        help="file for the grid, .png or .svg; the arrays go beside it as .npz "
        "(default: figures/samples.png and samples.npz in the run)",
    )


def main(arguments):
    """Generate, and print the paths of the files."""
    run = find_or_unpack(arguments.run)
    classes = arguments.classes and run.data.numbers_of(arguments.classes)
    from cvae.report import samples  # imports TensorFlow

    how = samples.SampleOptions(arguments.binary, arguments.same_style, arguments.seed)
    for path in samples.write_samples(
        run, arguments.output, classes, arguments.per_class, how
    ):
        print(path)
