"""Which interpreter, and so which stack, scripts/setup_env.py takes."""

import shutil

import pytest
from machine import fake_python, write_program


def test_a_shim_that_does_not_start_is_passed_over(machine):
    write_program(machine.path / "python3.7", "#!/bin/sh\necho none >&2\nexit 127\n")
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.16/bin/python3.7")
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_python_3_6_is_not_taken(machine):
    fake_python(machine.path / "python3.7", "3.6.15")  # whatever it is called
    status, _, err = machine.set_up()
    assert status == 2
    assert "{} is CPython 3.6.15".format(machine.path / "python3.7") in err


def test_path_goes_before_pyenv(machine):
    wanted = fake_python(machine.path / "python3.7")
    fake_python(machine.home / ".pyenv/versions/3.7.16/bin/python3.7")
    machine.set_up()
    assert machine.chosen() == wanted


def test_the_python_that_runs_the_script_will_do_if_it_fits(machine):
    fake_python(machine.bootstrap, "3.7.4")
    machine.set_up()
    assert machine.chosen() == machine.bootstrap


def test_pyenv_offers_its_newest_3_7_by_number(machine):
    fake_python(machine.home / ".pyenv/versions/3.7.9/bin/python3.7")
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.16/bin/python3.7")
    machine.set_up()
    assert machine.chosen() == wanted


@pytest.mark.parametrize(
    "place",
    [
        "miniconda3/bin",
        "miniforge3/envs/old/bin",
        ".local/share/uv/python/cpython-3.7.9-linux-x86_64-gnu/bin",
        "elsewhere/bin",
    ],
)
def test_conda_and_uv_are_looked_into(machine, place):
    wanted = fake_python(machine.home / place / "python3.7")
    conda = machine.home / ".conda"
    conda.mkdir()
    (conda / "environments.txt").write_text(str(machine.home / "elsewhere") + "\n")
    machine.set_up()
    assert machine.chosen() == wanted


def test_pyenv_root_and_conda_prefix_are_heeded(machine, tmp_path):
    first = fake_python(tmp_path / "my pyenv/versions/3.7.1/bin/python3.7", "3.7.1")
    machine.set_up(PYENV_ROOT=str(tmp_path / "my pyenv"))
    assert machine.chosen() == first
    shutil.rmtree(str(machine.venv))
    second = fake_python(tmp_path / "conda/bin/python3.7")
    machine.set_up(CONDA_PREFIX=str(tmp_path / "conda"))
    assert machine.chosen() == second


def test_uv_on_path_is_asked(machine, tmp_path):
    wanted = fake_python(tmp_path / "somewhere/python3.7")
    answer = f'[ "$4" = 3.7 ] && echo "{wanted}"'
    write_program(machine.path / "uv", f"#!/bin/sh\n{answer}\n")
    machine.set_up()
    assert machine.chosen() == wanted


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"version": "3.9.18"}, "is CPython 3.9.18"),
        ({"implementation": "PyPy"}, "is PyPy 3.7.16"),
        ({"bits": 32}, "is a 32-bit 3.7.16 for linux x86_64"),
        ({"machine": "aarch64"}, "is a 64-bit 3.7.16 for linux aarch64"),
        ({"missing": ["ensurepip"]}, "cannot make environments: no ensurepip"),
        ({"makes_venv": False}, "no wheels to bootstrap pip"),
    ],
)
def test_an_unfit_python_is_passed_over_and_the_reason_is_given(
    machine, changes, reason
):
    fake_python(machine.path / "python3.7", **changes)
    status, _, err = machine.set_up()
    assert status == 2
    assert str(machine.path / "python3.7") in err
    assert reason in err
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.9/bin/python3.7", "3.7.9")
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_no_interpreter_names_every_way_to_get_one_and_makes_nothing(machine):
    status, _, err = machine.set_up()
    assert status == 2
    assert err.startswith("error: found no Python that TensorFlow 1.15 or TensorFlow 2")
    for way in ("pyenv install 3.7", "uv python install 3.12", "conda create"):
        assert way in err
    assert f"{machine.bootstrap} is CPython 3.9.18" in err
    assert not machine.venv.exists()


# Which stack ----------------------------------------------------------------------


def test_tensorflow_1_15_goes_first_and_the_reason_is_said(machine):
    fake_python(machine.path / "python3.12", "3.12.1")
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.9/bin/python3.7", "3.7.9")
    _, out, _ = machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements.txt")
    (line,) = [line for line in out.splitlines() if "because" in line]
    assert "TensorFlow 1.15, because there is a Python 3.7 for it" in line


@pytest.mark.parametrize("version", ["3.10.13", "3.11.7", "3.12.1", "3.13.0"])
def test_where_there_is_no_python_for_1_15_it_is_the_current_stack(machine, version):
    wanted = fake_python(machine.bootstrap, version)
    status, out, _ = machine.set_up()
    assert status == 0
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")
    assert "because TensorFlow 1.15 needs CPython 3.7, 64-bit" in out
    assert machine.set_up() == (0, "", "")


def test_of_many_later_pythons_the_preferred_one_is_taken(machine):
    for version in ("3.10.1", "3.11.2", "3.13.3"):
        fake_python(machine.path / f"python{version[:4]}", version)
    wanted = fake_python(machine.home / "miniforge3/envs/a/bin/python3.12", "3.12.9")
    machine.set_up()
    assert machine.chosen() == wanted


@pytest.mark.parametrize("system, name", [("linux", "aarch64"), ("darwin", "arm64")])
def test_on_arm_it_is_the_current_stack(machine, system, name):
    fake_python(machine.path / "python3.7", system=system, machine=name)
    wanted = fake_python(
        machine.path / "python3.11", "3.11.7", system=system, machine=name
    )
    machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")


def test_on_an_intel_mac_only_1_15_will_do(machine):
    fake_python(machine.path / "python3.12", "3.12.1", system="darwin")
    status, _, err = machine.set_up()
    assert status == 2 and "is a 64-bit 3.12.1 for darwin x86_64" in err
    wanted = fake_python(machine.path / "python3.7", system="darwin")
    machine.set_up()
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements.txt")


def test_stack_chooses_and_is_kept_until_another_is_named(machine):
    old = fake_python(machine.path / "python3.7")
    new = fake_python(machine.path / "python3.12", "3.12.1")
    _, out, _ = machine.set_up(STACK="current")
    assert (machine.chosen(), machine.lock()) == (new, "requirements-current.txt")
    assert "because STACK=current asks for it" in out
    assert machine.set_up() == (0, "", "")  # although there is a Python for 1.15
    _, out, _ = machine.set_up("--stack", "1.15")
    assert "was of requirements-current.txt" in out
    assert (machine.chosen(), machine.lock()) == (old, "requirements.txt")


def test_a_changed_lock_leaves_the_stack_as_it_was(machine):
    fake_python(machine.path / "python3.7")
    new = fake_python(machine.path / "python3.12", "3.12.1")
    machine.set_up(STACK="current")
    with (machine.checkout / "requirements-current.txt").open("a") as lock:
        lock.write("# changed\n")
    _, out, _ = machine.set_up()
    assert "requirements-current.txt has changed" in out
    assert "because it was there before" in out
    assert (machine.chosen(), machine.lock()) == (new, "requirements-current.txt")


@pytest.mark.parametrize(
    "stack, version", [("1.15", "3.12.1"), ("current", "3.7.16"), ("current", "3.14.0")]
)
def test_a_stack_that_no_python_here_runs_is_said_with_the_way_to_one(
    machine, stack, version
):
    fake_python(machine.path / f"python{version[:-2]}", version)
    fake_python(machine.bootstrap, version)
    status, _, err = machine.set_up(STACK=stack)
    assert status == 2
    assert f"is CPython {version}" in err
    assert f"make STACK={stack} PYTHON=" in err
    assert not machine.venv.exists()


def test_a_stack_and_a_python_that_do_not_fit_are_one_line(machine):
    named = fake_python(machine.path / "mine", "3.12.1")
    status, _, err = machine.set_up(STACK="1.15", PYTHON=str(named))
    assert status == 2
    assert "is CPython 3.12.1; TensorFlow 1.15 needs CPython 3.7, 64-bit" in err
    assert err.count("\n") == 1


def test_an_unknown_stack_is_one_line_with_the_known_ones(machine):
    status, _, err = machine.set_up(STACK="2.0")
    assert status == 2
    assert err == "error: STACK=2.0 is no stack; take 1.15 or current\n"


# A Python by name -----------------------------------------------------------------


def test_a_named_python_is_used_even_if_a_better_one_is_there(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    wanted = fake_python(tmp_path / "mine", "3.7.8")
    machine.set_up(PYTHON=str(wanted))
    assert machine.chosen() == wanted


def test_a_python_may_be_named_by_its_command(machine):
    wanted = fake_python(machine.path / "my-python")
    machine.set_up("--python", "my-python")
    assert machine.chosen() == wanted


def test_a_named_python_decides_the_stack(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    wanted = fake_python(tmp_path / "mine", "3.13.1")
    _, out, _ = machine.set_up(PYTHON=str(wanted))
    assert (machine.chosen(), machine.lock()) == (wanted, "requirements-current.txt")
    assert f"because PYTHON={wanted} is 3.13.1" in out


def test_a_named_python_that_is_unfit_is_one_line_and_no_search(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    fake_python(tmp_path / "new", "3.14.1")
    write_program(tmp_path / "broken", "#!/bin/sh\necho no such version\nexit 127\n")
    write_program(tmp_path / "other", "#!/bin/sh\necho hello\n")
    for name, reason in (
        ("new", "is CPython 3.14.1"),
        ("broken", "does not start"),
        ("other", "is not a Python"),
        ("absent", "is not a program"),
    ):
        status, _, err = machine.set_up(PYTHON=str(tmp_path / name))
        assert status == 2
        assert err.startswith(f"error: PYTHON={tmp_path / name} {reason}")
        assert err.count("\n") == 1
    assert not machine.venv.exists()
