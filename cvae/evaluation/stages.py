"""What an evaluation measures of a block of images, here or in a worker."""

import contextlib
import functools
import hashlib
import platform
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple

import numpy as np

import cvae
from cvae import zs
from cvae.backend import compat, threads, workers
from cvae.backend.workers import Workers
from cvae.cli import process
from cvae.errors import CvaeError
from cvae.evaluation import sandwich, summary
from cvae.inference import estimates
from cvae.inference.trained import Model
from cvae.runs.run import Run

ENCODER_PARTICLES = 5000  # with which the encoder's proposal is compared


class Block(NamedTuple):
    """Images that are measured together, and the effort."""

    first: int  # number of the first image
    bits: np.ndarray  # uint8 [n, x_dim]
    labels: np.ndarray  # int64 [n]
    particles: int  # for importance sampling


def likelihoods(model: Any, block: Block, go_on: Callable[[], None]) -> np.ndarray:
    """Return log p(x | y) by all classes: a row of numbers for each image.

    They are, with K columns each, the estimates for Bayes' rule, their particles and
    whether the encoder proposed; with a column for each of the `importance.levels`,
    log p(x | y) of the own class and log p(x); and the effective sample size.
    """
    bits, labels = block.bits, block.labels
    found = estimates.of_all_classes(
        model, bits, labels, block.particles, block.first, go_on
    )
    own = found.log_likelihoods[:, np.arange(len(labels)), labels]
    columns = found.decisive, found.particles, found.fallback, own.T
    marginal = summary.marginal(found.log_likelihoods).T
    return np.column_stack([*columns, marginal, found.ess])


def by_encoder(model: Any, block: Block, go_on: Callable[[], None]) -> np.ndarray:
    """Return log p(x | y) at each level by the encoder's proposal, and its ESS."""
    bits, labels, first = block.bits, block.labels, block.first
    found = estimates.of_own_class(
        model, bits, labels, ENCODER_PARTICLES, first, go_on, by_encoder=True
    )
    return np.column_stack([found.log_likelihoods.T, found.ess])


def simulated(model: Any, block: Block, go_on: Callable[[], None]) -> np.ndarray:
    """Return the sandwich of as many simulated images, a row each."""
    found = sandwich.of_block(model, block.first, len(block.labels), go_on)
    return np.stack(found, 1)


class Source(NamedTuple):
    """Where a worker finds the model, and what it must be."""

    path: str  # of the run
    weights: str  # their `digest`
    program: str  # what computes, see `program`


@contextlib.contextmanager
def measurer(
    model: Model, run: Run, weights: Dict[str, np.ndarray], where: Workers
) -> Iterator[Callable]:
    """Yield a function of (stage, blocks) that yields the rows of each block in order.

    A stage is one of this module's functions. Threads share `model`; other workers load
    `run` themselves, once each, and refuse it if its weights are not `weights`.
    """
    if where.backend == "threads":
        yield lambda stage, blocks: threads.each(
            functools.partial(stage, model), blocks, where.jobs
        )
        return
    source = Source(str(run.path.resolve()), digest(weights), program())
    with workers.open_pool(where) as pool:
        yield lambda stage, blocks: pool.each(
            functools.partial(_in_worker, source, stage), blocks
        )


def digest(weights: Dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of the names and values of `weights`."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(name.encode("utf-8") + weights[name].tobytes())
    return found.hexdigest()


def program() -> str:
    """Return the versions that the bits of a result depend on, in words."""
    sources = hashlib.sha256()
    folder = Path(cvae.__file__).resolve().parent
    for path in sorted(folder.rglob("*.py")):
        sources.update(path.read_bytes())
    return (
        f"cvae {cvae.__version__} ({sources.hexdigest()[:8]}) on {zs.IMPLEMENTATION}, "
        f"TensorFlow {compat.VERSION} and NumPy {np.__version__}"
    )


def _in_worker(source, stage, block):
    try:
        return stage(_model(source), block, lambda: None)
    except CvaeError as error:
        raise CvaeError(f"worker on {platform.node()}: {error}")


@functools.lru_cache(maxsize=1)
def _model(source):
    """Return the model of `source`, which stays open until the worker ends."""
    process.silence_libraries()
    if program() != source.program:
        raise CvaeError(
            f"it has {program()}, the evaluation {source.program}: install the same"
        )
    run = Run(source.path)
    weights = run.weights()
    if digest(weights) != source.weights:
        raise CvaeError(
            f"{source.path} has other weights than the run that is evaluated: copy it "
            "again, and evaluate when its training is done"
        )
    return Model(run.config, weights)
