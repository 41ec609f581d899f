"""setup.py and the locks agree, and pin every package with its hash."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import _find_python
import _zhusuan
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from paths import ROOT

STACKS = {  # the lock of each, and the Pythons that it is for
    "requirements.txt": ("3.7.16",),
    "requirements-current.txt": ("3.10.13", "3.11.7", "3.12.1", "3.13.0"),
}
EXTRAS = tuple(f"requirements-{name}.txt" for name in ("offline", "fuzz", "package"))
LOCKS = (*STACKS, *EXTRAS, ".ci/requirements.txt")
# Folders that are installed, and what of them only the repository has.
SHIPPED = {
    "data/pretrained": set(),
    "explorer": set(),
    "report": {"figures", "report.pdf", "results.json"},
}
PYTHONS = [(lock, version) for lock in STACKS for version in STACKS[lock]]


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
        "python_version": version.rpartition(".")[0],
        "python_full_version": version,
        "sys_platform": "linux",
        "extra": extra,
    }
    return [r for r in requirements if not r.marker or r.marker.evaluate(environment)]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """Where the package is installed, from a copy and without the network."""
    source = tmp_path_factory.mktemp("source") / "cvae"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(str(ROOT / name), str(source))
    ignore = shutil.ignore_patterns("__pycache__", "figures")
    for name in ("cvae", *SHIPPED):
        shutil.copytree(str(ROOT / name), str(source / name), ignore=ignore)
    target = tmp_path_factory.mktemp("target")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    return target


@pytest.fixture(scope="module")
def metadata(target):
    """The lines of the METADATA of the package."""
    (path,) = target.glob("cvae-*.dist-info/METADATA")
    return path.read_text(encoding="utf-8").splitlines()


def requires(metadata):
    lines = [line for line in metadata if line.startswith("Requires-Dist: ")]
    return [Requirement(line.split(": ", 1)[1]) for line in lines]


def test_pip_installs_the_package_with_its_version(metadata):
    import cvae

    assert f"Version: {cvae.__version__}" in metadata


def test_pip_installs_all_modules_and_what_the_programs_read(target):
    def files_of(folder):
        paths = (path for path in folder.rglob("*.*") if path.suffix != ".pyc")
        return {path.relative_to(folder): path.read_bytes() for path in paths}

    expected = files_of(ROOT / "cvae")
    for name, published in SHIPPED.items():
        for path, content in files_of(ROOT / name).items():
            if not published.intersection((path.name, path.parts[0])):
                expected[Path("shipped") / name / path] = content
    assert files_of(target / "cvae") == expected


def test_an_installed_package_samples_its_weights_outside_of_a_checkout(
    target, tmp_path
):
    command = [sys.executable, "-m", "cvae", "sample", "--per-class", "1"]
    environ = dict(os.environ, PYTHONPATH=str(target))
    done = subprocess.run(
        command, cwd=str(tmp_path), env=environ, stdout=subprocess.PIPE
    )
    assert done.returncode == 0
    assert done.stdout.decode().split() == [
        "runs/pretrained/figures/samples.png",
        "runs/pretrained/samples.npz",
    ]


@pytest.mark.parametrize("extra", ["", "test", "dev", "offline", "fuzz"])
@pytest.mark.parametrize("lock, version", PYTHONS)
def test_the_locks_pin_every_requirement_of_the_package(metadata, lock, version, extra):
    assert not extra or f"Provides-Extra: {extra}" in metadata
    locked = [r for name in (lock, *EXTRAS) for r, _ in entries(name)]
    pins = {r.name: str(r.specifier)[2:] for r in installed(locked, version)}
    for requirement in installed(requires(metadata), version, extra):
        name = requirement.name.lower().replace("_", "-")
        assert pins[name] in requirement.specifier, name


@pytest.mark.parametrize("lock, version", PYTHONS)
def test_the_lock_pins_each_package_once_for_each_python(lock, version):
    pinned = [r for r, _ in entries(lock)]
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


@pytest.mark.parametrize("version", ["3.6.15", "3.8.18", "3.9.18", "3.14.0"])
def test_a_python_of_neither_stack_is_refused(metadata, version):
    (line,) = [line for line in metadata if line.startswith("Requires-Python: ")]
    fits = SpecifierSet(line.split(": ", 1)[1]).contains
    assert not fits(version)
    assert all(fits(version) for _, version in PYTHONS)


def test_the_set_up_has_the_stacks_of_the_locks_versions():
    assert [stack.lock for stack in _find_python.STACKS] == list(STACKS)
    for stack in _find_python.STACKS:
        pins = {r.name: str(r.specifier)[2:] for r, _ in entries(stack.lock)}
        assert pins["tensorflow"].startswith(stack.title.split()[1])
        locked_for = [version.rpartition(".")[0] for version in STACKS[stack.lock]]
        assert sorted(stack.versions) == sorted(locked_for)


def test_both_stacks_typeset_and_lint_alike():
    for name in ("typst", "ruff"):
        found = [
            {str(r.specifier) for r, _ in entries(lock) if r.name == name}
            for lock in STACKS
        ]
        assert found[0] == found[1] and len(found[0]) == 1, name


def test_zhusuan_comes_from_its_repository_and_from_no_package_index(metadata):
    locked = [r for name in LOCKS for r, _ in entries(name)]
    assert "zhusuan" not in {r.name.lower() for r in locked}
    (zhusuan,) = [r for r in requires(metadata) if r.name.lower() == "zhusuan"]
    assert zhusuan.url == f"git+{_zhusuan.URL}@{_zhusuan.COMMIT}"
    assert re.match("[0-9a-f]{40}$", _zhusuan.COMMIT)


@pytest.mark.parametrize("version", [version for _, version in PYTHONS])
def test_only_the_extra_asks_for_zhusuan_and_on_tensorflow_1_15_only(metadata, version):
    assert "Provides-Extra: zhusuan" in metadata
    for extra in ("", "dev", "zhusuan"):
        asked = {r.name for r in installed(requires(metadata), version, extra)}
        runs = extra == "zhusuan" and version in STACKS["requirements.txt"]
        assert ("zhusuan" in asked) == runs
