"""notebooks/cvae.ipynb as a student runs it, from top to bottom, with a short training.

The kernel is the Python of the tests: on TensorFlow 1.15 every cell and every solution
is also compiled by Python 3.7.
"""

import os
import re

import nbformat
import numpy as np
import pytest
import reference
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from paths import ROOT
from scipy import integrate, stats

from cvae.data.binarize import binarize
from cvae.runs.run import Run

NOTEBOOK = ROOT / "notebooks" / "cvae.ipynb"
# Instead of two minutes: 60 steps, at the full rate from the start.
PLAN = 'PLAN = {"minutes": None, "epochs": 0.1, "batch_size": 100, "warmup": 0}'
KEPT = {  # values that are compared after the cell of this id has run
    "step-3": "log_p L KL MEAN STD",
    "step-4": "px pz qz kl px_by_hand",
    "step-5": "path score exact",
    "step-6": "zhusuan ours",
    "yours-code": "difference error",
    "samples-code": "samples",
    "transfer-code": "transferred chosen",
    "class-posterior": "probabilities log_px_given_y log_marginal",
    "z-posterior-code": "log_true",
    "importance-compare": "z log_w by_hand with_q by_laplace its_error",
}
PICTURES = "data step-3 train samples-code transfer-code class-posterior".split()
PICTURES += ["z-posterior-code", "importance-compare"]


def committed():
    return nbformat.read(str(NOTEBOOK), as_version=4)


def text_of(notebook):
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def solutions(notebook):
    return re.findall(r"(?s)<details>.*?```python\n(.*?)```", text_of(notebook))


class Client(NotebookClient):
    """Executes cells, and counts how often the picture of the training is redrawn."""

    redrawn = 0

    def process_message(self, msg, cell, cell_index):
        self.redrawn += msg["msg_type"] == "update_display_data"
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def executed(mnist_dir, tmp_path_factory):
    """The executed notebook, the folder of its values, and its client."""
    folder, notebook = tmp_path_factory.mktemp("notebook"), committed()
    for cell in notebook.cells:
        if cell.id == "plan":
            cell.source, n = re.subn("(?m)^PLAN = .*", PLAN, cell.source)
            assert n == 1
        if cell.id in KEPT:
            values = ", ".join(f"{name}={name}" for name in KEPT[cell.id].split())
            cell.source += f"\nnp.savez({str(folder / cell.id)!r}, {values})"
    for solution in solutions(notebook):
        notebook.cells.append(nbformat.v4.new_code_cell(solution))
    environ = dict(os.environ, MNIST_DIR=str(mnist_dir), TMPDIR=str(folder))
    environ["IPYTHONDIR"] = str(folder / "ipython")
    # Without its folders it finds no kernel but that of this Python.
    kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = Client(notebook, km=kernel, timeout=300, resources=where)
    client.execute(env=environ, cleanup_kc=True)
    return notebook, folder, client


@pytest.fixture(scope="module")
def values(executed):
    """The kept values of the cell with an id, name to array."""

    def of(name):
        with np.load(str(executed[1] / f"{name}.npz")) as found:
            return dict(found)

    return of


@pytest.mark.once
def test_the_committed_notebook_has_no_outputs():
    notebook = committed()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id


@pytest.mark.once
def test_its_links_lead_to_files_and_to_its_own_headings():
    text = text_of(committed())
    headings = {h.replace(" ", "-") for h in re.findall(r"(?m)^#+ (.+)$", text)}
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) > 10
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        else:
            assert (NOTEBOOK.parent / link).exists(), link


def test_it_draws_all_pictures_and_writes_nothing_to_stderr(executed):
    outputs = {cell.id: cell.get("outputs", []) for cell in executed[0].cells}
    for name, found in outputs.items():
        assert not [o for o in found if o.get("name") == "stderr"], name
    drawn = {n for n, found in outputs.items() for o in found if "data" in o}
    assert drawn >= set(PICTURES)
    for name in PICTURES:
        (picture,) = [o.data for o in outputs[name] if "data" in o]
        assert len(picture["image/png"]) > 2000, name


def test_the_curve_is_redrawn_while_it_trains(executed):
    assert executed[2].redrawn >= 2


def test_the_toys_integrals_are_those_of_quadrature(values):
    found = values("step-3")
    slope, offset = np.array([12, 2, -2, 1]), np.array([-4, 0, 1, -1])

    def joint(z):
        means = 1 / (1 + np.exp(-(slope * z + offset)))
        return stats.bernoulli.pmf([1, 1, 0, 0], means).prod() * stats.norm.pdf(z) / 10

    def loss(z):  # of the bound, by the definition of the divergence
        q = stats.norm.pdf(z, found["MEAN"], found["STD"])
        return q * np.log(q * p / joint(z))

    p = integrate.quad(joint, -8, 8)[0]
    assert found["log_p"] == pytest.approx(np.log(p), abs=1e-6)
    assert found["KL"] == pytest.approx(integrate.quad(loss, -3, 4)[0], abs=1e-6)
    assert found["L"] + found["KL"] == pytest.approx(float(found["log_p"]), abs=1e-9)


def test_the_terms_in_closed_form_are_those_that_zhusuan_draws(values):
    found = values("step-4")
    np.testing.assert_allclose(found["px_by_hand"], found["px"], rtol=1e-5)
    sampled = found["qz"] - found["pz"]
    error = sampled.std(0) / np.sqrt(len(sampled))
    assert (np.abs(sampled.mean(0) - found["kl"]) < 5 * error).all()
    assert (error < 0.2 * found["kl"]).all()


def test_both_estimators_of_the_gradient_are_right_and_the_path_is_steadier(values):
    found = values("step-5")
    for draws in (found["path"], found["score"]):
        error = draws.std() / np.sqrt(len(draws))
        assert abs(draws.mean() - found["exact"]) < 4 * error
    assert found["path"].std() < found["score"].std() / 4


def test_the_bound_by_hand_is_zhusuans(values):
    found = values("step-6")
    np.testing.assert_allclose(found["ours"], found["zhusuan"], rtol=1e-6)


def test_the_notebooks_bound_of_trained_weights_is_the_packages(values):
    found = values("yours-code")
    assert abs(found["difference"].mean()) < 5 * found["error"]


def test_rows_of_samples_and_columns_of_transfers_show_their_classes(values, mnist):
    images, labels = mnist.train
    means = np.array([images[labels == c].mean(0) for c in range(10)])
    samples = values("samples-code")["samples"]
    transferred = values("transfer-code")["transferred"][:, 1:]
    for shown in (samples.mean(1), transferred.mean(0)):
        likeness = np.corrcoef(shown, means)[:10, 10:]
        assert (likeness.argmax(1) == np.arange(10)).sum() >= 7
    assert samples.std(1).max() > 0.05  # z counts, too


def test_transfers_start_with_the_originals(values, mnist):
    found = values("transfer-code")
    originals = binarize(mnist.test.images)[found["chosen"]]
    np.testing.assert_array_equal(found["transferred"][:, 0], originals)


def test_the_class_probabilities_are_bayes_rule_and_sum_to_one(values):
    found = values("class-posterior")
    assert found["probabilities"].sum() == pytest.approx(1, abs=1e-9)
    likelihoods = np.exp(found["log_px_given_y"] - found["log_px_given_y"].max())
    expected = likelihoods / likelihoods.sum()
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-9)


def test_the_plane_of_the_posterior_has_its_top_where_laplace_is(values):
    log_true = values("z-posterior-code")["log_true"]
    top = np.unravel_index(log_true.argmax(), log_true.shape)
    assert np.abs(np.subtract(top, 20)).max() <= 2  # of 41 points a side


def test_importance_weights_by_hand_are_those_of_a_second_implementation(
    executed, values, mnist
):
    found = values("importance-compare")
    (config,) = executed[1].glob("*/run/config.json")
    weights = Run(config.parent).weights()
    bits, labels = binarize(mnist.test.images[:10]), mnist.test.labels[:10]
    z = found["z"][:50]
    log_px, log_pz, log_qz = reference.log_weights(bits, labels, z, weights, 10, 2)
    expected = log_px + log_pz - log_qz
    np.testing.assert_allclose(found["log_w"][:50], expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        found["by_hand"], reference.log_mean_exp(found["log_w"], 0), rtol=1e-9
    )


def test_importance_sampling_by_hand_is_the_packages_to_monte_carlo_error(values):
    found = values("importance-compare")
    difference = (found["by_hand"] - found["with_q"]).mean()
    assert abs(difference) < 5 * found["its_error"] and found["its_error"] < 0.4
    assert (found["log_w"].mean(0) < found["by_laplace"]).all()  # the bound is a bound


def test_every_exercise_has_a_solution_that_runs(executed):
    text = text_of(committed())
    exercises = re.findall(r"(?m)^\*\*(\d)\. ", text)
    assert len(exercises) == text.count("<details>") == text.count("</details>")
    code = solutions(committed())
    assert len(code) >= len(exercises) - 1  # one is for pen and paper
    for cell in executed[0].cells[-len(code) :]:
        assert cell.outputs, cell.source


def test_more_weights_under_the_logarithm_raise_the_bound(executed):
    (printed,) = [
        "".join(o.text for o in cell.outputs)
        for cell in executed[0].cells
        if "iwae = " in cell.source and cell.cell_type == "code"
    ]
    bounds = [float(b) for b in re.findall(r"k = \d+ +(-[\d.]+) nats", printed)]
    assert len(bounds) == 3 and bounds == sorted(bounds)
