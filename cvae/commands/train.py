"""Train the class-conditional VAE, on MNIST or on other labelled images.

cvae train                          # at most 10 minutes
cvae train --preset quick           # at most 2.5 minutes
cvae train --preset best            # at most 150 minutes
cvae train --minutes 60 --hidden 1000,1000 --run runs/wide
cvae train --dataset path/to/data   # images of your own, with classes
cvae train --resume                 # continues the newest run
cvae train --resume --epochs 200    # and trains it further
cvae train --from runs/wide         # starts from the weights of another

Uses ZhuSuan 0.4.0 if it is installed, else cvae.zs, this package's implementation of
the same interface; ZHUSUAN=real or ZHUSUAN=builtin allows only that one.
"""

from cvae.cli import options
from cvae.config import preset
from cvae.data.prepare import load_and_fit
from cvae.errors import CvaeError
from cvae.runs import successors
from cvae.runs.dataset_file import load_for
from cvae.runs.run import Run, find

LIMITS = {"epochs", "minutes"}


def add_options(parser):
    """Add the options of the command."""
    options.add_run(parser, "runs/<date>-<time>, with --resume the newest one")
    options.add_mnist_dir(parser)
    options.add_side(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue a run that was stopped, or with --epochs or --minutes one that "
        "is trained, to a new end",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        type=options.path,
        metavar="DIR",
        help="run whose weights, and networks, the new run starts from; left out, "
        "weights start at random",
    )
    options.add_settings(parser)


def main(arguments):
    """Train, and print how it went; return the exit status."""
    given = options.settings(arguments)
    if arguments.resume:
        run = _run_to_resume(arguments)
        dataset, _ = load_for(run, arguments.mnist_dir, given.get("dataset"))
        if LIMITS & set(given):
            run.go_on(successors.lengthened(run, given))
    else:
        origin = find(arguments.origin) if arguments.origin else None
        if origin:
            given = successors.settings_from(origin, given)
        asked = preset(arguments.preset or "default", **given)
        dataset, config = load_and_fit(asked, arguments.mnist_dir, arguments.side)
        if origin:
            successors.check_origin(origin, config)
    from cvae.training import console  # TensorFlow, once the rest is right

    if not arguments.resume and arguments.run:
        run = Run.create(arguments.run, config)
    elif not arguments.resume:
        run = Run.create_by_date(config)
    return console.train_with_console(run, dataset)


def _run_to_resume(arguments):
    given = options.given(arguments)
    for name in LIMITS | {"dataset"}:  # a new plan, and where the same data are now
        given.pop(name, None)
    for name in ("side", "origin"):
        if getattr(arguments, name):
            given[name if name == "side" else "from"] = getattr(arguments, name)
    if arguments.preset:
        given["preset"] = arguments.preset
    if given:
        names = ", ".join(options.spelt(name, given[name]) for name in sorted(given))
        raise CvaeError(
            f"a run keeps its settings: leave out {names}, or train a new run"
        )
    return find(arguments.run)
