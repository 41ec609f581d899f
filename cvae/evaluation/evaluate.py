"""Evaluate a run on test images: bounds, log p(x | y), log p(x), in nats."""

import contextlib
import functools
import hashlib
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from cvae import zs
from cvae.backend.workers import Workers
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.data.checks import check_whole
from cvae.data.dataset import Dataset
from cvae.data.prepare import prepared
from cvae.errors import CvaeError, note, warn
from cvae.evaluation import MAX_CHECKS, sandwich, stages, summary
from cvae.evaluation.partial import Partial
from cvae.evaluation.sandwich import Sandwich
from cvae.evaluation.stages import Block
from cvae.evaluation.summary import Measured
from cvae.inference import estimates, importance, laplace
from cvae.inference.blocks import slices
from cvae.inference.trained import Model
from cvae.progress import Progress
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run, check_finite
from cvae.storage.checkout import command

FORMAT = 4  # of the rows of an interrupted evaluation; others are not continued
ENCODER_BLOCK = 10  # images, so that a block does not take longer than any other


class Task(NamedTuple):
    """A run, the data that it is evaluated on, and the effort of the evaluation."""

    run: Run
    weights: Dict[str, np.ndarray]  # by name of the model's variable
    step: int  # of the checkpoint that holds the weights
    trained_with: Sequence[str]  # implementations of ZhuSuan
    dataset: Dataset
    bits: np.ndarray  # uint8 [n, x_dim] of the test images, with a fixed seed
    particles: int  # for importance sampling
    checks: int  # images on which the likelihoods are checked
    workers: Workers  # that compute

    @property
    def labels(self) -> np.ndarray:
        """The classes of the test images, `[n]`."""
        return self.dataset.test.labels


def evaluate_run(
    run: Run,
    dataset: Dataset,
    particles: int,
    checks: int,
    workers: Workers = Workers(),  # noqa: B008  (immutable)
    label: str = "",
) -> Dict[str, Any]:
    """Evaluate `run` with progress bars, write its evaluation and return it.

    `evaluation.json` is described in `cvae.evaluation.summary`; `evaluation.npz` holds
    the values of each test image. After an interruption, the same call continues the
    evaluation and ends with the same bits. The rows of an interrupted evaluation have
    a file for each combination of settings, until an evaluation with these settings,
    or of later weights, is finished.

    Args:
        particles: samples of z for importance sampling, of each image and class.
        checks: images of each check of the likelihoods, 0 for none: test images that
            are estimated with the encoder's proposal too, and simulated images that are
            estimated from below and from above.
        workers: where images are estimated, in threads of this process by default. The
            results are the same bits whatever they are, on processors of one kind.
        label: part of the files' names, for data that the run was not trained on.

    Raises:
        CvaeError: an argument is out of range, the run has no checkpoint, `dataset`
            does not fit the model, the results are not finite, the file of an
            interrupted evaluation is damaged, the workers cannot be used, or the disk
            refuses.
    """
    workers.check()
    check_whole("particles", particles, 1, importance.MAX_PARTICLES)
    check_whole("checks", checks, 0, MAX_CHECKS)
    dataset = prepared(dataset, run.config)
    checkpoint = run.load_checkpoint(best=True)
    task = Task(
        run,
        averages(checkpoint),
        checkpoint.state.step,
        checkpoint.state.zhusuan,
        dataset,
        binarize(dataset.test.images),
        int(particles),
        min(int(checks), len(dataset.test.images)),
        workers,
    )
    if run.config.z_dim > laplace.MAX_DIM:
        note(
            f"the Laplace proposal is for a z_dim up to {laplace.MAX_DIM:,}, not for "
            f"{run.config.z_dim:,}; the encoder's proposal is used instead"
        )
    with _partial(task).kept() as partial:
        _note_others(partial)
        results, arrays = evaluate(task, partial)
        run.write_evaluation_arrays(dict(arrays, step=np.array(task.step)), label)
        run.write_evaluation(results, label)
    partial.remove()
    _warn_if_trained_on(task)
    return results


def evaluate(
    task: Task, partial: Partial
) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """Return `evaluation.json` and the arrays of `evaluation.npz` except for the step.

    Rows that `partial` holds are not computed again; new rows are added to it.
    """
    with Model(task.run.config, task.weights) as model, contextlib.ExitStack() as stack:
        measurer = stages.measurer(model, task.run, task.weights, task.workers)
        each = stack.enter_context(measurer)
        rows = functools.partial(_rows, task, partial, each)
        measured = _measure(model, task, rows)
        results = summary.summarize(measured)
        if task.checks:
            results.update(_checks(task, rows, measured))
        results["train_bound"] = _train_bound(model, task.dataset, len(task.bits))
    results["bits_seed"] = TEST_BITS_SEED
    results["dataset"], results["note"] = task.dataset.name, task.dataset.note
    results["step"] = task.step
    results["zhusuan"] = {
        "trained": list(dict.fromkeys(task.trained_with)),
        "evaluated": partial.makers,
    }
    arrays = summary.arrays(measured)
    if task.checks:
        arrays["encoder_ess"] = partial.rows("encoder")[:, -1]
    return results, arrays


def _measure(model, task, rows):
    bound = model.bound(task.bits, task.labels)
    check_finite(np.stack(bound), task.run)
    mean, logstd = model.encode(task.bits, task.labels)
    n, size = len(task.bits), estimates.BLOCK
    found = rows("importance sampling", stages.likelihoods, n, size)
    n_classes, marks = task.run.config.n_classes, importance.levels(task.particles)
    widths = [n_classes] * 3 + [len(marks)] * 2
    parts = np.split(found, np.cumsum(widths), axis=1)
    decisive, particles, fallback, own, marginal, ess = parts
    return Measured(
        labels=task.labels.astype(np.int64),
        bound=bound.total.astype(np.float64),
        reconstruction=bound.reconstruction.astype(np.float64),
        kl_sampled=bound.kl_sampled.astype(np.float64),
        kl=bound.kl.astype(np.float64),
        mean=mean.astype(np.float64),
        logstd=logstd.astype(np.float64),
        levels=marks,
        decisive=decisive,
        ess=ess[:, 0],
        own=own,
        marginal=marginal,
        particles=particles,
        fallback=fallback > 0,
    )


def _checks(task, rows, measured):
    """Return how the likelihoods compare with the encoder's, and the sandwich."""
    n, size = task.checks, estimates.BLOCK
    encoder = rows("encoder", stages.by_encoder, n, ENCODER_BLOCK)
    simulated = rows("sandwich", stages.simulated, n, size)
    marks = importance.levels(stages.ENCODER_PARTICLES)
    return {
        "encoder": summary.of_encoder(marks, encoder, measured),
        "sandwich": summary.of_sandwich(Sandwich(*simulated.T)),
    }


def _rows(task, partial, each, name, stage, n, size):
    """Return the rows of the first n images, those of `size` images at a time."""
    done = len(partial.rows(name))
    blocks = (
        Block(
            part.start,
            task.bits[part],
            task.labels[part].astype(np.int64),
            task.particles,
        )
        for part in slices(n, size)
        if part.start >= done
    )
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(n, done, label=name))
        found = each(stage, blocks)
        stack.enter_context(contextlib.closing(found))
        for rows in found:
            check_finite(rows, task.run)
            partial.add(name, rows)
            progress.advance(len(rows))
    return partial.rows(name)


def _partial(task):
    """Return the rows of an interrupted evaluation with the same settings, or none."""
    bits = hashlib.sha256(task.bits.tobytes() + task.labels.tobytes())
    settings = {
        "format": FORMAT,
        "config": task.run.config.to_dict(),
        "weights": stages.digest(task.weights),
        "images": bits.hexdigest(),
        "particles": task.particles,
        "rules": [
            *(estimates.PILOT, estimates.MARGIN, estimates.CLOSE),
            *(estimates.DECISIVE, estimates.BLOCK, laplace.SCALE, laplace.TOLERANCE),
            *(laplace.MIN_STEPS, laplace.MAX_STEPS, *laplace.FRACTIONS),
        ],
        "checks": [
            *(task.checks, stages.ENCODER_PARTICLES, ENCODER_BLOCK),
            *(sandwich.PARTICLES, sandwich.STEPS, *sandwich.MOVES),
        ],
    }
    marks = len(importance.levels(task.particles))
    width = 3 * task.run.config.n_classes + 2 * marks + 1
    tables = {"importance sampling": (len(task.bits), width)}
    if task.checks:
        width = len(importance.levels(stages.ENCODER_PARTICLES)) + 1
        tables["encoder"] = (task.checks, width)
        tables["sandwich"] = (task.checks, len(Sandwich._fields))
    label = f"particles-{task.particles}-checks-{task.checks}"
    base = task.run.partial_path
    return Partial(base, task.step, label, settings, tables, zs.IMPLEMENTATION)


def _note_others(partial):
    names = ", ".join(path.name for path in partial.others())
    if names:
        note(
            f"{partial.path.parent} keeps what interrupted evaluations with other "
            f"settings have computed: {names}"
        )


def _warn_if_trained_on(task):
    with contextlib.suppress(CvaeError):  # the evaluation is finished whatever it is
        step = task.run.load_checkpoint(best=True).state.step
        if step != task.step:
            warn(
                f"{task.run.path} was trained on from step {task.step:,} to "
                f"{step:,} during its evaluation, which is of step {task.step:,}; "
                f"evaluate again: `{command('evaluate')} --run {task.run.path}`"
            )


def _train_bound(model, dataset, n):
    images, labels = dataset.train.images[:n], dataset.train.labels[:n]
    total = model.bound(binarize(images), labels).total
    return dict(summary.mean_and_stderr(total), n_images=len(images))
