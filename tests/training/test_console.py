"""Training with a console: what is printed where, and how a stop ends."""

import dataclasses
import os
import signal

import pytest
import tiny

from cvae.runs.run import Run
from cvae.training import console
from cvae.training.step import Trainer

pytestmark = pytest.mark.usefixtures("kept_graphs")


@pytest.fixture(scope="module")
def data(mnist):
    return tiny.dataset(mnist)


def test_settings_and_results_go_to_stdout_and_epochs_to_stderr(data, tmp_path, capsys):
    run = Run.create(tmp_path / "run", dataclasses.replace(tiny.CONFIG, epochs=2.0))
    assert console.train_with_console(run, data) == 0
    out, err = capsys.readouterr()
    names = [line.split()[0] for line in out.splitlines()]
    assert names == ["run", "data", "library", "model", "plan", "trained", "bound"]
    assert "10 classes, z in R^5, hidden layers 32 swish, k = 1\n" in out
    assert "2 epochs; batch 50, Adam 0.002, cosine rate, seed 0\n" in out
    bound = run.metrics()[-1]["test_bound"]
    assert f"bound     {bound:.3f} nats on the test images" in out
    first, second = err.splitlines()
    assert first.startswith("epoch    1.0  train ") and "test" not in first
    assert f"  test {bound:8.3f} nats  100 %" in second


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_saves_the_very_step_and_prints_how_to_continue(
    data, tmp_path, capsys, monkeypatch, number, status
):
    config = dataclasses.replace(tiny.CONFIG, epochs=10000.0)
    run = Run.create(tmp_path / "run", config)
    handler = signal.getsignal(number)
    steps, done = Trainer.steps, []

    def stop_in_the_third_block(trainer, *args):
        bounds = steps(trainer, *args)
        done.append(len(bounds))
        if len(done) == 3:
            os.kill(os.getpid(), number)
        return bounds

    monkeypatch.setattr(Trainer, "steps", stop_in_the_third_block)
    assert console.train_with_console(run, data) == status
    assert f"--resume --run {run.path}" in capsys.readouterr().out
    assert run.load_checkpoint().state.step == sum(done) and len(done) == 3
    assert signal.getsignal(number) is handler
