"""Write the report on a run: report.pdf or report.html, results.json and figures/.

cvae report
cvae report --format html                        # one file for a browser or a phone
cvae report --run runs/report-best --output report   # to publish it

The run has to be trained and evaluated first (`cvae train`, `cvae evaluate`).
"""

from cvae.cli import options
from cvae.report import document, typst
from cvae.runs.dataset_file import load_for
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    options.add_data(parser)
    options.add_output_dir(parser)
    parser.add_argument(
        "--format",
        type=options.choice(tuple(document.FORMS)),
        default="pdf",
        metavar="{pdf,html}",
        help="pages to print (pdf), or one page for screens of any width (html)",
    )


def main(arguments):
    """Build the report, and print the paths of its files."""
    run = find_or_unpack(arguments.run)
    folder = arguments.output or run.path
    files.check_place(folder)
    dataset, _ = load_for(run, arguments.mnist_dir, arguments.dataset)
    paths = document.build(run, folder, dataset, arguments.format)
    for path in paths:
        print(path)
    if arguments.format == "pdf":
        print(f"{typst.page_count(paths[-1].read_bytes())} pages")
