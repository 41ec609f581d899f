"""Trainers and models of the loop that are built once and set back to their start."""

import dataclasses

import tiny

from cvae.backend import compat
from cvae.inference.trained import Model
from cvae.training import held_out, loop
from cvae.training.step import Trainer

LOOP_ONLY = {  # settings that change no graph
    "epochs": 1.0,
    "minutes": None,
    "continued": (),
    "dataset": "mnist",
    "evaluate_every": 1,
    "iwae_share": 0.0,
    "learning_rate": 1e-3,
    "origin": "none",
    "schedule": "constant",
    "validate": False,
    "warmup": 0,
}


def graph_only(kind, *args):
    """Return a trainer or model without a session."""
    made = kind.__new__(kind)
    with compat.new_graph() as made._graph:
        made._build(*args)
    return made


def random_weights(config):
    """Return weights of order one for the model of `config`: name to array."""
    variables = graph_only(Model, config)._variables
    shapes = {name: tuple(v.shape.as_list()) for name, v in variables.items()}
    return tiny.random_weights(shapes)


class KeptGraphs:
    """Trainers and models by all that their graphs depend on.

    Nothing of a trainer outlives a call but its `state()`, and nothing of a model but
    its weights: one that is set back to its start is as good as a new one. Tests in
    tests/system start new processes instead.
    """

    def __init__(self):
        self._made = {}

    def use(self, monkeypatch):
        """Let the loop take these instead of new ones."""
        monkeypatch.setattr(loop, "Trainer", self.trainer)
        monkeypatch.setattr(held_out, "Model", self.model)

    def trainer(self, config, train, weighted=False):
        data = hash((train.images.tobytes(), train.labels.tobytes()))
        key = (dataclasses.replace(config, **LOOP_ONLY), data, weighted)
        if key not in self._made:
            fresh = Trainer(config, train, weighted)
            self._made[key] = fresh, fresh.state()
        graph, start = self._made[key]
        graph.restore(start)
        return _Open(graph)

    def model(self, config, weights):
        key = dataclasses.replace(config, **LOOP_ONLY)
        if key not in self._made:
            self._made[key] = Model(config, weights), None
        graph, _ = self._made[key]
        graph.load(weights)
        return _Open(graph)

    def close(self):
        for graph, _ in self._made.values():
            graph.__exit__()


class _Open:
    """A trainer or model that a `with` block does not close."""

    def __init__(self, graph):
        self._graph = graph

    def __getattr__(self, name):
        return getattr(self._graph, name)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass
