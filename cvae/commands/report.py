"""Write the report on a run: report.pdf, results.json and figures/.

cvae report
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


def main(arguments):
    """Build the report, and print the paths of its files."""
    if arguments.output:
        files.check_place(arguments.output)
    run = find_or_unpack(arguments.run)
    dataset, _ = load_for(run, arguments.mnist_dir, arguments.dataset)
    paths = document.build(run, arguments.output or run.path, dataset)
    for path in paths:
        print(path)
    print(f"{typst.page_count(paths[-1].read_bytes())} pages")
