"""Measure the rate of importance sampling beside that of a plain matrix product.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --repeats 15 --output benchmarks/evaluation.json

The settings are the defaults with 800 units in a layer and without FiLM, and the preset
`best`. The weights are initial ones and the bits random, as speed does not depend on
them. Only the matrix products and convolutions of the decoder are counted. All rows
take turns in each repeat, so that other work of the machine affects all of them. A
share is relative to the matrix product of the same repeat. The CPU time of all threads
depends little on other work.
"""

import _paths  # noqa: F401  (first: where the package is)

import contextlib
import os
import time
from unittest import mock

import numpy as np
import shared
import tensorflow.compat.v1 as tf
from peers.nets import layers

from cvae import cli
from cvae.backend import threads
from cvae.config import Config, preset
from cvae.data.dataset import Split
from cvae.inference import estimates, trained
from cvae.inference.blocks import slices
from cvae.inference.trained import Model
from cvae.storage import files
from cvae.training.step import Trainer

ROWS, UNITS = 5000, 800  # of the net, and the plain product: [5000, 800] x [800, 800]
PRODUCTS = 15  # a repeat
IMAGES = 40
PARTICLES, CONV_PARTICLES = 1000, 50  # a repeat, of dense and of other layers
PRODUCT = "matrix product"
CONV = "the convolutions of `best`"

# The evaluation, and the same without one idea each.
VARIANTS = {
    "as it is": [],
    "log p(x|y,z) as ZhuSuan computes it": [
        (trained, "_log_px", lambda net: net.cond_log_prob("x"))
    ],
    "threads within each op, too": [(trained, "_ONE_THREAD_AN_OP", tf.ConfigProto())],
    "one block at a time": [(threads, "cores", lambda: 1)],
}


def main():
    """Measure, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    shared.add_repeats(parser, 7)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    config, conv = Config(hidden=(UNITS, UNITS)), preset("best")
    random = np.random.RandomState(0)
    bits = (random.random_sample((IMAGES, config.x_dim)) < 0.13).astype(np.uint8)
    labels = np.arange(IMAGES) % config.n_classes

    def importance_sampling(particles, model):
        def of_block(part, go_on):
            some = bits[part], labels[part], particles, part.start, go_on
            return estimates.of_own_class(model, *some, by_encoder=True)

        parts = slices(IMAGES, IMAGES // threads.cores())
        return list(threads.each(of_block, parts))

    with contextlib.ExitStack() as stack:
        work = {PRODUCT: stack.enter_context(_product())}
        weights = _initial_weights(config, bits, labels)
        for name, patches in VARIANTS.items():
            model = stack.enter_context(_patched(patches, Model, config, weights))
            work[name] = _later(
                _patched, patches, importance_sampling, PARTICLES, model
            )
        weights = _initial_weights(conv, bits, labels)
        model = stack.enter_context(Model(conv, weights))
        work[CONV] = _later(importance_sampling, CONV_PARTICLES, model)
        found = shared.take_turns(work, arguments.repeats, time.process_time)
    flop = dict.fromkeys(found, IMAGES * PARTICLES * _flop(config))
    flop[PRODUCT] = _product_flop()
    flop[CONV] = IMAGES * CONV_PARTICLES * _flop(conv)
    rates = {name: flop[name] / seconds / 1e9 for name, seconds in found.items()}
    results = _summary(rates)
    print(_table(results))
    files.write_json(arguments.output, results)


def _initial_weights(config, bits, labels):
    with Trainer(config, Split(bits * 255, labels.astype(np.uint8))) as trainer:
        return trainer.averages()


def _summary(rates):
    """Return the JSON of rates in GFLOP/s, `[repeats, 2]`: by wall and by CPU time."""
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
        "particles": [PARTICLES, CONV_PARTICLES],
        "rows": rows,
    }


def _table(results):
    title = (
        f"{results['repeats']} repeats on {results['cores']} cores, load "
        f"{results['load']:.1f}; median (quartiles)"
    )
    lines = [title, "", _line("", "GFLOP/s", "share", "share of CPU time")]
    lines.append("|" + " --- |" * 4)
    for row in results["rows"]:
        cells = [
            shared.with_quartiles(row["gflops"], 0),
            shared.with_quartiles(row["share"]),
            shared.with_quartiles(row["share_of_cpu_time"]),
        ]
        lines.append(_line(row["name"], *cells))
    return "\n".join(lines)


def _line(name, rate, share, cpu_share):
    return f"| {name:36} | {rate:>15} | {share:>18} | {cpu_share:>18} |"


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


def _flop(config):
    """Return the operations of a particle: two for each product in the decoder."""
    decoder = [layer for layer in layers(config) if layer.name.startswith("gen/")]
    return 2 * sum(layer.products for layer in decoder)


def _patched(patches, call, *args):
    with contextlib.ExitStack() as stack:
        for owner, name, value in patches:
            stack.enter_context(mock.patch.object(owner, name, value))
        return call(*args)


def _later(call, *args):
    return lambda: call(*args)


if __name__ == "__main__":
    cli.run_main(main)
