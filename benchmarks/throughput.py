"""Measure training steps of this package beside those of other frameworks.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --batch-sizes 128,500 --repeats 9
    python benchmarks/throughput.py --preset default --output benchmarks/default.json

All rows have the same nets (784+10 -> 500 -> 500 -> 2 x 40, 10+40 -> 500 -> 500 -> 784,
ReLU; with --preset those of the preset) and the same work in a step, from the shuffled
images and their random bits to Adam, with the preset's weight decay and gradient. Adam
trains all weights, in `best` too, where the package has Muon for some. This trainer
also keeps the moving average of the weights; its steps are those after the first 1,024,
from where on a step in 16 moves the average. Each peer is described in its file in
`peers/`. Each row has its own process, which loads its data, compiles and warms up
before the measurement. Rows take turns of a second or two in each repeat, so that other
work of the machine affects all of them. The other rows wait meanwhile; the CPU time
that they spend on waiting is in the JSON. Ratios are between turns of the same repeat.

The last rows measure the machine: only the matrix products and convolutions of a step,
and the product [2048, 2048] x [2048, 2048], as the images/s that the products of a step
would reach at its rate.

With --avx2, oneDNN, MKL, PyTorch and XLA use no wider instructions than AVX2, by the
environment variables of `driver.AVX2`. They do not hold TensorFlow 1.15. In JAX they
turn off YNNPACK, which cannot be held; oneDNN multiplies instead.
"""

import _paths  # noqa: F401  (first: where the package is)

import contextlib
import sys
from typing import NamedTuple

import numpy as np
import shared
from peers import BLOCK, OURS, driver, recipe, throughput_chart
from peers.nets import step_flop

from cvae import cli
from cvae.cli import options
from cvae.data import mnist
from cvae.errors import CvaeError
from cvae.storage import files

TURN = 1.5  # seconds
IMAGES = 60000  # of MNIST, the largest batch


class Row(NamedTuple):
    """A name in the table, its environment, its peer, its ZhuSuan and its nets."""

    name: str
    python: str
    peer: str
    zhusuan: str = "builtin"  # or "real"
    network: str = ""  # "mlp" or "conv"; else both


CHANNELS_LAST = "PyTorch, eager, channels last"
ROWS = (
    Row(OURS["ours"], "1.15", "ours-late"),
    Row("this trainer on upstream's ZhuSuan", "1.15", "ours-late", "real"),
    Row(OURS["ours_today"], "current", "ours-late"),
    Row("the tutorial's way, TensorFlow 1.15", "1.15", "tutorial"),
    Row("the same on upstream's ZhuSuan", "1.15", "tutorial", "real"),
    Row("the tutorial's way, today's TensorFlow", "current", "tutorial"),
    Row("PyTorch, eager", "peers", "pytorch"),
    Row("PyTorch, compiled", "peers", "pytorch-compiled"),
    Row("PyTorch, eager, oneDNN tensors", "peers", "pytorch-onednn", network="mlp"),
    Row(CHANNELS_LAST, "peers", "pytorch-channels-last", network="conv"),
    Row("JAX, a step a call", "peers", "jax"),
    Row("JAX, 16 steps a call", "peers", "jax-scan", network="mlp"),
    Row("products alone, TensorFlow 1.15", "1.15", "products"),
    Row("products alone, today's TensorFlow", "current", "products"),
    Row("a large product, TensorFlow 1.15", "1.15", "big-product"),
    Row("a large product, today's TensorFlow", "current", "big-product"),
)
BEST = "the better of PyTorch, eager and compiled"
OF_BEST = ("PyTorch, eager", CHANNELS_LAST, "PyTorch, compiled")


def main():
    """Measure, print the tables, write JSON and chart."""
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--batch-sizes",
        type=options.int_list,
        default=(128, 500),
        metavar="N,N",
        help="images in a step; each size has a table",
    )
    shared.add_preset(parser)
    parser.add_argument(
        "--avx2", action="store_true", help="hold the libraries to AVX2"
    )
    shared.add_repeats(parser, 7)
    driver.add_peers(parser)
    options.add_mnist_dir(parser)
    shared.add_output_with_chart(parser, __file__)
    arguments = parser.parse_args()
    for size in arguments.batch_sizes:
        if not 1 <= size <= IMAGES:
            raise CvaeError(
                f"--batch-sizes has {size}: choose sizes from 1 to {IMAGES:,} images"
            )
    files.check_place(arguments.output.parent)
    mnist.fetch(arguments.mnist_dir)  # raises here if it is missing
    pythons = driver.pythons(arguments.peers)
    held = driver.AVX2 if arguments.avx2 else {}
    results = dict(driver.machine(held), preset=arguments.preset)
    results.update(repeats=arguments.repeats, batches=[])
    for size in arguments.batch_sizes:
        config = recipe(size, arguments.preset)
        rows = _measure(config, pythons, held, arguments)
        results["batches"].append(summary(config, rows))
    print(table(results))
    files.write_json(arguments.output, results)
    throughput_chart.draw(arguments.output.with_suffix(".png"), results)


def rows_of(config):
    """Return the rows that have nets as those of `config`."""
    return [row for row in ROWS if row.network in ("", config.network)]


def _measure(config, pythons, held, arguments):
    """Return of each row its steps a second `[repeats]`, or why it has none."""
    rows, about = {}, f"batch {config.batch_size}: "
    with contextlib.ExitStack() as stack:
        for row in rows_of(config):
            _tell(about + row.name)
            free = row.python == "1.15"
            try:
                worker = stack.enter_context(
                    driver.worker(
                        pythons[row.python],
                        row.peer,
                        config,
                        arguments.mnist_dir,
                        row.zhusuan,
                        {} if free else held,
                    )
                )
                pace = worker.run(BLOCK)["seconds"] / BLOCK
            except driver.NotMeasured as reason:
                rows[row.name] = {"not_measured": str(reason)}
            else:
                steps = BLOCK * max(1, round(TURN / pace / BLOCK))
                found = dict(worker.ready, worker=worker, steps=steps, paces=[])
                found["versions"] += ["not held to AVX2"] * bool(held and free)
                rows[row.name] = found
        for repeat in range(arguments.repeats):
            _tell(f"{about}repeat {repeat + 1}")
            for row in rows.values():
                _take_turn(row)
    return rows


def _take_turn(row):
    """Run the steps of a row; a row that fails is no longer measured."""
    if "not_measured" in row:
        return
    try:
        answer = row["worker"].run(row["steps"])
    except driver.NotMeasured as reason:
        row["not_measured"] = str(reason)
    else:
        row["paces"].append(row["steps"] / answer["seconds"])
        row["bound"], row["waiting"] = answer["bound"], answer["waiting"]


def _tell(text):
    print(text, file=sys.stderr, flush=True)


def summary(config, rows):
    """Return the figures of one batch size from the rows of `_measure`."""
    step, batch_size = step_flop(config), config.batch_size
    rates = {}
    for name, row in rows.items():
        if "not_measured" not in row:
            images = batch_size * np.array(row["paces"])
            rates[name] = images * ((row["flop"] or step) / step)
    found = [_row(name, row, rates, batch_size) for name, row in rows.items()]
    better = [rates[name] for name in OF_BEST if name in rates]
    best = {"name": BEST}
    if better:
        best.update(_ratios(np.max(better, 0), rates))
    return {"batch_size": batch_size, "flop_a_step": step, "rows": found, "best": best}


def _row(name, row, rates, batch_size):
    if "not_measured" in row:
        return {"name": name, "not_measured": row["not_measured"]}
    result = {
        "name": name,
        "versions": row["versions"],
        "images_per_second": shared.spread(rates[name]),
        "milliseconds_a_step": 1e3 * batch_size / float(np.median(rates[name])),
        "cores_while_waiting": row["waiting"][0] / row["waiting"][1],
    }
    if row["flop"]:
        result["gflops"] = shared.spread(np.array(row["paces"]) * row["flop"] / 1e9)
    else:
        result["last_bound"] = row["bound"]
    return dict(result, **_ratios(rates[name], rates))


def _ratios(rate, rates):
    """Return the ratio of this trainer's rate to `rate`, on each of its stacks."""
    found = {key: rates[name] for key, name in OURS.items() if name in rates}
    return {key: shared.spread(own / rate) for key, own in found.items()}


def table(results):
    """Return a table for each batch size, in Markdown."""
    nets = f"nets of the preset {results['preset']}, " if results["preset"] else ""
    about = f"{nets}{results['repeats']} repeats on {driver.place(results)}"
    lines = [about + "; median (quartiles)"]
    for batch in results["batches"]:
        cells = [f"batch {batch['batch_size']}", "images/s", "ms a step"]
        cells += ["ours / it", "today's ours / it", "on"]
        lines += ["", shared.line(cells), "|" + " --- |" * len(cells)]
        lines += [shared.line(_cells(row)) for row in batch["rows"]]
        best = batch["best"]
        lines.append(shared.line([best["name"], "", "", *_ratio_cells(best), ""]))
        rate = [row["gflops"]["median"] for row in batch["rows"] if "gflops" in row]
        if rate:
            flop = batch["flop_a_step"] / 1e9
            lines.append(
                f"\nThe products of a step have {flop:.2f} GFLOP. Without any other "
                f"work, products run at {max(rate):.0f} GFLOP/s."
            )
    return "\n".join(lines)


def _cells(row):
    if "not_measured" in row:
        reason = "not measured: " + row["not_measured"]
        return [row["name"], reason, "", "", "", ""]
    rate = shared.with_quartiles(row["images_per_second"], 0)
    step = f"{row['milliseconds_a_step']:.1f}"
    return [row["name"], rate, step, *_ratio_cells(row), ", ".join(row["versions"])]


def _ratio_cells(row):
    return [shared.with_quartiles(row[key]) if key in row else "" for key in OURS]


if __name__ == "__main__":
    cli.run_main(main)
