"""The house has one direction: a wing imports only wings below it."""

import ast
from pathlib import Path

import pytest

import cvae

PACKAGE = Path(cvae.__file__).resolve().parent
# From the bottom to the top. Wings of one level do not know each other.
LEVELS = (
    ("errors",),
    ("progress", "zs"),
    ("backend", "config", "storage"),
    ("cli", "data", "networks", "plotting"),
    ("model", "runs"),
    ("inference",),
    ("evaluation", "training"),
    ("report",),
    ("commands",),
    ("__main__",),
)
LEVEL = {wing: number for number, wings in enumerate(LEVELS) for wing in wings}


def imports(path):
    """(line, wing) of everything of the package that the module at `path` imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "cvae":
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("cvae."):
            yield node.lineno, node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from ((node.lineno, n[1]) for n in names if n[0] == "cvae" and n[1:])


def wing_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_module_is_in_a_wing_that_has_its_place():
    found = {wing_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert found == set(LEVEL)


@pytest.mark.parametrize("wing", list(LEVEL))
def test_a_wing_imports_only_wings_below_it(wing):
    paths = [path for path in PACKAGE.rglob("*.py") if wing_of(path) == wing]
    assert paths
    for path in paths:
        for line, other in imports(path):
            below = other == wing or LEVEL[other] < LEVEL[wing]
            assert below, f"{path}:{line} imports {other}"
