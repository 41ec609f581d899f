"""scripts/setup_env.py on fake interpreters: when an environment is made, of what."""

import errno
import fcntl
import os
import signal
import time

import pytest
import setup_env
from machine import fake_python, later_python, write_program

# When it is made ------------------------------------------------------------------


@pytest.fixture
def ready(machine):
    """A machine with an environment that is up to date, and without git."""
    fake_python(machine.path / "python3.7")
    assert machine.makes()
    return machine


def test_an_environment_that_is_up_to_date_costs_nothing_and_prints_nothing(ready):
    assert ready.set_up() == (0, "", "")
    assert ready.log() == []


def test_a_changed_lock_makes_the_environment_anew(ready):
    (ready.venv / "leftover").write_text("")
    ready.change_lock("requirements.txt")
    assert ready.makes()
    assert not (ready.venv / "leftover").exists()
    assert ready.set_up() == (0, "", "")


def test_a_vanished_base_interpreter_makes_the_environment_anew(ready):
    (ready.path / "python3.7").unlink()
    wanted = fake_python(ready.home / ".pyenv/versions/3.7.9/bin/python3.7")
    assert ready.makes()
    assert ready.chosen() == wanted


def test_naming_another_python_makes_the_environment_anew(ready, tmp_path):
    assert ready.set_up(PYTHON=str(ready.path / "python3.7")) == (0, "", "")
    new = fake_python(tmp_path / "mine")
    assert ready.makes(PYTHON=str(new))
    assert ready.chosen() == new
    assert ready.set_up() == (0, "", "")  # and stays until another one is named


def test_an_unfinished_environment_is_made_anew(machine):
    fake_python(machine.path / "python3.7")
    assert machine.set_up(PIP_SAYS="stopped")[0] == 2
    assert machine.makes()
    assert machine.set_up() == (0, "", "")


def test_a_damaged_stamp_makes_the_environment_anew(ready):
    (ready.venv / ".cvae-env.json").write_text('{"locks": ')
    assert ready.makes()


@pytest.mark.parametrize("content", ["pyvenv.cfg", "precious.txt"])
def test_a_directory_that_the_script_did_not_make_is_left_alone(machine, content):
    fake_python(machine.path / "python3.7")
    machine.venv.mkdir()
    (machine.venv / content).write_text("mine")
    status, _, err = machine.set_up()
    assert (status, err.count("\n")) == (2, 1)
    assert "this script did not make it; move it away" in err
    assert [path.name for path in machine.venv.iterdir()] == [content]


def test_a_file_in_the_place_of_the_environment_is_left_alone(machine):
    fake_python(machine.path / "python3.7")
    machine.venv.write_text("mine")
    status, _, err = machine.set_up()
    assert (status, err.count("\n")) == (2, 1)
    assert "this script did not make it" in err
    assert machine.venv.read_text() == "mine"


def test_two_at_once_make_one_environment(machine):
    fake_python(machine.path / "python3.7")
    processes = [machine.start() for _ in range(3)]
    for process in processes:
        process.communicate(timeout=300)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(line.startswith("venv") for line in machine.log()) == 1


def test_two_environments_of_a_checkout_are_made_at_the_same_time(machine):
    """The first one waits, half made, until the second is finished."""
    later_python(machine.path / "python3.12")
    waits = 'while [ ! -f "$HOME/go" ]; do sleep 0.02; done'
    slow = fake_python(machine.path / "python3.7")
    text = slow.read_text()
    slow.write_text(text.replace("    mkdir -p", f"    {waits}\n    mkdir -p", 1))
    first = machine.start()
    while not machine.venv.exists():
        time.sleep(0.02)
    assert machine.set_up("--venv", ".venv-current", STACK="current")[0] == 0
    (machine.home / "go").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_without_locks_the_set_up_works_after_one_note(tmp_path, monkeypatch, capsys):
    def refuse(*unused):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with setup_env._locked(tmp_path / "venv"):
        assert (tmp_path / "venv").is_dir()
    out = capsys.readouterr().out
    assert out.startswith("note: ") and out.count("\n") == 1 and "be locked" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_set_up_leaves_no_child_and_starts_over(machine, number):
    python = fake_python(machine.path / "python3.7")
    text = python.read_text()
    stuck = 'echo $$ > "$HOME/pid.new"; mv "$HOME/pid.new" "$HOME/pid"; sleep 600'
    write_program(python, text.replace("    packages=", f"    {stuck}\n    packages="))
    process = machine.start()
    while not (machine.home / "pid").exists():
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number and err.endswith("interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((machine.home / "pid").read_text()), 0)
    write_program(python, text)
    assert machine.makes()


# What is installed ----------------------------------------------------------------


def test_the_pinned_installer_comes_first_and_every_hash_is_required(machine):
    fake_python(machine.path / "python3.7")
    machine.set_up()
    installer, packages = [line for line in machine.log() if line.startswith("pip")]
    assert "--require-hashes" in installer and installer.endswith("installer.txt")
    assert "--require-hashes" in packages and "requirements.txt" in packages
    assert (machine.venv / "installer.txt").read_text() == (
        "pip==24.0 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    )


def test_an_extra_is_added_once_to_the_environment_that_is_there(ready):
    assert ready.set_up("--extra", "offline")[0] == 0
    (call,) = ready.log()
    assert "requirements-offline.txt" in call
    assert ready.set_up("--extra", "offline") == (0, "", "")
    assert ready.set_up() == (0, "", "")


@pytest.mark.parametrize("extra", ["online", "current"])
def test_an_unknown_extra_is_one_line_with_the_known_ones(ready, extra):
    status, _, err = ready.set_up("--extra", extra)
    assert (status, err.count("\n")) == (2, 1)
    assert f"--extra: there is no '{extra}': " in err and "choose from offline" in err


@pytest.mark.parametrize(
    "said, remedy",
    [
        ("NewConnectionError\nERROR: No matching distribution", "check the network"),
        ("ERROR: a fault nobody thought of\nlast words", "run `make env` again"),
    ],
)
def test_a_failed_installation_is_one_line_with_cause_and_remedy(machine, said, remedy):
    fake_python(machine.path / "python3.7")
    status, _, err = machine.set_up(PIP_SAYS=said)
    assert (status, err.count("\n")) == (2, 1)
    cause = said.partition("ERROR: ")[2].partition("\n")[0]
    what = "error: cannot install pip, setuptools and wheel: "
    assert err.startswith(f"{what}{cause}; {remedy}")
    log = machine.venv / "setup.log"
    assert str(log) in err and log.read_text() == said + "\n"


def test_a_processor_that_tensorflow_does_not_run_on_is_one_line(machine):
    fake_python(machine.path / "python3.7")
    status, _, err = machine.set_up(IMPORT_DIES="yes")
    assert (status, err.count("\n")) == (2, 1)
    assert "SIGILL; TensorFlow needs a processor with AVX" in err
