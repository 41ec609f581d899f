"""Trace the time of a training step by kind of operation.

    python benchmarks/step_profile.py
    python benchmarks/step_profile.py --batch-size 500 --repeats 9

The trainer has the nets and batches of `throughput.py`. The milliseconds of a step are
summed over all operations of a kind on all threads: two cores can spend two in each
millisecond. Tracing slows the step, so its time without tracing is measured, too. No
training with these kernels is faster than the time of the matrix products, shared by
idle cores.
"""

import _paths  # noqa: F401  (first: where the package is)

import os
import time
from unittest import mock

import shared
import tensorflow.compat.v1 as tf
from peers import BLOCK, ours, recipe
from peers.nets import step_flop

from cvae import cli
from cvae.backend import compat, threads
from cvae.cli import options
from cvae.data import mnist
from cvae.storage import files

KINDS = {
    "matrix products": (
        "MatMul",
        "_FusedMatMul",
        "_MklMatMul",
        "_MklNativeFusedMatMul",
    ),
    "Adam": ("ResourceApplyAdam",),
    "random numbers": (
        "StatelessRandomUniform",
        "StatelessRandomUniformV2",
        "StatelessRandomNormal",
        "StatelessRandomNormalV2",
    ),
    "sums of both halves' gradients": ("AddN",),
    "gathering the images": ("ResourceGather",),
}
REST = "all else, mostly element by element"
_KIND_OF = {operation: kind for kind, of_it in KINDS.items() for operation in of_it}


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
    shared.add_repeats(parser, 7)
    options.add_mnist_dir(parser)
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    train = mnist.load("mnist", arguments.mnist_dir).train
    peer = ours.Peer(recipe(arguments.batch_size), train)
    results = _profile(peer, arguments)
    print(table(results))
    files.write_json(arguments.output, results)


def _profile(peer, arguments):
    size, repeats = arguments.batch_size, arguments.repeats
    session, traces = peer.trainer._session, []
    session_run = session.run

    def block():
        peer.run(BLOCK)

    def traced_run(*args):
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        metadata = tf.RunMetadata()
        values = session_run(*args, options=options, run_metadata=metadata)
        traces.append(_milliseconds_by_kind(metadata))
        return values

    def traced_block():
        with mock.patch.object(session, "run", traced_run):
            block()

    work = {"untraced": block, "traced": traced_block}
    found = shared.take_turns(work, repeats, time.process_time)
    milliseconds = {
        kind: shared.spread([trace[kind] / BLOCK for trace in traces[-repeats:]])
        for kind in [*KINDS, REST]
    }
    step = {name: shared.spread(1e3 * t[:, 0] / BLOCK) for name, t in found.items()}
    products = milliseconds["matrix products"]["median"]
    return {
        "tensorflow": compat.VERSION,
        "cores": threads.cores(),
        "load": os.getloadavg()[0],
        "batch_size": size,
        "repeats": repeats,
        "milliseconds_a_step": step,
        "milliseconds_of_operations": milliseconds,
        "images_per_second": size / step["untraced"]["median"] * 1e3,
        "images_per_second_of_products": size / products * threads.cores() * 1e3,
        "gflops_a_core": step_flop(recipe(size)) / products / 1e6,
    }


def _milliseconds_by_kind(metadata):
    """Return the milliseconds of a trace by kind of operation."""
    found = dict.fromkeys([*KINDS, REST], 0.0)
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            # The label is "name = Op(inputs)".
            operation = node.timeline_label.partition(" = ")[2].partition("(")[0]
            nanoseconds = node.op_end_rel_nanos - node.op_start_rel_nanos
            found[_KIND_OF.get(operation, REST)] += nanoseconds / 1e6
    return found


def table(results):
    """Return the profile in Markdown."""
    title = (
        f"TensorFlow {results['tensorflow']}, batch {results['batch_size']}, "
        f"{results['repeats']} repeats on {results['cores']} cores, load "
        f"{results['load']:.1f}; milliseconds of a step, median (quartiles)"
    )
    lines = [title, "", shared.line(["", "ms"]), "| --- | --- |"]
    parts = dict(results["milliseconds_of_operations"])
    parts.update(
        ("the step, " + name, step)
        for name, step in results["milliseconds_a_step"].items()
    )
    lines += [shared.line([k, shared.with_quartiles(ms)]) for k, ms in parts.items()]
    text = (
        f"\n{results['images_per_second']:,.0f} images/s. The products run at "
        f"{results['gflops_a_core']:.0f} GFLOP/s a core. Without any other work, on "
        "all cores at that rate, they would allow "
        f"{results['images_per_second_of_products']:,.0f} images/s."
    )
    return "\n".join([*lines, text])


if __name__ == "__main__":
    cli.run_main(main)
