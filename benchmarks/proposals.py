"""Measure proposals for importance sampling, and chains for the sandwich, on a run.

    python benchmarks/proposals.py
    python benchmarks/proposals.py --run runs/report-default --images 200

Each row has other constants of `cvae.inference.laplace` or `cvae.evaluation.sandwich`
than those that are shipped. All rows estimate the same images: log p(x|y) of test
images with 100 particles, and the gap of simulated images. "Decodings" are those that
an image's proposal costs, without its particles.
"""

import _paths  # noqa: F401  (first: where the package is)

import contextlib
import functools
from unittest import mock

import numpy as np
import shared

from cvae import cli
from cvae.backend import threads
from cvae.cli import options
from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.evaluation import sandwich
from cvae.evaluation.summary import mean_and_stderr
from cvae.inference import estimates, laplace
from cvae.inference.blocks import slices
from cvae.inference.trained import Model, Posterior
from cvae.runs.pretrained import find_or_unpack
from cvae.storage import files

PARTICLES = 100
ENCODER = "the encoder's q(z|x,y)"
PROPOSALS = {
    "as it is": {},
    "one step": {"MIN_STEPS": 1, "TOLERANCE": np.inf},
    "four steps at least": {"MIN_STEPS": 4},
    "s = 1": {"SCALE": 1.0},
    "s = 1.1": {"SCALE": 1.1},
    "s = 1.2": {"SCALE": 1.2},
}
CHAINS = {
    "as it is": {},
    "fresh draws only": {"MOVES": (1.0,)},
    "fresh draws, moves of a half": {"MOVES": (1.0, 0.5)},
    "a tenth of the steps": {"STEPS": sandwich.STEPS // 10},
}


def main():
    """Measure, print both tables, write the JSON."""
    parser = cli.Parser(__doc__)
    options.add_run(parser)
    options.add_mnist_dir(parser)
    parser.add_argument(
        "--images",
        type=options.whole(1, 10**4),
        default=100,
        metavar="N",
        help="test images, and simulated images",
    )
    shared.add_output(parser, __file__)
    arguments = parser.parse_args()
    files.check_place(arguments.output.parent)
    run = find_or_unpack(arguments.run)
    test = mnist.load(run.config.dataset, arguments.mnist_dir).test
    chosen = np.random.RandomState(0).permutation(len(test.images))[: arguments.images]
    bits, labels = binarize(test.images)[chosen], test.labels[chosen].astype(int)
    with Model(run.config, run.weights()) as model:
        results = {
            "images": len(bits),
            "particles": PARTICLES,
            "proposals": [_encoder(model, bits, labels)],
            "chains": [],
        }
        for name, changes in PROPOSALS.items():
            with _changed(laplace, changes):
                results["proposals"].append(_proposal(model, bits, labels, name))
        for name, changes in CHAINS.items():
            with _changed(sandwich, changes):
                results["chains"].append(_chain(model, len(bits), name))
    print(_tables(results))
    files.write_json(arguments.output, results)


@contextlib.contextmanager
def _changed(module, changes):
    with contextlib.ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def _encoder(model, bits, labels):
    by_encoder = functools.partial(estimates.of_own_class, by_encoder=True)
    return _row(model, bits, labels, ENCODER, by_encoder)


def _proposal(model, bits, labels, name):
    decoded, run = [], Posterior._run

    def counting(self, fetches, z, part):
        more = z.shape[0] + z.shape[2] * (fetches is not self._model._log_joint)
        decoded.append(more * z.shape[1])
        return run(self, fetches, z, part)

    with mock.patch.object(Posterior, "_run", counting):
        row = _row(model, bits, labels, name, estimates.of_own_class)
    return dict(row, decodings=sum(decoded) / len(bits) - PARTICLES)


def _row(model, bits, labels, name, estimate):
    def of_block(part, go_on):
        return estimate(model, bits[part], labels[part], PARTICLES, part.start, go_on)

    found = list(threads.each(of_block, slices(len(bits), estimates.BLOCK)))
    ess = np.concatenate([block.ess for block in found])
    own = np.concatenate([block.log_likelihoods[-1] for block in found])
    return {
        "name": name,
        "log_likelihood": mean_and_stderr(own),
        "ess": {share: np.percentile(ess, share) for share in (0, 5, 50)},
        "decodings": 0.0,
    }


def _chain(model, n, name):
    def of_block(part, go_on):
        return sandwich.of_block(model, part.start, part.stop - part.start, go_on)

    parts = list(threads.each(of_block, slices(n, estimates.BLOCK)))
    found = sandwich.Sandwich(*map(np.concatenate, zip(*parts)))
    return {
        "name": name,
        "gap": mean_and_stderr(found.above - found.below),
        "acceptance": float(found.acceptance.mean()),
    }


def _tables(results):
    lines = [
        f"{results['images']} test images, {results['particles']} particles",
        "",
        "| proposal | log p(x\\|y) | ESS, least | 5 % | median | decodings |",
        "|" + " --- |" * 6,
    ]
    for row in results["proposals"]:
        ess = " | ".join(f"{row['ess'][share]:.1f}" for share in (0, 5, 50))
        mean = row["log_likelihood"]["mean"]
        lines.append(f"| {row['name']} | {mean:.3f} | {ess} | {row['decodings']:.0f} |")
    lines += ["", "| chain | gap in nats | accepted |", "|" + " --- |" * 3]
    for row in results["chains"]:
        gap = f"{row['gap']['mean']:.3f} ± {row['gap']['stderr']:.3f}"
        lines.append(f"| {row['name']} | {gap} | {100 * row['acceptance']:.0f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run_main(main)
