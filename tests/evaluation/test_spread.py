"""An evaluation by processes: the same bytes, whoever computes or is killed."""

import importlib.util
import json

import evaluate_by
import forks
import processes
import pytest
from evaluate_tiny import FILES, new_run
from paths import HELPERS

from cvae.errors import CvaeError
from cvae.evaluation import evaluate, stages
from cvae.evaluation.stages import Block, Source


def written(run):
    return [(run.path / name).read_bytes() for name in FILES]


def evaluate_by_threads(run, mnist_dir):
    with pytest.MonkeyPatch().context() as patch:
        for module, name, value in evaluate_by.BLOCKS:
            patch.setattr(module, name, value)
        data = evaluate_by.dataset(mnist_dir)
        evaluate.evaluate_run(run, data, evaluate_by.PARTICLES, evaluate_by.CHECKS)


@pytest.fixture(scope="module")
def expected(mnist_dir, tmp_path_factory):
    run = new_run(tmp_path_factory.mktemp("threads"))
    evaluate_by_threads(run, mnist_dir)
    return written(run)


def test_interrupted_it_ends_its_processes_and_resumes_to_the_same_bytes(
    mnist_dir, tmp_path, expected
):
    run = new_run(tmp_path)
    arguments = (HELPERS / "evaluate_by.py", run.path, mnist_dir, "loky")
    status, out, err = forks.run(*arguments, mnist_dir=mnist_dir)
    assert status == 143 and err == "interrupted\n"
    pids = json.loads(out)
    assert len(pids) >= 2 and processes.are_gone(pids)
    assert len(list(run.path.glob("*partial*"))) == 1
    evaluate_by_threads(run, mnist_dir)
    assert written(run) == expected and not list(run.path.glob("*partial*"))


@pytest.mark.once  # it imports TensorFlow four times; test_workers.py has less
def test_one_of_two_workers_of_dask_is_killed_and_the_bytes_are_the_same(
    mnist_dir, tmp_path, expected, capfd
):
    run, strike = new_run(tmp_path), evaluate_by.strike_worker
    pids = evaluate_by.by(run, mnist_dir, "dask", strike)
    assert len(pids) >= 2 and processes.are_gone(pids)
    lines = capfd.readouterr().err.splitlines()  # progress, on a busy machine
    assert not [line for line in lines if "images/s" not in line]
    assert written(run) == expected


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="no Ray here: pip install ray",
)
def test_the_workers_of_ray_write_the_same_bytes(mnist_dir, tmp_path, expected):
    run = new_run(tmp_path)
    assert processes.are_gone(evaluate_by.by(run, mnist_dir, "ray", len))
    assert written(run) == expected


@pytest.fixture
def source(tmp_path):
    run = new_run(tmp_path)
    return Source(str(run.path), stages.digest(run.weights()), stages.program())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"path": "/nowhere/run"}, "worker on .*: there is no run /nowhere/run"),
        ({"weights": "0" * 64}, "worker on .*: .* has other weights.*copy it again"),
        ({"program": "cvae 0.1"}, "worker on .*: it has cvae .*, the evaluation cvae"),
    ],
)
def test_a_worker_without_the_run_its_weights_or_its_version_is_one_line(
    source, change, message
):
    block = Block(0, None, None, 1)
    with pytest.raises(CvaeError, match=message) as caught:
        stages._in_worker(source._replace(**change), stages.likelihoods, block)
    assert "\n" not in str(caught.value)


def test_a_worker_loads_the_weights_once(source, monkeypatch):
    loaded = []
    monkeypatch.setattr(stages, "Model", lambda *args: loaded.append(args))

    def stage(model, block, go_on):
        return block

    assert [stages._in_worker(source, stage, i) for i in range(3)] == [0, 1, 2]
    assert len(loaded) == 1


def test_the_version_of_the_program_depends_on_its_sources(tmp_path, monkeypatch):
    before = stages.program()
    assert before == stages.program()
    monkeypatch.setattr(stages.cvae, "__file__", str(tmp_path / "__init__.py"))
    assert stages.program() != before
