"""Write the explorer of a run: one HTML file in which the model writes your digits.

cvae explore --open
cvae explore --run runs/report-default --output explorer.html
"""

import webbrowser

from cvae.cli import options
from cvae.data.download import Unavailable
from cvae.errors import note
from cvae.runs.dataset_file import load_for
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    options.add_data(parser)
    parser.add_argument(
        "--output",
        type=options.page,
        metavar="HTML",
        help="file for the page, .html (default: explorer.html in the run)",
    )
    parser.add_argument(
        "--open", action="store_true", help="open the page in the browser"
    )


def main(arguments):
    """Write the page, print its path, and open it."""
    run = find_or_unpack(arguments.run)
    path = arguments.output or run.path / "explorer.html"
    files.check_place(path.parent)
    try:
        dataset, _ = load_for(run, arguments.mnist_dir, arguments.dataset)
    except Unavailable:  # the page is built without examples
        dataset = None
    from cvae.report import explorer  # imports TensorFlow

    explorer.write(run, path, dataset)
    print(path)
    if arguments.open and not webbrowser.open(path.resolve().as_uri()):
        note(f"there is no browser here: open {path} in one")
