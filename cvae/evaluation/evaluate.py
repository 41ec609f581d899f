"""Evaluate a run on test images: bounds, log p(x | y), log p(x), in nats."""

import contextlib
import hashlib
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from cvae import zs
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.data.checks import check_dataset, check_whole
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError, note, warn
from cvae.evaluation import MAX_AIS, ais, summary
from cvae.evaluation.partial import Partial
from cvae.evaluation.summary import Measured, Simulated
from cvae.inference import importance
from cvae.inference.trained import Model
from cvae.progress import Progress
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run, check_finite

FORMAT = 3  # of the rows of an interrupted evaluation; others are not continued
# Number of the first simulated image, above those of test images; whole batches.
SIMULATED = ais.BATCH * 2**15


class Task(NamedTuple):
    """A run, the data that it is evaluated on, and the effort of the evaluation."""

    run: Run
    weights: Dict[str, np.ndarray]  # by name of the model's variable
    step: int  # of the checkpoint that holds the weights
    trained_with: Sequence[str]  # implementations of ZhuSuan
    dataset: Dataset
    bits: np.ndarray  # uint8 [n, x_dim] of the test images, with a fixed seed
    particles: int  # for importance sampling
    ais: int  # images for annealed importance sampling

    @property
    def labels(self) -> np.ndarray:
        """The classes of the test images, `[n]`."""
        return self.dataset.test.labels


def evaluate_run(
    run: Run, dataset: Dataset, particles: int, ais: int
) -> Dict[str, Any]:
    """Evaluate `run` with progress bars, write its evaluation and return it.

    `evaluation.json` is described in `cvae.evaluation.summary`; `evaluation.npz` holds
    the values of each test image. After an interruption, the same call continues the
    evaluation and ends with the same bits. The rows of an interrupted evaluation have
    a file for each combination of settings, until an evaluation with these settings,
    or of later weights, is finished.

    Args:
        particles: samples of z for importance sampling, of each image and class.
        ais: test images for annealed importance sampling; 0 for none.

    Raises:
        CvaeError: an argument is out of range, the run has no checkpoint, `dataset`
            does not fit the model, the results are not finite, the file of an
            interrupted evaluation is damaged, or the disk refuses.
    """
    check_whole("particles", particles, 1, importance.MAX_PARTICLES)
    check_whole("ais", ais, 0, MAX_AIS)
    check_dataset(dataset, run.config.n_classes, run.config.x_dim)
    checkpoint = run.load_checkpoint(best=True)
    task = Task(
        run,
        averages(checkpoint),
        checkpoint.state.step,
        checkpoint.state.zhusuan,
        dataset,
        binarize(dataset.test.images),
        int(particles),
        min(int(ais), len(dataset.test.images)),
    )
    with _partial(task).kept() as partial:
        _note_others(partial)
        results, arrays = evaluate(task, partial)
        run.write_evaluation_arrays(dict(arrays, step=np.array(task.step)))
        run.write_evaluation(results)
    partial.remove()
    _warn_if_trained_on(task)
    return results


def evaluate(
    task: Task, partial: Partial
) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """Return `evaluation.json` and the arrays of `evaluation.npz` except for the step.

    Rows that `partial` holds are not computed again; new rows are added to it.
    """
    with Model(task.run.config, task.weights) as model:
        measured = _measure(model, task, partial)
        results = summary.summarize(measured)
        if task.ais:
            results["ais"] = _second_opinion(model, task, partial, measured)
        results["train_bound"] = _train_bound(model, task.dataset, len(task.bits))
    results["bits_seed"] = TEST_BITS_SEED
    results["dataset"], results["note"] = task.dataset.name, task.dataset.note
    results["step"] = task.step
    results["zhusuan"] = {
        "trained": list(dict.fromkeys(task.trained_with)),
        "evaluated": partial.makers,
    }
    return results, summary.arrays(measured)


def _measure(model, task, partial):
    bound = model.bound(task.bits, task.labels)
    check_finite(np.stack(bound), task.run)
    mean, logstd = model.encode(task.bits, task.labels)
    rows = _importance(model, task, partial)
    n_classes, marks = task.run.config.n_classes, importance.levels(task.particles)
    widths = [n_classes, n_classes, len(marks), len(marks)]
    parts = np.split(rows, np.cumsum(widths), axis=1)
    decisive, particles, own, marginal, ess = parts
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
    )


def _importance(model, task, partial):
    """Return the `_row` of each test image; compute those that `partial` lacks."""
    classes = range(task.run.config.n_classes)
    done, n = len(partial.rows("importance")), len(task.bits)
    todo = [(i, task.bits[i], int(task.labels[i]), classes) for i in range(done, n)]
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(n, done, label="importance sampling"))
        found = model.estimates(todo, task.particles)
        stack.enter_context(contextlib.closing(found))
        for (_, _, label, _), estimate in zip(todo, found):
            row = _row(estimate, label)
            check_finite(row, task.run)
            partial.add("importance", row[None])
            progress.advance(1)
    return partial.rows("importance")


def _row(estimate, label):
    """Return an `importance.Estimate` as a row of numbers, which `_measure` splits."""
    return np.concatenate(
        [
            estimate.decisive,
            estimate.particles,
            estimate.log_likelihoods[:, label],
            summary.marginal(estimate.log_likelihoods),
            estimate.ess[label : label + 1],
        ]
    )


def _second_opinion(model, task, partial, measured):
    """Return AIS of the first test images and of as many simulated images."""
    with ais.Annealer(task.run.config, task.weights) as annealer:

        def forward(first, n):
            part = slice(first, first + n)
            return annealer.forward(task.bits[part], task.labels[part], first)[:, None]

        def simulated(first, n):
            bits, labels, z = annealer.simulate(first, n)
            estimates = Simulated(
                annealer.forward(bits, labels, SIMULATED + first),
                annealer.backward(bits, labels, z, SIMULATED + first),
                model.log_likelihood(bits, labels, task.particles, SIMULATED + first),
            )
            return np.stack(estimates, 1)

        of_test = _in_batches(task, partial, "annealing", forward)
        of_simulated = _in_batches(task, partial, "annealing simulated", simulated)
        return summary.annealing(
            {
                "chains": ais.CHAINS,
                "temperatures": ais.TEMPERATURES,
                "leapfrog_steps": ais.LEAPFROG_STEPS,
            },
            annealer.acceptance,
            of_test[:, 0],
            measured.own[: task.ais, -1],
            Simulated(*of_simulated.T),
        )


def _in_batches(task, partial, stage, work):
    """Return the rows of all images; `work(first, n)` computes the missing ones."""
    done = len(partial.rows(stage))
    with Progress(task.ais, done, label=stage) as progress:
        for first in range(done, task.ais, ais.BATCH):
            n = min(ais.BATCH, task.ais - first)
            partial.add(stage, work(first, n))
            progress.advance(n)
    return partial.rows(stage)


def _partial(task):
    """Return the rows of an interrupted evaluation with the same settings, or none."""
    weights = hashlib.sha256()
    for name in sorted(task.weights):
        weights.update(name.encode("utf-8") + task.weights[name].tobytes())
    bits = hashlib.sha256(task.bits.tobytes() + task.labels.tobytes())
    settings = {
        "format": FORMAT,
        "config": task.run.config.to_dict(),
        "weights": weights.hexdigest(),
        "images": bits.hexdigest(),
        "particles": task.particles,
        "rules": [importance.MARGIN, importance.CLOSE, importance.DECISIVE],
        "ais": [task.ais, ais.CHAINS, ais.TEMPERATURES, ais.LEAPFROG_STEPS],
    }
    marks = len(importance.levels(task.particles))
    width = 2 * task.run.config.n_classes + 2 * marks + 1
    stages = {"importance": (len(task.bits), width)}
    if task.ais:
        stages.update(
            {"annealing": (task.ais, 1), "annealing simulated": (task.ais, 3)}
        )
    label = f"particles-{task.particles}-ais-{task.ais}"
    base = task.run.partial_path
    return Partial(base, task.step, label, settings, stages, zs.IMPLEMENTATION)


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
                f"evaluate again: `python scripts/evaluate.py --run {task.run.path}`"
            )


def _train_bound(model, dataset, n):
    images, labels = dataset.train.images[:n], dataset.train.labels[:n]
    total = model.bound(binarize(images), labels).total
    return dict(summary.mean_and_stderr(total), n_images=len(images))
