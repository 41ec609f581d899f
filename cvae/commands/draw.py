"""Draw the figures of a run: all of them, or those that are named.

cvae draw
cvae draw transfer interpolations --format svg --output drawings
"""

import numpy as np

from cvae.cli import options
from cvae.report import figures, words
from cvae.runs.dataset_file import load_for
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
    parser.add_argument(
        "names",
        nargs="*",
        type=options.choice(figures.NAMES),
        metavar="NAME",
        help=f"figures to draw: {', '.join(figures.NAMES)} (default: all)",
    )
    options.add_run(parser)
    options.add_data(parser)
    parser.add_argument(
        "--output",
        type=options.path,
        metavar="DIR",
        help="directory for NAME.png and NAME.svg (default: figures/ in the run)",
    )
    parser.add_argument(
        "--format",
        type=options.choice(("png", "svg")),
        metavar="{png,svg}",
        help="the only format to write (default: both)",
    )


def main(arguments):
    """Draw, and print paths and measured numbers."""
    run = find_or_unpack(arguments.run)
    dataset, _ = load_for(run, arguments.mnist_dir, arguments.dataset)
    suffixes = [f".{arguments.format}"] if arguments.format else [".png", ".svg"]
    folder = arguments.output or run.figures_dir
    files.check_place(folder)
    facts = figures.draw(run, dataset, folder, arguments.names, suffixes)
    for line in words.key(run.data):
        print(line)
    for name in facts:
        for suffix in suffixes:
            print(folder / (name + suffix))
        for fact, value in facts[name].items():
            print(f"  {fact}: {np.round(value, 4)}")
