"""Write the report on a run: report.pdf, results.json and figures/.

python scripts/build_report.py
python scripts/build_report.py --run runs/report-best --output report   # to publish it

The run has to be trained and evaluated first (scripts/train.py, scripts/evaluate.py).
"""

import _env  # noqa: F401  (first: a clear line when the environment is missing)

from cvae import cli
from cvae.cli import options
from cvae.report import document, typst
from cvae.runs.dataset_file import load_for
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files


def main():
    """Parse the command line, build the report, and print the paths of its files."""
    parser = cli.Parser(__doc__)
    options.add_run(parser)
    options.add_data(parser)
    options.add_output_dir(parser)
    arguments = parser.parse_args()
    if arguments.output:
        files.check_place(arguments.output)
    run = find_or_unpack(arguments.run)
    dataset, _ = load_for(run, arguments.mnist_dir, arguments.dataset)
    paths = document.build(run, arguments.output or run.path, dataset)
    for path in paths:
        print(path)
    print(f"{typst.page_count(paths[-1].read_bytes())} pages")


if __name__ == "__main__":
    cli.run_main(main)
