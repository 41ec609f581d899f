"""Rate of importance sampling beside that of a plain matrix product, same run.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --repeats 15 --output benchmarks/evaluation.json

The default settings but for 800 units a layer, the class concatenated alone; initial
weights, random bits: speed does not hang on them. Counted are the decoder's matrix
products alone. All rows take turns in each repeat, so that whatever else the machine
does falls on all of them; a share is that of the same repeat's matrix product. CPU
time, of all threads, hardly feels a busy machine.
"""

import _paths  # noqa: F401  (first: where the package is)

import contextlib
import os
import time
from unittest import mock

import numpy as np
import shared
import tensorflow.compat.v1 as tf
from peers import layers

from cvae import cli
from cvae.backend import threads
from cvae.config import Config
from cvae.data.dataset import Split
from cvae.inference import trained
from cvae.inference.trained import Model
from cvae.storage import files
from cvae.training.step import Trainer

ROWS, UNITS = 5000, 800  # of the net, and the plain product: [5000, 800] x [800, 800]
PRODUCTS = 15  # a repeat
IMAGES, PARTICLES = 40, 1000  # a repeat
PRODUCT = "matrix product"

# What the evaluation does, and the same without one idea each.
VARIANTS = {
    "as it is": [],
    "log p(x|y,z) as ZhuSuan computes it": [
        (trained, "_log_px", lambda net: net.cond_log_prob("x"))
    ],
    "threads within each op, too": [(trained, "_ONE_THREAD_AN_OP", tf.ConfigProto())],
    "one image at a time": [(threads, "cores", lambda: 1)],
}


def main():
    """Measure, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    shared.add_repeats(parser, 7)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    config = Config(hidden=(UNITS, UNITS))
    random = np.random.RandomState(0)
    bits = (random.random_sample((IMAGES, config.x_dim)) < 0.13).astype(np.uint8)
    labels = np.arange(IMAGES) % config.n_classes
    with Trainer(config, Split(bits * 255, labels.astype(np.uint8))) as trainer:
        weights = trainer.averages()

    def importance_sampling(model):
        model.log_likelihood(bits, labels, PARTICLES)

    with contextlib.ExitStack() as stack:
        work = {PRODUCT: stack.enter_context(_product())}
        for name, patches in VARIANTS.items():
            model = stack.enter_context(_patched(patches, Model, config, weights))
            work[name] = _later(_patched, patches, importance_sampling, model)
        found = shared.take_turns(work, arguments.repeats, time.process_time)
    flop = dict.fromkeys(found, IMAGES * PARTICLES * _decoder_flop(config))
    flop[PRODUCT] = _product_flop()
    rates = {name: flop[name] / seconds / 1e9 for name, seconds in found.items()}
    results = _summary(rates)
    print(_table(results))
    files.write_json(arguments.output, results)


def _summary(rates):
    """Figures of billions of operations a second, `[repeats, 2]`: by wall, CPU time."""
    product = rates[PRODUCT]
    rows = [
        {
            "name": name,
            "gflops": shared.spread(found[:, 0]),
            "share": shared.spread(found[:, 0] / product[:, 0]),
            "share_of_cpu_time": shared.spread(found[:, 1] / product[:, 1]),
        }
        for name, found in rates.items()
    ]
    return {
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "repeats": len(product),
        "images": IMAGES,
        "particles": PARTICLES,
        "rows": rows,
    }


def _table(results):
    title = "{repeats} repeats on {cores} cores, load {load:.1f}; median (quartiles)"
    lines = [title.format(**results), ""]
    line = "| {:36} | {:>15} | {:>18} | {:>18} |"
    lines.append(line.format("", "GFLOP/s", "share", "share of CPU time"))
    lines.append("|" + " --- |" * 4)
    for row in results["rows"]:
        cells = [
            "{median:.0f} ({low:.0f}-{high:.0f})".format(**row["gflops"]),
            "{median:.2f} ({low:.2f}-{high:.2f})".format(**row["share"]),
            "{median:.2f} ({low:.2f}-{high:.2f})".format(**row["share_of_cpu_time"]),
        ]
        lines.append(line.format(row["name"], *cells))
    return "\n".join(lines)


@contextlib.contextmanager
def _product():
    """Yield a function that multiplies two matrices `PRODUCTS` times."""
    with tf.Graph().as_default() as graph:
        a = tf.Variable(tf.random_normal([ROWS, UNITS]))
        b = tf.Variable(tf.random_normal([UNITS, UNITS]))
        product = tf.matmul(a, b).op
        with tf.Session(graph=graph) as session:
            session.run(tf.global_variables_initializer())
            yield lambda: [session.run(product) for _ in range(PRODUCTS)]


def _product_flop():
    return PRODUCTS * 2 * ROWS * UNITS * UNITS


def _decoder_flop(config):
    """Of one particle: a multiplication and an addition for each weight."""
    return 2 * sum(
        n_in * n_out for name, (n_in, n_out) in layers(config) if "gen/" in name
    )


def _patched(patches, call, *args):
    with contextlib.ExitStack() as stack:
        for owner, name, value in patches:
            stack.enter_context(mock.patch.object(owner, name, value))
        return call(*args)


def _later(call, *args):
    return lambda: call(*args)


if __name__ == "__main__":
    cli.run_main(main)
