"""What tests of the loop share: graphs that are built once."""

import pytest
from kept_graphs import KeptGraphs


@pytest.fixture(scope="session")
def graphs():
    made = KeptGraphs()
    yield made
    made.close()


@pytest.fixture
def kept_graphs(graphs, monkeypatch):
    """Let the loop use graphs that other tests have built."""
    graphs.use(monkeypatch)
