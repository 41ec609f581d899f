"""Trace the time of a training step by kind of operation.

    python benchmarks/step_profile.py
    python benchmarks/step_profile.py --batch-size 500 --repeats 9
    python benchmarks/step_profile.py --preset default --batch-size 256

The trainer has the nets, batches and steps of `throughput.py`. The milliseconds of a
step are summed over all operations of a kind on all threads: two cores can spend two in
each millisecond. The types of operations that take the longest have rows, too. Tracing
slows the step, so its time without tracing is measured, too. No training with these
kernels is faster than the time of the products and convolutions, shared by idle cores.
"""

import _paths  # noqa: F401  (first: where the package is)

import collections
import re
import time
from unittest import mock

import shared
import tensorflow.compat.v1 as tf
from peers import BLOCK, driver, ours, recipe
from peers.nets import step_flop

from cvae import cli
from cvae.backend import compat, threads
from cvae.cli import options
from cvae.data import mnist
from cvae.storage import files

# Beginnings of the names of types, on both TensorFlows; the first that fits counts.
KINDS = {
    "matrix products": r"_?(Mkl|Native|Fused)*(Batch)?MatMul",
    "convolutions": r"_?(Mkl|Native|Fused)*Conv2D",
    "Adam": "ResourceApplyAdam",
    "random numbers": "StatelessRandom",
    "sums of both halves' gradients": "AddN",
    "gathering the images": "ResourceGather",
    "biases": "BiasAdd",
    "decay and average of the weights": "Assign(Sub|Add)?VariableOp",
}
PRODUCTS = ("matrix products", "convolutions")
REST = "all else, mostly element by element"
TYPES = 20  # that have rows


def main():
    """Trace, print the table, write the JSON."""
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--batch-size",
        type=options.whole(1, 60000),
        default=128,
        metavar="N",
        help="images in a step",
    )
    shared.add_preset(parser)
    shared.add_repeats(parser, 7)
    options.add_mnist_dir(parser)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    train = mnist.load("mnist", arguments.mnist_dir).train
    config = recipe(arguments.batch_size, arguments.preset)
    results = dict(driver.machine(), preset=arguments.preset)
    peer = ours.Peer(config, train, late=True)
    results.update(_profile(peer, config, arguments.repeats))
    print(table(results))
    files.write_json(arguments.output, results)


def _profile(peer, config, repeats):
    size = config.batch_size
    session, traces = peer.trainer._session, []
    session_run = session.run

    def block():
        peer.run(BLOCK)

    def traced_run(*args):
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        metadata = tf.RunMetadata()
        values = session_run(*args, options=options, run_metadata=metadata)
        traces.append(_milliseconds_by_type(metadata))
        return values

    def traced_block():
        with mock.patch.object(session, "run", traced_run):
            block()

    work = {"untraced": block, "traced": traced_block}
    found = shared.take_turns(work, repeats, time.process_time)
    traces = traces[-repeats:]
    by_type = _spreads(traces)
    by_kind = _spreads([_by_kind(trace) for trace in traces])
    step = {name: shared.spread(1e3 * t[:, 0] / BLOCK) for name, t in found.items()}
    products = sum(by_kind[k]["median"] for k in PRODUCTS if k in by_kind)
    return {
        "tensorflow": compat.VERSION,
        "batch_size": size,
        "repeats": repeats,
        "milliseconds_a_step": step,
        "milliseconds_of_operations": by_kind,
        "milliseconds_of_types": dict(list(by_type.items())[:TYPES]),
        "images_per_second": size / step["untraced"]["median"] * 1e3,
        "images_per_second_of_products": size / products * threads.cores() * 1e3,
        "gflops_a_core": step_flop(config) / products / 1e6,
    }


def _milliseconds_by_type(metadata):
    """Return the milliseconds of a trace by type of operation."""
    found = collections.Counter()
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            # The label is "name = Op(inputs)".
            operation = node.timeline_label.partition(" = ")[2].partition("(")[0]
            nanoseconds = node.op_end_rel_nanos - node.op_start_rel_nanos
            found[operation] += nanoseconds / 1e6
    return found


def _by_kind(trace):
    """Return the milliseconds of a trace by kind, from those by type."""
    found = collections.Counter()
    for operation, milliseconds in trace.items():
        fits = (kind for kind, start in KINDS.items() if re.match(start, operation))
        found[next(fits, REST)] += milliseconds
    return found


def _spreads(traces):
    """Return the spreads of a step's milliseconds by name, the longest first."""
    names = set().union(*traces)
    found = {k: shared.spread([trace[k] / BLOCK for trace in traces]) for k in names}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]["median"]))


def table(results):
    """Return the profile in Markdown."""
    nets = f", nets of the preset {results['preset']}" if results["preset"] else ""
    title = (
        f"TensorFlow {results['tensorflow']}{nets}, batch {results['batch_size']}, "
        f"{results['repeats']} repeats on {driver.place(results)}; milliseconds of a "
        "step, median (quartiles)"
    )
    steps = {f"the step, {k}": v for k, v in results["milliseconds_a_step"].items()}
    lines = [title]
    for head, parts in (
        ("by kind of operation", dict(results["milliseconds_of_operations"], **steps)),
        ("by type of operation", results["milliseconds_of_types"]),
    ):
        lines += ["", shared.line([head, "ms"]), "| --- | --- |"]
        lines += [shared.line([k, shared.with_quartiles(v)]) for k, v in parts.items()]
    text = (
        f"\n{results['images_per_second']:,.0f} images/s. The products run at "
        f"{results['gflops_a_core']:.0f} GFLOP/s a core. Without any other work, on "
        "all cores at that rate, they would allow "
        f"{results['images_per_second_of_products']:,.0f} images/s."
    )
    return "\n".join([*lines, text])


if __name__ == "__main__":
    cli.run_main(main)
