"""Train and evaluate one preset on data sets that differ in K, size and form.

    python benchmarks/datasets.py
    python benchmarks/datasets.py --only digits --epochs 40

The data are made in runs/datasets: scikit-learn's digits, MNIST as even and odd digits,
MNIST as the lighter and the bolder half of each digit, and a folder of PNGs. Runs are
kept there: a trained run is not trained again, and a stopped run is resumed.
"""

import _paths  # noqa: F401  (first: where the package is)

import numpy as np
import shared
from peers import driver

from cvae import cli
from cvae.backend import compat
from cvae.cli import options
from cvae.config import preset
from cvae.data import mnist
from cvae.data.dataset import Split
from cvae.data.prepare import load_and_fit
from cvae.evaluation import evaluate
from cvae.evaluation.learning import scikit
from cvae.runs.run import RUNS, Run
from cvae.storage import files
from cvae.storage.npz import write_arrays
from cvae.training import console

HERE = RUNS / "datasets"
N_TEST_DIGITS = 297
N_JUDGED = 2000  # test images that are evaluated
PARTICLES = 100
CHECKS = 200
EPOCHS = 15


def main():
    """Make the data, train and evaluate on each, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        type=options.choice(MAKERS),
        default=list(MAKERS),
        metavar="NAME",
        help="data sets, some of " + ", ".join(MAKERS),
    )
    parser.add_argument(
        "--epochs",
        type=options.whole(1, 10000),
        default=EPOCHS,
        metavar="E",
        help="passes over the images of MNIST; over the few digits of scikit-learn, "
        "ten times as many",
    )
    options.add_mnist_dir(parser)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    source = mnist.load("mnist", arguments.mnist_dir)
    rows = files.read_json(arguments.output) if arguments.output.exists() else {}
    for name in arguments.only:
        path = MAKERS[name](source)
        epochs = arguments.epochs * (10 if name == "digits" else 1)
        rows[name] = row(name, path, epochs)
        files.write_json(arguments.output, rows)
    print(table(rows))


def digits(_):
    """Write scikit-learn's digits, 8 x 8 pixels, in random order."""
    found = scikit("datasets").load_digits()
    order = np.random.RandomState(0).permutation(len(found.target))
    x, y = np.float32(found.images / 16)[order], found.target[order]
    return _write(
        "digits",
        x[:-N_TEST_DIGITS],
        y[:-N_TEST_DIGITS],
        x[-N_TEST_DIGITS:],
        y[-N_TEST_DIGITS:],
    )


def even_odd(source):
    """Write MNIST with two classes."""
    names = np.array(["even", "odd"])
    return _write_labelled("even-odd", source, lambda split: names[split.labels % 2])


def halves(source):
    """Write MNIST with twenty classes: each digit's lighter and bolder half."""
    train = source.train
    ink = train.images.mean(1)
    median = np.array([np.median(ink[train.labels == c]) for c in range(10)])

    def label(split):
        is_bold = split.images.mean(1) >= median[split.labels]
        return np.array(
            [f"{c} {'bold' if b else 'light'}" for c, b in zip(split.labels, is_bold)]
        )

    return _write_labelled("halves", source, label)


def folders(source):
    """Write the first 12,000 images of MNIST as PNGs in folders."""
    from PIL import Image

    path = HERE / "png"
    for name, split, n in (("train", source.train, 10000), ("test", source.test, 2000)):
        for number in range(n):
            file = path / name / str(split.labels[number]) / f"{number}.png"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(split.images[number].reshape(28, 28)).save(str(file))
    return path


MAKERS = {"digits": digits, "even-odd": even_odd, "halves": halves, "png": folders}


def row(name, path, epochs):
    """Train and evaluate on the data at `path`; return the entry of the JSON."""
    asked = preset("quick", dataset=str(path), epochs=float(epochs), minutes=None)
    dataset, config = load_and_fit(asked)
    run = Run.open_or_create(HERE / f"run-{name}-{epochs}", config)
    console.train_with_console(run, dataset)
    last = run.metrics()[-1]
    judged = Split(*(part[:N_JUDGED] for part in dataset.test))
    found = evaluate.evaluate_run(run, dataset._replace(test=judged), PARTICLES, CHECKS)
    return dict(
        driver.machine(),
        tensorflow=compat.VERSION,
        n_classes=config.n_classes,
        side=config.side,
        n_train=len(dataset.train.images),
        n_judged=found["n_images"],
        epochs=epochs,
        minutes=last["seconds"] / 60.0,
        bound=found["bound"],
        marginal=found["marginal"],
        classifier={
            key: found["classifier"][key] for key in ("error_rate", "low", "high")
        },
    )


def table(rows):
    """Return the measured values of each data set, in Markdown."""
    lines = [
        shared.line(
            ["data", "K", "pixels", "images", "epochs", "minutes", "test images"]
            + ["bound, nats", "log p(x), nats", "error of Bayes' rule"]
        ),
        "|" + " --- |" * 10,
    ]
    for name in MAKERS:
        if name in rows:
            lines.append(shared.line(_cells(name, rows[name])))
    return "\n".join(lines)


def _cells(name, found):
    return [
        name,
        str(found["n_classes"]),
        f"{found['side']} x {found['side']}",
        f"{found['n_train']:,}",
        str(found["epochs"]),
        f"{found['minutes']:.1f}",
        f"{found['n_judged']:,}",
        *(
            f"{found[key]['mean']:.2f} ± {found[key]['stderr']:.2f}"
            for key in ("bound", "marginal")
        ),
        f"{100 * found['classifier']['error_rate']:.2f} %",
    ]


def _write_labelled(name, source, label):
    train, test = source.train, source.test
    return _write(name, train.images, label(train), test.images, label(test))


def _write(name, *arrays):
    path = HERE / f"{name}.npz"
    names = ("x_train", "y_train", "x_test", "y_test")
    write_arrays(path, dict(zip(names, arrays)))
    return path


if __name__ == "__main__":
    cli.run_main(main)
