"""Evaluate a run on the test images: bounds, log p(x|y), log p(x), classifier.

cvae evaluate
cvae evaluate --checks 0           # faster
cvae evaluate --run runs/20211224-183000 --particles 1000 --checks 500
cvae evaluate --backend dask --address tcp://10.0.0.1:8786

The command runs on ZhuSuan 0.4.0 if it is installed, otherwise on cvae.zs, this
package's implementation of the same interface. ZHUSUAN=real or ZHUSUAN=builtin
requires one of them. After an interruption, run the same command again to resume.
"""

from cvae.cli import options
from cvae.evaluation import MAX_CHECKS, tables
from cvae.inference.importance import MAX_PARTICLES
from cvae.runs.dataset_file import label_of, load_for
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser)
    options.add_data(parser, "; other data with the same classes are evaluated, too")
    parser.add_argument(
        "--particles",
        type=options.whole(1, MAX_PARTICLES),
        default=100,
        metavar="N",
        help="samples of z of each image and class for importance sampling",
    )
    parser.add_argument(
        "--checks",
        type=options.whole(0, MAX_CHECKS),
        default=200,
        metavar="N",
        help="images of each check of the likelihoods: test images that are estimated "
        "with the encoder's proposal too, and simulated images that are estimated from "
        "below and from above",
    )
    options.add_workers(parser)


def main(arguments):
    """Evaluate, and print the table."""
    workers = options.workers(arguments)
    run = find_or_unpack(arguments.run)
    files.check_place(run.path)  # now, not after the work
    dataset, is_own = load_for(run, arguments.mnist_dir, arguments.dataset, other=True)
    label = "" if is_own else label_of(dataset.name)
    from cvae.evaluation import evaluate  # TensorFlow, after all checks of the input

    results = evaluate.evaluate_run(
        run, dataset, arguments.particles, arguments.checks, workers, label
    )
    print(tables.evaluation_table(results))
