"""`make report`: data, training, samples, evaluation and the PDF, one after another."""

import dataclasses
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from cvae import progress
from cvae.config import Config, preset
from cvae.data import mnist
from cvae.data.dataset import Dataset
from cvae.data.download import Unavailable
from cvae.data.prepare import load_and_fit
from cvae.errors import CvaeError
from cvae.evaluation import evaluate, learning, tables
from cvae.report import document, samples, typst
from cvae.runs.dataset_file import label_of
from cvae.runs.evaluation_file import check_fresh
from cvae.runs.run import RUNS, Run
from cvae.storage.checkout import IS_CHECKOUT, ROOT
from cvae.training import console

# Seconds that a stage takes at most on two cores, of which the time left is the sum.
# Training takes its budget, and the evaluation takes as long as its network needs.
STAGE_SECONDS = {"data": 30, "training": 0, "samples": 10, "evaluation": 0, "PDF": 90}
EVALUATION_SECONDS = {"mlp": 180, "conv": 1200}
PARTICLES = 100  # for each image and class, to estimate log p(x | y)
CHECKS = 200  # images on which the estimates are checked
# Instead of MNIST: fewer images, more passes.
SMALL: Dict[str, Any] = {"dataset": "mnist-5k", "epochs": 150.0}


def make_report(
    preset_name: str,
    output: Optional[Path],
    mnist_dir: Optional[Path],
    side: Optional[int] = None,
    **changes: Any,
) -> int:
    """Run all stages up to report.pdf in `output`, and return the exit status.

    Without an `output`, the report is written into the run, `runs/report-<preset>`. A
    later call resumes a training that was stopped, and repeats no finished training or
    evaluation.

    Args:
        mnist_dir, side: see `cvae.data.load.load`.
        changes: settings that differ from the preset's.

    Raises:
        CvaeError: one of the stages cannot be done.
    """
    asked = preset(preset_name, **changes)
    typst.check()
    learning.scikit("neighbors")  # raises now, not after the training, if it is missing
    stages = _Stages(asked)
    stages.begin("data")
    dataset, config = load_or_fall_back(asked, mnist_dir, side)
    run = Run.open_or_create(RUNS / _run_name(preset_name, dataset), config)

    stages.begin("training")
    status = console.train_with_console(run, dataset)
    if status:
        print("to continue the report, run `make report` again")
        return status

    stages.begin("samples")
    for path in samples.write_samples(run, None, None, 10, samples.SampleOptions()):
        print(path)

    stages.begin("evaluation")
    if not _is_evaluated(run, dataset):
        evaluate.evaluate_run(run, dataset, PARTICLES, CHECKS)
    print(tables.evaluation_table(run.evaluation()))

    stages.begin("PDF")
    *others, pdf = document.build(run, output or run.path, dataset)
    for path in others:
        print(path)
    stages.end()
    print(pdf)
    return 0


def load_or_fall_back(
    config: Config, mnist_dir: Optional[Path], side: Optional[int] = None
) -> Tuple[Dataset, Config]:
    """Return the data that `config` names, and settings for them.

    Instead of MNIST, these are mnist-5k and settings for it if MNIST is not on disk and
    no mirror can be reached. The set-up of a checkout
    installs the small subset, and a box announces it.
    """
    try:
        return load_and_fit(config, mnist_dir, side)
    except Unavailable as error:
        if config.dataset != "mnist":
            raise
        print(error, file=sys.stderr)
    print(_box(mnist.note("mnist-5k"), "To train on all of MNIST, see above."))
    if IS_CHECKOUT:
        setup = str(ROOT / "scripts" / "setup_env.py")
        subprocess.call(
            [sys.executable, setup, "--venv", sys.prefix, "--extra", "offline"]
        )
    return load_and_fit(dataclasses.replace(config, **SMALL))


def _is_evaluated(run, dataset):
    """Whether the evaluation of `run` is current, precise enough and checked."""
    try:
        found = run.evaluation()
        run.evaluation_arrays()
        step = run.load_checkpoint(best=True).state.step
        check_fresh(found, run.path, step, dataset)
    except CvaeError:  # missing, damaged or of another state: evaluated again
        return False
    checks = min(CHECKS, found["n_images"])
    return found["log_likelihood"]["particles"] >= PARTICLES and all(
        found.get(check, {"images": 0})["images"] >= checks
        for check in ("encoder", "sandwich")
    )


class _Stages:
    """Prints each stage with an upper limit of the time left."""

    def __init__(self, config):
        self._seconds = dict(STAGE_SECONDS, training=60.0 * config.minutes)
        self._seconds["evaluation"] = EVALUATION_SECONDS[config.network]
        self._names = list(self._seconds)
        self._began = time.monotonic()

    def begin(self, name):
        number = self._names.index(name)
        left = sum(self._seconds[n] for n in self._names[number:])
        print(
            f"\n[{number + 1}/{len(self._names)}] {name} - at most "
            f"{progress.clock(left)} minutes left in all",
            flush=True,
        )

    def end(self):
        seconds = time.monotonic() - self._began
        print(f"\ndone in {progress.clock(seconds)} minutes:")


def _run_name(preset_name, dataset):
    suffix = "" if dataset.name == "mnist" else f"-{label_of(dataset.name)}"
    return f"report-{preset_name}{suffix}"


def _box(*lines):
    text = [piece for line in lines for piece in textwrap.wrap(line, 76)]
    edge = f"+{'-' * 78}+"
    return "\n".join([edge] + [f"| {piece:76} |" for piece in text] + [edge])
