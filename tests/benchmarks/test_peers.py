"""Peers train the same model as ours, and benchmarks print what they measured.

PyTorch and JAX are tested where `make peers` has installed them.
"""

import json
import re
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from paths import ROOT

from cvae import zs
from cvae.data.binarize import binarize
from cvae.errors import CvaeError
from cvae.inference.trained import Model
from cvae.training import optimizers

sys.path.insert(0, str(ROOT / "benchmarks"))

import step_profile
import throughput
import time_to_bound
from peers import (
    BLOCK,
    bound_chart,
    driver,
    recipe,
    shuffled,
    throughput_chart,
)
from peers import ours as ours_module
from peers.nets import layers

CONFIG = recipe(100)
STEPS = 5 * BLOCK  # after the first BLOCK, which warm up
PEERS = driver.pythons(".venv-peers")["peers"]


@pytest.fixture(scope="module")
def bound(mnist):
    """A function from weights to their bound on 1,000 test images, in nats."""
    bits, labels = binarize(mnist.test.images), mnist.test.labels
    models = []

    def bound(weights):
        if not models:
            models.append(Model(CONFIG, weights))
        models[0].load(weights)
        return models[0].bound(bits[:1000], labels[:1000]).total.mean()

    return bound


@pytest.fixture(scope="module")
def our_peer(mnist):
    return ours_module.Peer(CONFIG, mnist.train)


@pytest.fixture(scope="module")
def ours(our_peer, bound):
    """The bound that this trainer comes to from biases of zero, as peers start."""
    peer = our_peer
    state = peer.trainer.state()
    start = {k: np.zeros_like(v) for k, v in state.items() if "x_logits/bias" in k}
    peer.trainer.restore(dict(state, **start))
    bounds = peer.run(BLOCK + STEPS)
    assert len(bounds) == BLOCK + STEPS and np.isfinite(bounds).all()
    found = bound(peer.weights())
    assert -220.0 < found < -150.0  # -543 at first, -84 in the end
    return found


def check_common_training(worker, folder, bound, ours):
    """Train as `ours` did: at the end, bounds must be about the same."""
    answer = worker.run(STEPS)
    assert answer["seconds"] > 0.0
    worker.save(folder / "weights.npz")
    with np.load(str(folder / "weights.npz")) as arrays:
        weights = dict(arrays)
    sizes = {layer.name + "/kernel": layer.kernel for layer in layers(CONFIG)}
    assert {name: weights[name].shape for name in sizes} == sizes
    found = bound(weights)
    assert found == pytest.approx(ours, abs=8.0)
    assert answer["bound"] == pytest.approx(found, abs=10.0)  # of steps before


def test_a_worker_trains_the_tutorial_outlives_a_wrong_command_and_is_missed(
    mnist_dir, tmp_path, bound, ours
):
    """On the real ZhuSuan where this process has that one, as the trainer of `ours`."""
    implementation = "builtin" if zs.IMPLEMENTATION == "cvae.zs" else "real"
    arguments = (sys.executable, "tutorial", CONFIG, mnist_dir, implementation)
    with driver.worker(*arguments) as worker:
        assert worker.ready["versions"][1] == zs.IMPLEMENTATION
        with pytest.raises(driver.NotMeasured, match="there is no command 'dance'"):
            worker.ask("dance 3")
        check_common_training(worker, tmp_path, bound, ours)
        worker._process.kill()
        row = {"worker": worker, "steps": BLOCK, "paces": [1.0]}
        throughput._take_turn(row)
        assert row["not_measured"].startswith("ended with status -9")


@pytest.mark.parametrize(
    "peer",
    [
        "pytorch",
        "pytorch-onednn",
        pytest.param("pytorch-compiled", marks=pytest.mark.slow),
        "jax",
        "jax-scan",
    ],
)
def test_pytorch_and_jax_train_to_the_same_bound(
    peer, mnist_dir, tmp_path, bound, ours
):
    if isinstance(PEERS, driver.NotMeasured):
        pytest.skip(str(PEERS))
    with driver.worker(PEERS, peer, CONFIG, mnist_dir) as worker:
        check_common_training(worker, tmp_path, bound, ours)


def test_a_late_peer_takes_steps_that_leave_the_average(mnist):
    peer = ours_module.Peer(CONFIG, mnist.train, late=True)
    before, average = peer.trainer.state(), peer.weights()
    peer.run(optimizers.AVERAGE_EVERY - 1)
    after = peer.trainer.state()
    for name, values in peer.weights().items():
        assert np.array_equal(values, average[name])
        assert not np.array_equal(after[name], before[name])


@pytest.mark.skipif(
    zs.IMPLEMENTATION == "cvae.zs", reason="the tutorial's worker has trained on it"
)
def test_a_peer_trains_on_cvae_zs_where_its_row_asks_for_it(mnist_dir):
    with driver.worker(sys.executable, "ours", CONFIG, mnist_dir, "builtin") as worker:
        assert worker.ready["versions"][1] == "cvae.zs"
        assert np.isfinite(worker.run(BLOCK)["bound"])


@pytest.mark.skipif(
    zs.IMPLEMENTATION != "cvae.zs", reason="the real ZhuSuan is installed here"
)
def test_a_row_that_asks_for_the_real_zhusuan_says_how_to_install_it(mnist_dir):
    with pytest.raises(driver.NotMeasured, match="ZHUSUAN=real make env"):
        with driver.worker(sys.executable, "tutorial", CONFIG, mnist_dir, "real"):
            pass


def test_an_epoch_sees_each_image_at_most_once_in_a_new_order():
    steps = shuffled(10, 3, np.random.RandomState(0))
    epochs = [np.concatenate([next(steps) for _ in range(3)]) for _ in range(2)]
    for epoch in epochs:
        assert len(set(epoch)) == 9 and set(epoch) <= set(range(10))
    assert list(epochs[0]) != list(epochs[1])


def rows(config, **changes):
    """What was measured: every row at 100 steps a second but for `changes`."""
    found = {}
    for row in throughput.rows_of(config):
        flop = 10**9 if "product" in row.peer else None
        found[row.name] = {"versions": ["X 1"], "flop": flop, "bound": -99.0}
        found[row.name].update(paces=[100.0, 100.0, 100.0], waiting=[0.1, 10.0])
        if row.peer in changes:
            found[row.name].update(changes[row.peer])
    return found


def test_ratios_are_those_of_the_same_repeat_and_nothing_is_dropped(tmp_path):
    changes = {
        "ours-late": {"paces": [200.0, 20.0, 200.0]},
        "pytorch": {"paces": [100.0, 10.0, 50.0]},
        "pytorch-compiled": {"paces": [50.0, 5.0, 100.0]},
        "jax": {"not_measured": "no .venv-peers"},
    }
    config = recipe(128)
    batch = throughput.summary(config, rows(config, **changes))
    named = {row["name"]: row for row in batch["rows"]}
    names = list(named)
    assert names == [row.name for row in throughput.ROWS if row.network != "conv"]
    assert named["PyTorch, eager"]["ours"]["median"] == 2.0
    assert named["PyTorch, eager"]["images_per_second"]["median"] == 50 * 128
    assert batch["best"]["ours"] == {"median": 2.0, "low": 2.0, "high": 2.0}
    product = named["products alone, TensorFlow 1.15"]
    assert product["gflops"]["median"] == 100.0
    # Of 100 GFLOP/s; nothing goes back from the first 794 x 500 weights.
    rate = 1e11 / (2 * (3 * 1354000 - 794 * 500))
    assert product["images_per_second"]["median"] == pytest.approx(rate)
    assert named["JAX, a step a call"]["not_measured"] == "no .venv-peers"
    assert named["PyTorch, eager"]["cores_while_waiting"] == 0.01
    results = dict(driver.machine(), preset=None, repeats=3, batches=[batch])
    text = throughput.table(results)
    for name in names:
        assert text.count(f"| {name} |") == 1
    assert "| JAX, a step a call | not measured: no .venv-peers |" in text
    throughput_chart.draw(tmp_path / "bars.png", results)
    assert (tmp_path / "bars.png").read_bytes()[:4] == b"\x89PNG"


def test_convolutions_have_a_row_with_the_channels_last_in_memory():
    config = recipe(128, "best")
    changes = {
        "pytorch": {"paces": [25.0]},
        "pytorch-channels-last": {"paces": [50.0]},
        "pytorch-compiled": {"paces": [20.0]},
    }
    batch = throughput.summary(config, rows(config, **changes))
    names = [row["name"] for row in batch["rows"]]
    assert throughput.CHANNELS_LAST in names
    assert "PyTorch, eager, oneDNN tensors" not in names
    assert batch["best"]["ours_today"]["median"] == 2.0
    results = dict(driver.machine(), preset="best", repeats=1, batches=[batch])
    assert throughput.table(results).startswith("nets of the preset best, 1 repeats on")


class Steady:
    """A worker that takes a tenth of a second for a step."""

    ready = {"versions": ["X 1"], "ready": 1.0}

    def run(self, n_steps):
        return {"seconds": 0.1 * n_steps}


def test_evaluations_come_every_second_and_later_at_every_twentieth():
    found = list(time_to_bound._stretches(Steady(), 10000, 600.0))
    steps, seconds = np.transpose(found)
    np.testing.assert_allclose(seconds, 0.1 * (steps - BLOCK))
    assert (np.diff(seconds) <= 0.05 * seconds[:-1] + 0.1 * BLOCK + 1e-6).all()
    assert 600.0 <= seconds[-1] < 600.0 + 0.1 * BLOCK
    (*_, (last, _)) = time_to_bound._stretches(Steady(), 1000, 600.0)
    assert 1000 <= last < 1000 + BLOCK


def test_a_training_ends_at_the_last_of_the_bounds(mnist, monkeypatch):
    bounds = iter([-200.0, -91.0, -90.0, -89.0])
    for module, name, value in (
        (driver, "worker", Steady()),
        (time_to_bound, "_evaluation", lambda: next(bounds)),
    ):
        monkeypatch.setattr(module, name, lambda *_, v=value: nullcontext(v))
    arguments = SimpleNamespace(minutes=10.0, mnist_dir=None)
    found = time_to_bound._train(time_to_bound.ROWS[2], "python", mnist, arguments)
    assert [point["bound"] for point in found["points"]] == [-200.0, -91.0, -90.0]


def test_times_are_those_of_the_first_evaluation_there(tmp_path):
    points = [(1.0, -110.0), (2.0, -97.0), (4.0, -94.0)]
    points = [{"seconds": s, "step": 16, "bound": b} for s, b in points]
    slow = [dict(point, seconds=3.0 * point["seconds"]) for point in points[:2]]
    about = {"versions": ["X 1"], "seconds_before": 1.0}
    results = dict(driver.machine(), minutes=1.0)
    results["rows"] = [
        dict(about, name=time_to_bound.OURS["ours"], points=points),
        dict(about, name=time_to_bound.OURS["ours_today"], points=slow),
        dict(about, name="slow", points=slow),
        {"name": "absent", "not_measured": "no .venv-peers"},
    ]
    time_to_bound.add_times(results)
    ours, _, slow, absent = results["rows"]
    assert ours["seconds_to"] == {"-100": 2.0, "-95": 4.0, "-92": None, "-90": None}
    assert slow["times_ours"] == {"-100": 3.0, "-95": None, "-92": None, "-90": None}
    assert slow["times_ours_today"]["-100"] == 1.0
    assert set(absent["seconds_to"].values()) == {None}
    text = time_to_bound.table(results)
    assert "| slow | 6 (3.0, 1.0) | not in 0.1 minutes |" in text
    assert "| absent | not measured: no .venv-peers |" in text
    bound_chart.draw(tmp_path / "curves.png", results)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "module, arguments, says",
    [
        (throughput, ["--batch-sizes", "128,x"], "'128,x' is not a list"),
        (throughput, ["--batch-sizes", "0"], "choose sizes from 1 to 60,000 images"),
        (throughput, ["--repeats", "0"], "'0' is not a whole number from 1"),
        (
            time_to_bound,
            ["--minutes", "nan"],
            "'nan' is not a number of minutes above 0",
        ),
        (time_to_bound, ["--minutes", "-1"], "'-1' is not a number of minutes above 0"),
    ],
)
def test_bad_input_is_one_line(module, arguments, says, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    with pytest.raises((SystemExit, CvaeError)) as stop:
        module.main()
    error = capsys.readouterr().err + str(stop.value)
    assert says in error and error.count("\n") <= 1


def test_the_lock_is_exact_and_names_no_index():
    text = (driver.BENCHMARKS / "peers" / "requirements.txt").read_text()
    text = re.sub(r"(?m)^\s*#.*\n", "", text).replace("\\\n", " ")
    assert "torch==2.13.0+cpu" in text
    for line in text.splitlines():
        assert re.match(r"[\w-]+==[\w.+]+( +--hash=sha256:[0-9a-f]{64})+$", line), line


@pytest.mark.measures
def test_a_steps_profile_has_its_operations_and_their_time(
    mnist, our_peer, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "profile.json"
    options = ["--batch-size", "100", "--repeats", "2", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["step_profile.py", *options])
    monkeypatch.setattr(step_profile.mnist, "load", lambda *_: mnist)
    monkeypatch.setattr(step_profile.ours, "Peer", lambda *_, late: our_peer)
    step_profile.main()
    found = json.loads(output.read_text(encoding="utf-8"))
    parts = found["milliseconds_of_operations"]
    assert all(part["median"] > 0.0 for part in parts.values())
    total = sum(part["median"] for part in parts.values())
    assert parts["matrix products"]["median"] > 0.2 * total
    # No thread works for longer than the step lasts.
    assert total <= found["cores"] * found["milliseconds_a_step"]["traced"]["high"]
    types = found["milliseconds_of_types"]
    assert types["ResourceApplyAdam"] == parts["Adam"]
    assert len(types) >= 10
    text = capsys.readouterr().out
    assert f"| ResourceApplyAdam | {parts['Adam']['median']:.2f}" in text
