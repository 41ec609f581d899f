"""Evaluate a run on the test images: bounds and log p(x|y), in nats.

python scripts/evaluate.py
python scripts/evaluate.py --run runs/20211224-183000 --particles 1000
"""

import _env  # noqa: F401  (first: a clear line when the environment is missing)

from cvae import cli, mnist, options
from cvae.run import find


def main():
    """Parse the command line, evaluate, print the table."""
    parser = cli.Parser(__doc__)
    options.add_run(parser)
    options.add_mnist_dir(parser)
    parser.add_argument(
        "--particles",
        type=options.whole(1, 10**6),
        default=100,
        metavar="N",
        help="samples of z an image for the importance-sampled log p(x|y)",
    )
    arguments = parser.parse_args()
    run = find(arguments.run)
    dataset = mnist.load(run.config.dataset, arguments.mnist_dir)
    from cvae import evaluation  # TensorFlow, once everything else is right

    results = evaluation.evaluate_run(run, dataset, arguments.particles)
    print(evaluation.table(results))


if __name__ == "__main__":
    cli.run_main(main)
