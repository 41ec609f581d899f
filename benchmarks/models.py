"""Measure what each idea gives: variants of a base, judged by held-out images.

    python benchmarks/models.py
    python benchmarks/models.py --only base blocks --images 10000
    python benchmarks/models.py --only base adam adam-low --epochs 3
    python benchmarks/models.py --backend dask --address tcp://10.0.0.1:8786

Each variant differs from the base in one setting. It is trained on the first 50,000
training images with the same seed and evaluated on the last 10,000; the test set is not
used. The length is the base's 16 epochs (or `--epochs`), some twelve minutes on two
cores, or as many epochs as take the base's time where the row states it. Runs are kept
in runs/models: a trained run is not trained again, and a stopped run is resumed. Rows
of earlier calls with other variants or epochs stay in the JSON.
"""

import _paths  # noqa: F401  (first: where the package is)

from typing import Any, Dict, NamedTuple

import shared
from peers import driver

from cvae import cli
from cvae.backend import compat
from cvae.backend.workers import BACKENDS
from cvae.cli import options
from cvae.config import Config, preset
from cvae.data import mnist
from cvae.data.dataset import Split
from cvae.evaluation import evaluate
from cvae.runs.run import RUNS, Member, Run
from cvae.storage import files
from cvae.training import loop, sweep

BASE = preset("best", epochs=16.0, minutes=None, validate=True, evaluate_every=4)
PARTICLES = 100


class Variant(NamedTuple):
    """A name in the table, and the settings that differ from the base."""

    text: str
    changes: Dict[str, Any]


VARIANTS = {
    "base": Variant("the base", {}),
    "seed": Variant("the base, another seed", {"seed": 1}),
    "no-decay": Variant("no weight decay", {"weight_decay": 0.0}),
    "decay": Variant("twice the weight decay", {"weight_decay": 2 * BASE.weight_decay}),
    "blocks": Variant("two blocks at each side, 16 epochs", {"blocks": 2}),
    "blocks-time": Variant(
        "two blocks at each side, in the base's time", {"blocks": 2, "epochs": 9.0}
    ),
    "wide": Variant("800 units in the dense layer", {"hidden": (800,)}),
    "deep": Variant("two dense layers of 400", {"hidden": (400, 400)}),
    "no-film": Variant(
        "the class scales and shifts only the features of convolutions",
        {"film": False},
    ),
    "narrow": Variant(
        "half the feature maps, in the base's time",
        {"channels": (16, 32), "epochs": 44.0},
    ),
    "dense": Variant(
        "no convolutions: 800-800, in the base's time",
        {"network": "mlp", "hidden": (800, 800), "epochs": 260.0},
    ),
    "relu": Variant("ReLU", {"activation": "relu"}),
    "score": Variant("the score term kept", {"path_derivative": False}),
    "rate-low": Variant("half the rate", {"learning_rate": BASE.learning_rate / 2}),
    "rate-high": Variant("twice the rate", {"learning_rate": 2 * BASE.learning_rate}),
    "adam": Variant("Adam only", {"optimizer": "adam"}),
    "adam-low": Variant(
        "Adam only, half the rate",
        {"optimizer": "adam", "learning_rate": BASE.learning_rate / 2},
    ),
    "batch": Variant("batches of 256", {"batch_size": 256}),
    "constant": Variant("constant rate", {"schedule": "constant"}),
    "last": Variant("the last weights, not their average", {"average": 0.0}),
    "iwae": Variant(
        "the importance-weighted bound, k = 5, in the last quarter",
        {"iwae_share": 0.25},
    ),
    "iwae-time": Variant(
        "the importance-weighted bound in the last half, in the base's time",
        {"iwae_share": 0.5, "epochs": 8.0},
    ),
    "particles": Variant(
        "four particles, in the base's time", {"particles": 4, "epochs": 6.5}
    ),
}


def main():
    """Train and evaluate the chosen variants, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        type=options.choice(VARIANTS),
        default=list(VARIANTS),
        metavar="NAME",
        help="variants, some of " + ", ".join(VARIANTS),
    )
    parser.add_argument(
        "--epochs",
        type=options.whole(1, 1000),
        default=int(BASE.epochs),
        metavar="E",
        help="epochs of the base",
    )
    parser.add_argument(
        "--images",
        type=options.whole(2, 10000),
        default=2000,
        metavar="N",
        help="held-out images for importance sampling",
    )
    options.add_mnist_dir(parser)
    options.add_workers(parser, BACKENDS[1:], "one for each two cores")
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    where = options.workers(arguments)
    dataset = mnist.load("mnist", arguments.mnist_dir)
    rows = files.read_json(arguments.output) if arguments.output.exists() else {}
    members = [
        Member(
            RUNS / "models" / key_of(name, arguments.epochs),
            config_of(VARIANTS[name], arguments.epochs),
        )
        for name in arguments.only
    ]
    sweep.train_with_progress(members, arguments.mnist_dir, where)
    for name, (path, _) in zip(arguments.only, members):
        rows[path.name] = row(VARIANTS[name], path, dataset, arguments)
        files.write_json(arguments.output, rows)
    print(table(rows, arguments.epochs))


def key_of(name: str, epochs: float) -> str:
    """Return the key in the JSON of the variant `name` of a base of `epochs`."""
    return f"{name}-{epochs:g}"


def config_of(variant: Variant, epochs: float) -> Config:
    """Return the settings of a variant of a base of `epochs`."""
    settings = dict(BASE.to_dict(), **variant.changes)
    settings["epochs"] *= epochs / BASE.epochs
    return Config.from_dict(settings)


def row(variant, path, dataset, arguments):
    """Train and evaluate one variant; return its entry of the JSON."""
    run = Run.open_or_create(path, config_of(variant, arguments.epochs))
    last = loop.train(run, dataset)
    train, held_out, name = loop.splits(dataset, run.config)
    judged = Split(*(part[: arguments.images] for part in held_out))
    found = evaluate.evaluate_run(
        run, dataset._replace(train=train, test=judged), PARTICLES, checks=0
    )
    return dict(
        driver.machine(),
        text=variant.text,
        settings=run.config.to_dict(),
        tensorflow=compat.VERSION,
        minutes=last["seconds"] / 60.0,
        bound=last[name + "_bound"],
        train_bound=last["train_bound"],
        n_images=found["n_images"],
        particles=PARTICLES,
        log_likelihood=found["log_likelihood"],
        marginal=found["marginal"],
        error_rate=found["classifier"]["error_rate"],
    )


def table(rows, epochs):
    """Return bounds and estimates in nats beside those of the base, in Markdown."""
    keys = [key_of(name, epochs) for name in VARIANTS]
    base = rows.get(key_of("base", epochs))
    lines = [
        "Held-out images, nats; the bound of 10,000, the rest of as many as stated, "
        f"{PARTICLES} particles; in brackets, beyond the base",
        "",
        shared.line(
            ["", "epochs", "minutes", "training bound", "bound", "log p(x\\|y)"]
            + ["log p(x)", "error", "images"]
        ),
        "|" + " --- |" * 9,
    ]
    lines += [shared.line(_cells(rows[key], base)) for key in keys if key in rows]
    return "\n".join(lines)


def _cells(found, base):
    def beyond(of):
        value = of(found)
        if not base or found is base:
            return f"{value:.2f}"
        return f"{value:.2f} ({value - of(base):+.2f})"

    return [
        found["text"],
        f"{found['settings']['epochs']:g}",
        f"{found['minutes']:.1f}",
        beyond(lambda r: r["train_bound"]),
        beyond(lambda r: r["bound"]),
        beyond(lambda r: r["log_likelihood"]["mean"]),
        beyond(lambda r: r["marginal"]["mean"]),
        f"{100.0 * found['error_rate']:.2f} %",
        f"{found['n_images']:,}",
    ]


if __name__ == "__main__":
    cli.run_main(main)
