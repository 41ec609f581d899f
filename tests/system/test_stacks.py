"""One stack continues a run of the other; the same weights give the same bounds.

Whichever stack runs the tests, the other must be installed beside it:

    make env STACK=1.15
    make env STACK=current VENV=.venv-current
"""

import os
import subprocess

import numpy as np
import pytest
import setup_env
from on_other_stack import CONFIGS, N_IMAGES, dataset_of, likelihoods
from paths import HELPERS, ROOT

from cvae import zs
from cvae.backend import compat
from cvae.evaluation import evaluate
from cvae.report import samples
from cvae.runs import pretrained
from cvae.runs.run import Run
from cvae.training import loop

OTHER = "current" if compat.VERSION.startswith("1.") else "1.15"


@pytest.fixture(scope="module")
def dataset(mnist):
    return dataset_of(mnist)


@pytest.fixture(scope="module")
def made(mnist_dir, tmp_path_factory):
    """A folder of runs, and of figures, that the other stack made."""
    pythons = setup_env.installed_stacks()
    if OTHER not in pythons:
        pytest.skip(f"no environment of STACK={OTHER} in this checkout")
    folder = tmp_path_factory.mktemp("other")
    command = [str(pythons[OTHER]), str(HELPERS / "on_other_stack.py"), str(mnist_dir)]
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        command + [str(folder)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stdout
    return folder


@pytest.mark.parametrize("name", [*CONFIGS, "pretrained"])
def test_the_same_weights_give_the_same_bound_and_nearly_the_same_likelihood(
    made, mnist, dataset, name
):
    """To 1e-3 and 0.02 nats: a proposal depends on differences of float32 logits."""
    shipped = name == "pretrained"
    run = Run(pretrained.HERE if shipped else made / name)
    with np.load(str(made / "found.npz")) as found:
        theirs = found[name]
    ours = likelihoods(run, mnist if shipped else dataset)
    assert theirs.shape == (2, N_IMAGES) and np.isfinite(theirs).all()
    np.testing.assert_allclose(ours[0], theirs[0], rtol=0, atol=1e-3)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=0, atol=0.02)


def test_a_run_of_the_other_stack_is_sampled_and_evaluated(made, dataset):
    run = Run(made / "dense")
    grid, arrays = samples.write_samples(run, None, [3, 7], 2, samples.SampleOptions())
    assert grid.exists() and arrays.exists()
    evaluate.evaluate_run(run, dataset, particles=10, checks=0)
    bound = run.metrics()[-1]["test_bound"]
    assert run.evaluation()["bound"]["mean"] == pytest.approx(bound, abs=1e-3)


def test_a_stopped_run_of_the_other_stack_goes_on_with_a_warning_to_much_the_same_end(
    made, dataset, capsys
):
    run = Run(made / "stopped")
    before = run.load_checkpoint().state
    (theirs,), (library,) = before.tensorflow, before.zhusuan
    assert theirs != compat.VERSION
    last = loop.train(run, dataset)
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1
    here = f"TensorFlow {compat.VERSION} with {zs.IMPLEMENTATION}"
    assert f"TensorFlow {theirs} with {library} and continues on {here}" in said
    state = run.load_checkpoint().state
    assert state.tensorflow == [theirs, compat.VERSION]
    assert state.zhusuan == [library, zs.IMPLEMENTATION]
    whole = Run(made / "dense").metrics()[-1]
    assert last["step"] == whole["step"]
    assert last["test_bound"] == pytest.approx(whole["test_bound"], abs=0.5)


def test_a_finished_run_of_the_other_stack_is_left_as_it_is_without_a_warning(
    made, dataset, capsys
):
    run = Run(made / "dense")
    before = (run.path / "checkpoints" / "index.json").read_bytes()
    loop.train(run, dataset)
    assert capsys.readouterr() == ("", "")
    assert (run.path / "checkpoints" / "index.json").read_bytes() == before
