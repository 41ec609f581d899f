"""Evaluations of a few images by a model that is built once for each file."""

import contextlib

import evaluate_tiny
import pytest
import tiny
from evaluate_tiny import CHECKS, CONFIG, PARTICLES, new_run

from cvae.evaluation import evaluate
from cvae.inference.trained import Model


@pytest.fixture(scope="module")
def data(mnist_dir):
    return evaluate_tiny.dataset(mnist_dir)


@pytest.fixture(scope="module")
def one_model():
    """A `Model` in whose place an evaluation of this process builds none."""
    with Model(CONFIG, tiny.random_weights(tiny.shapes(CONFIG))) as model:
        yield model


def instead_of_a_model(one_model):
    @contextlib.contextmanager
    def loaded(config, weights):
        assert config == CONFIG
        one_model.load(weights)
        yield one_model

    return loaded


@pytest.fixture
def no_graph_twice(one_model, short, monkeypatch):
    monkeypatch.setattr(evaluate, "Model", instead_of_a_model(one_model))


@pytest.fixture(scope="module")
def short():
    with pytest.MonkeyPatch().context() as patch:
        for module, name, value in evaluate_tiny.SHORT:
            patch.setattr(module, name, value)
        yield


@pytest.fixture(scope="module")
def evaluated(data, tmp_path_factory, short, one_model):
    """A run that was evaluated without interruption, and what came of it."""
    run = new_run(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(evaluate, "Model", instead_of_a_model(one_model))
        return run, evaluate.evaluate_run(run, data, PARTICLES, CHECKS)
