"""The real ZhuSuan 0.4.0 and `cvae.zs` give the same model, training and figures.

`zhusuan-0.4.0.npz` was recorded on the real one (tests/helpers/measured.py). These
tests hold the installed implementation to it.
"""

import contextlib
import io
import os
import subprocess
import sys

import half_a_run
import measured
import numpy as np
import pytest
import tiny
from kept_graphs import KeptGraphs
from on_other_stack import dataset_of
from paths import HELPERS, ROOT

from cvae import zs
from cvae.runs.checkpoints import averages
from cvae.runs.run import Run
from cvae.storage.npz import read_arrays
from cvae.training import loop

NAMES = {"real": "ZhuSuan 0.4.0", "builtin": "cvae.zs"}


@pytest.fixture(scope="module")
def recorded():
    return read_arrays(measured.RECORD)


@pytest.fixture(scope="module", params=list(measured.CONFIGS))
def both(request, mnist, recorded):
    """What this implementation gives, and what was recorded, of one net."""
    found = measured.measure(measured.CONFIGS[request.param], measured.images(mnist))
    prefix = request.param + "/"
    expected = {n[len(prefix) :]: a for n, a in recorded.items() if prefix in n}
    assert expected.keys() == found.keys()
    return found, expected


def test_the_record_is_of_the_real_zhusuan(recorded):
    assert str(recorded["implementation"]) == "ZhuSuan 0.4.0"


def test_variables_have_the_same_names_and_shapes_and_start_at_the_same_bits(both):
    found, expected = both
    assert str(found["start"]) == str(expected["start"])


def test_bound_and_gradient_on_fixed_inputs_agree_to_1e_4(both):
    found, expected = both
    np.testing.assert_allclose(found["bound"], expected["bound"], rtol=1e-4)
    scale = np.abs(expected["gradient"]).max()
    np.testing.assert_allclose(
        found["gradient"], expected["gradient"], rtol=1e-4, atol=1e-5 * scale
    )


def test_two_hundred_steps_end_at_the_same_weights_and_bounds(both):
    found, expected = both
    np.testing.assert_allclose(found["bounds"], expected["bounds"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=1e-4)
    assert expected["bounds"][-20:].mean() > expected["bounds"][:20].mean() + 1.0


def test_importance_weights_and_samples_agree(both):
    found, expected = both
    np.testing.assert_allclose(
        found["log_likelihood"], expected["log_likelihood"], rtol=0, atol=1e-3
    )
    np.testing.assert_allclose(found["samples"], expected["samples"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def crossed(mnist, mnist_dir, tmp_path_factory):
    """Runs that each implementation began and the other finished, and what it printed.

    And the run that this process trained as a whole.
    """
    if zs.IMPLEMENTATION == "cvae.zs":
        pytest.skip("the real ZhuSuan is not installed here (ZHUSUAN=real make env)")
    folder = tmp_path_factory.mktemp("crossed")
    runs = {"real": folder / "began-real", "builtin": folder / "began-builtin"}
    dataset, graphs = dataset_of(mnist), KeptGraphs()
    with pytest.MonkeyPatch.context() as patch:
        graphs.use(patch)
        whole = Run.create(folder / "whole", tiny.CONFIG)
        loop.train(whole, dataset)
        half_a_run.begin(runs["real"], dataset)
        printed = {"real": _on_builtin(mnist_dir, runs["builtin"], runs["real"])}
        with contextlib.redirect_stderr(io.StringIO()) as err:
            half_a_run.finish(runs["builtin"], dataset)
        printed["builtin"] = err.getvalue()
    graphs.close()
    return runs, printed, whole


@pytest.mark.parametrize("first, second", [("real", "builtin"), ("builtin", "real")])
def test_what_one_trained_halfway_the_other_trains_on_and_evaluates(
    crossed, first, second
):
    runs, printed, whole = crossed
    run, before, after = Run(runs[first]), NAMES[first], NAMES[second]
    assert printed[first].count("warning: ") == 1
    assert f"with {before} and continues" in printed[first]
    assert run.load_checkpoint().state.zhusuan == [before, after]
    evaluation = run.evaluation()
    assert evaluation["zhusuan"] == {"trained": [before, after], "evaluated": [after]}

    expected = averages(whole.load_checkpoint())
    found = averages(run.load_checkpoint())
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-4, err_msg=name)
    bound = whole.metrics()[-1]["test_bound"]
    assert evaluation["bound"]["mean"] == pytest.approx(bound, abs=1e-3)


def _on_builtin(mnist_dir, *runs):
    """Begin a run and finish another on `cvae.zs`; return what the process prints."""
    done = subprocess.run(
        [sys.executable, str(HELPERS / "half_a_run.py"), str(mnist_dir)]
        + [str(run) for run in runs],
        env=dict(os.environ, PYTHONPATH=str(ROOT), ZHUSUAN="builtin"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
