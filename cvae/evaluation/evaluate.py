"""What a run is worth on the test set: bounds, log p(x | y), log p(x), in nats."""

import contextlib
import hashlib
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from cvae import zs
from cvae.data.binarize import TEST_BITS_SEED, binarize
from cvae.data.checks import check_dataset
from cvae.data.dataset import Dataset
from cvae.evaluation import ais, summary
from cvae.evaluation.partial import Partial
from cvae.evaluation.summary import Measured
from cvae.inference import importance
from cvae.inference.trained import Model
from cvae.progress import Progress
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run, check_finite

FORMAT = 3  # of the rows in a partial state; another one is begun anew
UNIT = 10  # images, between looks at the clock
# Number of the first simulated image, above those of test images; whole batches.
SIMULATED = ais.BATCH * 2**15


class Task(NamedTuple):
    """One run, what it is evaluated on, and how much effort goes into it."""

    run: Run
    weights: Dict[str, np.ndarray]  # by name of the model's variable
    step: int  # of the checkpoint that they come from
    trained_with: Sequence[str]  # the implementations of ZhuSuan
    dataset: Dataset
    bits: np.ndarray  # uint8 [n, x_dim] of the test images, drawn once for all
    particles: int  # for importance sampling
    ais: int  # images for annealed importance sampling

    @property
    def labels(self) -> np.ndarray:
        """Of the test images, `[n]`."""
        return self.dataset.test.labels


def evaluate_run(
    run: Run, dataset: Dataset, particles: int, ais: int
) -> Dict[str, Any]:
    """Evaluate `run` with progress bars, write its evaluation, return it.

    Interrupted, it goes on where it was when it is called again, to the same bits.
    `evaluation.json` is made by `cvae.evaluation.summary`; beside it,
    `evaluation.npz` has the figures of each test image.

    Args:
        particles: of z an image and class for importance sampling.
        ais: images that annealed importance sampling looks at, too; 0 for none.

    Raises:
        CvaeError: the run has no checkpoint, `dataset` has other classes or pixels,
            or the file of an interrupted evaluation is damaged.
    """
    check_dataset(dataset, run.config.n_classes, run.config.x_dim)
    checkpoint = run.load_checkpoint(best=True)
    task = Task(
        run,
        averages(checkpoint),
        checkpoint.state.step,
        checkpoint.state.zhusuan,
        dataset,
        binarize(dataset.test.images),
        particles,
        min(ais, len(dataset.test.images)),
    )
    with _partial(task).kept() as partial:
        results, arrays = evaluate(task, partial)
    run.write_evaluation_arrays(dict(arrays, step=np.array(task.step)))
    run.write_evaluation(results)
    partial.remove()
    return results


def evaluate(
    task: Task, partial: Partial
) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """Return what goes into `evaluation.json` and, but for the step, `evaluation.npz`.

    What `partial` holds is not done again; what is done goes into it.
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
    """A row of each test image: `_row`, of whatever is not done yet."""
    classes = range(task.run.config.n_classes)
    done, n = len(partial.rows("importance")), len(task.bits)
    todo = [(i, task.bits[i], int(task.labels[i]), classes) for i in range(done, n)]
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(n, done, label="importance sampling"))
        found = model.estimates(todo, task.particles)
        stack.enter_context(contextlib.closing(found))
        rows = []
        for (number, _, label, _), estimate in zip(todo, found):
            rows.append(_row(estimate, label))
            if len(rows) == UNIT or number == n - 1:
                check_finite(np.stack(rows), task.run)
                partial.add("importance", np.stack(rows))
                progress.advance(len(rows))
                rows = []
    return partial.rows("importance")


def _row(estimate, label):
    """An `importance.Estimate` as numbers in a row; `_measure` takes them apart."""
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
    """Annealed importance sampling of the first test images, and of simulated ones."""
    with ais.Annealer(task.run.config, task.weights) as annealer:

        def forward(first, n):
            part = slice(first, first + n)
            return annealer.forward(task.bits[part], task.labels[part], first)[:, None]

        def simulated(first, n):
            bits, labels, z = annealer.simulate(first, n)
            estimates = ais.Simulated(
                annealer.forward(bits, labels, SIMULATED + first),
                annealer.backward(bits, labels, z, SIMULATED + first),
                model.log_likelihood(bits, labels, task.particles, SIMULATED + first),
            )
            return np.stack(estimates, 1)

        done = _in_batches(task, partial, "annealing", forward)
        of_simulated = _in_batches(task, partial, "annealing simulated", simulated)
        return ais.summary(
            annealer.acceptance,
            done[:, 0],
            measured.own[: task.ais, -1],
            ais.Simulated(*of_simulated.T),
        )


def _in_batches(task, partial, stage, work):
    """The rows that `work(first, n)` finds of all images, of whatever is not done."""
    done = len(partial.rows(stage))
    with Progress(task.ais, done, label=stage) as progress:
        for first in range(done, task.ais, ais.BATCH):
            n = min(ais.BATCH, task.ais - first)
            partial.add(stage, work(first, n))
            progress.advance(n)
    return partial.rows(stage)


def _partial(task):
    """The rows of an evaluation like this one that was interrupted, or none."""
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
    return Partial(task.run.partial_path, settings, stages, zs.IMPLEMENTATION)


def _train_bound(model, dataset, n):
    images, labels = dataset.train.images[:n], dataset.train.labels[:n]
    total = model.bound(binarize(images), labels).total
    return dict(summary.mean_and_stderr(total), n_images=len(images))
