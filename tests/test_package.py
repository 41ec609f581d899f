"""setup.py and the locks agree, and pin every package with its hash."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-offline.txt", "requirements-fuzz.txt")


def entries(name):
    """The entries of a lock: [(Requirement, number of hashes)]."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / name).read_text())
    found = []
    for entry in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = entry.split("--hash=sha256:")
        assert all(re.match(r"[0-9a-f]{64}\s*$", value) for value in hashes), entry
        found.append((Requirement(requirement.strip()), len(hashes)))
    return found


def installed(requirements, version, extra=""):
    """Those of the requirements whose markers hold on Linux with Python `version`."""
    environment = {
        "python_version": version[:3],
        "python_full_version": version,
        "sys_platform": "linux",
        "extra": extra,
    }
    return [r for r in requirements if not r.marker or r.marker.evaluate(environment)]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    """Installs the package from a copy, without the network: its METADATA's lines."""
    source = tmp_path_factory.mktemp("source") / "cvae"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(str(ROOT / name), str(source))
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(str(ROOT / "cvae"), str(source / "cvae"), ignore=ignore)
    target = tmp_path_factory.mktemp("target")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    assert (target / "cvae" / "zs" / "__init__.py").is_file()
    (path,) = target.glob("cvae-*.dist-info/METADATA")
    return path.read_text(encoding="utf-8").splitlines()


def requires(metadata):
    lines = [line for line in metadata if line.startswith("Requires-Dist: ")]
    return [Requirement(line.split(": ", 1)[1]) for line in lines]


def test_pip_installs_the_package_with_its_version(metadata):
    import cvae

    assert "Version: {}".format(cvae.__version__) in metadata


@pytest.mark.parametrize("extra", ["", "report", "test", "dev", "offline", "fuzz"])
@pytest.mark.parametrize("version", ["3.6.15", "3.7.16"])
def test_the_locks_pin_every_requirement_of_the_package(metadata, version, extra):
    assert not extra or "Provides-Extra: {}".format(extra) in metadata
    locked = [r for name in LOCKS for r, _ in entries(name)]
    pins = {r.name: str(r.specifier)[2:] for r in installed(locked, version)}
    for requirement in installed(requires(metadata), version, extra):
        name = requirement.name.lower().replace("_", "-")
        assert pins[name] in requirement.specifier, name


@pytest.mark.parametrize("version", ["3.6.15", "3.7.16"])
def test_the_lock_pins_each_package_once_for_each_python(version):
    pinned = [r for r, _ in entries("requirements.txt")]
    names = [r.name for r in installed(pinned, version)]
    assert sorted(names) == sorted(set(names))
    assert {"tensorflow", "pip", "setuptools", "wheel", "pytest"} <= set(names)


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_of_a_lock_is_exact_and_has_hashes(name):
    for requirement, n_hashes in entries(name):
        assert re.match(r"==[\w.]+$", str(requirement.specifier)), requirement
        assert n_hashes, requirement


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_a_package_index_or_a_path(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"://|--\S*index|--find-links|^\s*-[ife]|/(?!\w*\.py)", text)


def test_zhusuan_comes_from_no_package_index(metadata):
    everything = [r for name in LOCKS for r, _ in entries(name)] + requires(metadata)
    assert "zhusuan" not in {r.name.lower() for r in everything}
