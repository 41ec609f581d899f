"""What the tests of scripts/setup_env.py share: bare machines."""

import shutil

import machine as machines
import pytest


@pytest.fixture
def machine(tmp_path):
    """A bare machine with a checkout; the set-up must leave no temporary file on it."""
    bare = machines.Machine(tmp_path)
    yield bare
    assert list(bare.scratch.iterdir()) == []


@pytest.fixture
def git_machine(machine):
    """A machine with Python 3.7 and git, which cannot reach ZhuSuan's repository."""
    if not machines.GIT:
        pytest.skip("there is no git on PATH")
    machine.add_git()
    return machine


@pytest.fixture
def ready(git_machine):
    """That machine with a finished environment, which fell back on cvae.zs."""
    assert git_machine.set_up()[0] == 0
    git_machine.log()
    return git_machine


@pytest.fixture(scope="session")
def pinned(tmp_path_factory):
    """(A repository, the commit that `upstream` pins, which is not its newest)."""
    folder = tmp_path_factory.mktemp("upstream") / "repository"
    return folder, machines.repository(folder, "zhusuan-0.4.0", "zhusuan-0.5.0")[0]


@pytest.fixture
def upstream(git_machine, pinned, tmp_path):
    """A repository with the commit of ZhuSuan that the machine's checkout pins."""
    folder, commit = pinned
    shutil.copytree(str(folder), str(tmp_path / "up stream"))
    git_machine.pin(commit)
    return tmp_path / "up stream"
