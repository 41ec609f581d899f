"""Which interpreter, and so which stack, scripts/setup_env.py takes."""

import pytest
from machine import FAKE_UV, fake_python, later_python, write_program

OF_PYENV = ".pyenv/versions/3.7.9/bin/python3.7"


def test_a_shim_that_does_not_start_is_passed_over(machine):
    write_program(machine.path / "python3.7", "#!/bin/sh\necho none >&2\nexit 127\n")
    wanted = fake_python(machine.home / OF_PYENV)
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_a_python_without_ensurepip_is_passed_over(machine):
    missing = "echo \"ModuleNotFoundError: No module named 'ensurepip'\"; exit 1"
    write_program(machine.path / "python3.7", f"#!/bin/sh\n{missing}\n")
    status, _, err = machine.set_up()
    assert status == 2
    assert "python3.7 fails: ModuleNotFoundError: No module named 'ensurepip'" in err


def test_path_goes_before_pyenv(machine):
    wanted = fake_python(machine.path / "python3.7")
    fake_python(machine.home / OF_PYENV)
    machine.set_up()
    assert machine.chosen() == wanted


def test_the_python_that_runs_the_script_is_taken_if_it_fits(machine):
    fake_python(machine.bootstrap)
    machine.set_up()
    assert machine.chosen() == machine.bootstrap


def test_pyenv_offers_its_newest_by_number(machine, tmp_path):
    pyenv = tmp_path / "my pyenv"
    fake_python(pyenv / "versions/3.7.9/bin/python3.7")
    wanted = fake_python(pyenv / "versions/3.7.16/bin/python3.7")
    machine.set_up(PYENV_ROOT=str(pyenv))
    assert machine.chosen() == wanted


@pytest.mark.parametrize(
    "kind",
    [
        "CPython 3.6 on linux x86_64",
        "PyPy 3.7 on linux x86_64",
        "CPython 3.7 on linux 32-bit",
        "CPython 3.7 on linux aarch64",
    ],
)
def test_an_unfit_python_is_passed_over_and_the_reason_is_given(machine, kind):
    fake_python(machine.path / "python3.7", kind)  # whatever its name is
    status, _, err = machine.set_up()
    assert status == 2
    assert f"{machine.path / 'python3.7'} is {kind}" in err
    wanted = fake_python(machine.home / OF_PYENV)
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_no_interpreter_is_one_line_with_what_to_do_and_makes_nothing(machine):
    status, _, err = machine.set_up()
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("error: found no Python for TensorFlow 1.15 (CPython 3.7; ")
    assert f"{machine.bootstrap} is CPython 3.9 on linux x86_64" in err
    assert "install python3.12 or name one" in err and "make PYTHON=" in err
    assert not machine.venv.exists()


# Which stack ----------------------------------------------------------------------


def test_tensorflow_1_15_goes_first(machine):
    later_python(machine.path / "python3.12")
    wanted = fake_python(machine.home / OF_PYENV)
    _, out, _ = machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements.txt")
    assert out.startswith(f".venv: TensorFlow 1.15 on Python {wanted}\n")


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_where_there_is_no_python_for_1_15_it_is_the_current_stack(machine, version):
    wanted = later_python(machine.bootstrap, version)
    assert machine.set_up()[0] == 0
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")
    assert machine.set_up() == (0, "", "")


def test_of_many_later_pythons_the_preferred_one_is_taken(machine):
    for version in ("3.10", "3.11", "3.13"):
        later_python(machine.path / f"python{version}", version)
    wanted = later_python(machine.home / ".pyenv/versions/3.12.9/bin/python3.12")
    machine.set_up()
    assert machine.chosen() == wanted


@pytest.mark.parametrize("name", ["linux aarch64", "darwin arm64"])
def test_on_arm_it_is_the_current_stack(machine, name):
    fake_python(machine.path / "python3.7", f"CPython 3.7 on {name}")
    wanted = fake_python(machine.path / "python3.11", f"CPython 3.11 on {name}")
    machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")


def test_on_an_intel_mac_only_1_15_is_possible(machine):
    fake_python(machine.path / "python3.12", "CPython 3.12 on darwin x86_64")
    status, _, err = machine.set_up()
    assert status == 2 and "is CPython 3.12 on darwin x86_64" in err
    wanted = fake_python(machine.path / "python3.7", "CPython 3.7 on darwin x86_64")
    machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements.txt")


def test_stack_chooses_and_is_kept_until_another_is_named(machine):
    old = fake_python(machine.path / "python3.7")
    new = later_python(machine.path / "python3.12")
    machine.set_up(STACK="current")
    assert (machine.chosen(), machine.lock()) == (new, "requirements-current.txt")
    assert machine.set_up() == (0, "", "")  # although there is a Python for 1.15
    machine.change_lock("requirements-current.txt")
    assert machine.makes()
    assert (machine.chosen(), machine.lock()) == (new, "requirements-current.txt")
    assert machine.makes("--stack", "1.15")
    assert (machine.chosen(), machine.lock()) == (old, "requirements.txt")


@pytest.mark.parametrize(
    "stack, version", [("1.15", "3.12"), ("current", "3.7"), ("current", "3.14")]
)
def test_a_stack_that_no_python_here_runs_is_one_line(machine, stack, version):
    later_python(machine.path / f"python{version}", version)
    later_python(machine.bootstrap, version)
    status, _, err = machine.set_up(STACK=stack)
    assert (status, err.count("\n")) == (2, 1)
    assert f"is CPython {version} on linux x86_64" in err
    assert f"install python{'3.7' if stack == '1.15' else '3.12'} or" in err
    assert not machine.venv.exists()


def test_an_unknown_stack_is_one_line_with_the_known_ones(machine):
    status, _, err = machine.set_up(STACK="2.0")
    assert (status, err.count("\n")) == (2, 1)
    assert "--stack: there is no '2.0': " in err and "1.15, current" in err


# A Python by name -----------------------------------------------------------------


def test_a_named_python_is_used_even_if_a_better_one_is_there(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    wanted = later_python(tmp_path / "mine", "3.13")
    machine.set_up(PYTHON=str(wanted))
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")


def test_a_python_may_be_named_by_its_command(machine):
    wanted = fake_python(machine.path / "my-python")
    machine.set_up("--python", "my-python")
    assert machine.chosen() == wanted


def test_a_named_python_that_is_unfit_is_one_line_and_no_search(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    later_python(tmp_path / "new", "3.14")
    write_program(tmp_path / "broken", "#!/bin/sh\necho no such version\nexit 127\n")
    write_program(tmp_path / "other", "#!/bin/sh\necho hello\n")
    for name, reason in (
        ("new", "is CPython 3.14"),
        ("broken", "fails: no such version"),
        ("other", "is not a Python"),
        ("absent", "is not a program"),
    ):
        status, _, err = machine.set_up(PYTHON=str(tmp_path / name))
        assert (status, err.count("\n")) == (2, 1)
        assert f": {tmp_path / name} {reason}" in err
    mine = later_python(tmp_path / "mine")
    status, _, err = machine.set_up(STACK="1.15", PYTHON=str(mine))
    assert status == 2 and f"{mine} is CPython 3.12" in err
    assert not machine.venv.exists()


# uv -------------------------------------------------------------------------------


def test_uv_makes_the_environment_and_installs_with_hashes(machine):
    write_program(machine.path / "uv", FAKE_UV)
    wanted = fake_python(machine.path / "python3.7")
    assert machine.set_up("--extra", "offline", ZHUSUAN="builtin")[0] == 0
    assert machine.chosen() == wanted
    venv, *installed = machine.log()
    assert venv.startswith("uv venv ") and f"-p {wanted} " in venv
    assert [line.rpartition("/")[2] for line in installed] == [
        "installer.txt",
        "requirements.txt",
        "requirements-offline.txt",
    ]
    for line in installed:
        assert line.startswith("uv pip install") and " --require-hashes " in line


@pytest.mark.parametrize("stack, version", [("1.15", "3.7"), ("", "3.12")])
def test_where_no_python_is_found_uv_may_fetch_one(machine, stack, version):
    write_program(machine.path / "uv", FAKE_UV)
    wanted = fake_python(machine.home / f"fetched/python{version}")
    assert machine.set_up(STACK=stack, ZHUSUAN="builtin")[0] == 0
    assert machine.chosen() == wanted
    assert machine.set_up() == (0, "", "")


def test_a_python_that_uv_cannot_fetch_is_one_line(machine):
    write_program(machine.path / "uv", FAKE_UV)
    said = "No interpreter found for Python 3.7 in managed installations"
    status, _, err = machine.set_up(STACK="1.15", UV_SAYS=f"error: {said}")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: cannot make the environment: {said}; install that")
