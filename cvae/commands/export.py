"""Write a run as a folder to share: weights, results, model card and pictures.

cvae export
cvae export --run runs/report-best --output my-model

Model hubs take the folder as it is. Every command that reads a run takes it as --run.
"""

from cvae.cli import options
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files

FOLDER = "hub"  # in the run


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    parser.add_argument(
        "--output",
        type=options.path,
        metavar="DIR",
        help=f"directory to write to; left out, {FOLDER}/ in the run",
    )


def main(arguments):
    """Write the folder, and print the paths of its files."""
    run = find_or_unpack(arguments.run)
    folder = arguments.output or run.path / FOLDER
    files.check_place(folder)
    from cvae.report import sharing  # imports TensorFlow

    for path in sharing.export(run, folder):
        print(path)
