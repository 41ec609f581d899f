"""What tests of the loop share: graphs that are built once."""

import dataclasses

import pytest

from cvae.inference.trained import Model
from cvae.training import held_out, loop
from cvae.training.step import Trainer

_LOOP_ONLY = {  # settings that change no graph
    "epochs": 1.0,
    "minutes": None,
    "evaluate_every": 1,
    "iwae_share": 0.0,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "validate": False,
    "warmup": 0,
}


@pytest.fixture(scope="session")
def built():
    """Trainers and models by what their graphs depend on; closed at the end."""
    made = {}
    yield made
    for graph, _ in made.values():
        graph.__exit__()


@pytest.fixture
def kept_graphs(built, monkeypatch):
    """Let the loop reuse a trainer or model, set back to its start, as a new one.

    Nothing of a trainer outlives a step but its `state()`, and nothing of a model but
    its weights: tests/system starts new processes instead.
    """

    class Kept:
        def __init__(self, graph):
            self._graph = graph

        def __getattr__(self, name):
            return getattr(self._graph, name)

        def __enter__(self):
            return self

        def __exit__(self, *unused):
            pass

    def trainer(config, train, weighted=False):
        data = (train.images.tobytes(), train.labels.tobytes())
        key = (dataclasses.replace(config, **_LOOP_ONLY), hash(data), weighted)
        if key not in built:
            fresh = Trainer(config, train, weighted)
            built[key] = fresh, fresh.state()
        graph, start = built[key]
        graph.restore(start)
        return Kept(graph)

    def model(config, weights):
        key = dataclasses.replace(config, **_LOOP_ONLY)
        if key not in built:
            built[key] = Model(config, weights), None
        graph, _ = built[key]
        graph.load(weights)
        return Kept(graph)

    monkeypatch.setattr(loop, "Trainer", trainer)
    monkeypatch.setattr(held_out, "Model", model)
