"""An interrupted evaluation: resumed to the same bits, with nothing lost."""

import signal
from pathlib import Path

import evaluate_tiny
import forks
import numpy as np
import pytest
from evaluate_tiny import (
    CHECKS,
    FILES,
    N_IMAGES,
    PARTICLES,
    new_run,
    partials,
    without_checks,
)

from cvae.errors import CvaeError
from cvae.evaluation import evaluate, partial
from cvae.inference import estimates
from cvae.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_graph_twice")


def strike(run, mnist_dir, checks, number, count):
    """Evaluate in a process that a signal strikes: its status and what it printed."""
    arguments = [run.path, mnist_dir, PARTICLES, checks, int(number), count]
    program = Path(evaluate_tiny.__file__)
    status, _, err = forks.run(program, *arguments, mnist_dir=mnist_dir)
    return status, err


@pytest.mark.parametrize(
    "number, status, checks, count",
    [
        (signal.SIGKILL, -9, 0, 2),
        (signal.SIGINT, 130, 0, 3),
        (signal.SIGTERM, 143, CHECKS, N_IMAGES // 3 + 3),
    ],
)
def test_killed_and_called_again_it_ends_with_the_bits_of_the_undisturbed_one(
    data, mnist_dir, tmp_path, evaluated, monkeypatch, number, status, checks, count
):
    """Struck twice within importance sampling, and after half of the sandwich."""
    run = new_run(tmp_path)
    found, err = strike(run, mnist_dir, checks, number, count)
    assert found == status and "Traceback" not in err
    assert len(partials(run)) == 1 and not (run.path / FILES[0]).exists()
    asked = images_asked_for(monkeypatch)
    results = evaluate.evaluate_run(run, data, PARTICLES, checks)
    assert sorted(asked) == list(range(3 * min(count, 4), N_IMAGES))
    assert not partials(run)
    whole, undisturbed = evaluated
    arrays, expected = run.evaluation_arrays(), whole.evaluation_arrays()
    if not checks:
        undisturbed = without_checks(undisturbed)
        del expected["encoder_ess"]
    assert results == run.evaluation() == undisturbed
    assert sorted(arrays) == sorted(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
    if checks:
        files = [r.path / "evaluation.npz" for r in (run, whole)]
        assert files[0].read_bytes() == files[1].read_bytes()


def interrupted(run, data, monkeypatch, particles=3, after=3):
    """Leave the rows of an evaluation that was interrupted `after` so many images."""
    add = partial.Partial.add

    def stop(self, stage, rows):
        add(self, stage, rows)
        if len(self.rows(stage)) == after:
            raise KeyboardInterrupt()

    with monkeypatch.context() as patch:
        patch.setattr(partial.Partial, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate.evaluate_run(run, data, particles, 0)


def images_asked_for(monkeypatch):
    """The numbers of the images that are estimated from now on."""
    asked, estimate = [], estimates.of_all_classes

    def spy(model, bits, labels, particles, first, go_on):
        asked.extend(range(first, first + len(bits)))
        return estimate(model, bits, labels, particles, first, go_on)

    monkeypatch.setattr(estimates, "of_all_classes", spy)
    return asked


def test_evaluations_of_other_settings_keep_each_others_rows(
    data, tmp_path, monkeypatch, capsys
):
    run, undisturbed = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    interrupted(run, data, monkeypatch, particles=3, after=6)
    (three,) = partials(run)
    assert three.startswith("evaluation-partial-step-1-particles-3-checks-0-")
    capsys.readouterr()
    interrupted(run, data, monkeypatch, particles=4, after=9)
    out, err = capsys.readouterr()
    assert not out and err.splitlines() == [
        f"note: {run.path} keeps what interrupted evaluations with other settings "
        f"have computed: {three}"
    ]
    asked = images_asked_for(monkeypatch)
    for particles, done in ((3, 6), (4, 9)):
        found = evaluate.evaluate_run(run, data, particles, 0)
        assert sorted(asked) == list(range(done, N_IMAGES))
        assert found == evaluate.evaluate_run(undisturbed, data, particles, 0)
        asked.clear()
    assert not partials(run)


def test_rows_of_another_checkpoint_are_not_used_and_deleted_in_the_end(
    data, tmp_path, monkeypatch
):
    run, other = new_run(tmp_path / "a"), new_run(tmp_path / "b", scale=0.5, step=2)
    interrupted(run, data, monkeypatch)
    run.save_checkpoint(other.load_checkpoint())
    assert evaluate.evaluate_run(run, data, 3, 0) == evaluate.evaluate_run(
        other, data, 3, 0
    )
    assert not partials(run)


def test_a_damaged_partial_state_is_one_line_and_nothing_is_lost(
    data, tmp_path, monkeypatch
):
    run = new_run(tmp_path)
    evaluate.evaluate_run(run, data, 2, 0)
    interrupted(run, data, monkeypatch)
    (name,) = partials(run)
    (run.path / name).write_bytes((run.path / name).read_bytes()[:-9])
    before = {path: path.read_bytes() for path in run.path.glob("evaluation*")}
    with pytest.raises(CvaeError, match="damaged.*delete it") as caught:
        evaluate.evaluate_run(run, data, 3, 0)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in run.path.glob("evaluation*")}


def test_results_that_cannot_be_written_lose_no_row(data, tmp_path, monkeypatch):
    run = new_run(tmp_path)

    def full(*unused):
        raise CvaeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_evaluation", full)
        with pytest.raises(CvaeError, match="the disk is full"):
            evaluate.evaluate_run(run, data, 3, 0)
    asked = images_asked_for(monkeypatch)
    evaluate.evaluate_run(run, data, 3, 0)
    assert not asked and not partials(run)


def test_a_run_that_is_trained_on_meanwhile_is_evaluated_as_it_was_with_a_warning(
    data, tmp_path, monkeypatch, capsys
):
    run, as_it_was = new_run(tmp_path / "a"), new_run(tmp_path / "b")
    later = new_run(tmp_path / "c", step=7).load_checkpoint()
    estimate = estimates.of_all_classes

    def train_on(model, bits, labels, particles, first, go_on):
        if first == 0:
            run.save_checkpoint(later)
        return estimate(model, bits, labels, particles, first, go_on)

    with monkeypatch.context() as patch:
        patch.setattr(estimates, "of_all_classes", train_on)
        found = evaluate.evaluate_run(run, data, 3, 0)
    out, err = capsys.readouterr()
    assert not out and err.splitlines() == [
        f"warning: {run.path} was trained on from step 1 to 7 during its evaluation, "
        "which is of step 1; evaluate again: `python scripts/evaluate.py --run "
        f"{run.path}`"
    ]
    assert found == evaluate.evaluate_run(as_it_was, data, 3, 0)
    assert not capsys.readouterr().err
