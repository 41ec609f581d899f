"""scripts/setup_env.py on fake interpreters: when an environment is made, of what."""

import pytest
from machine import fake_python

# When it is made ------------------------------------------------------------------


@pytest.fixture
def ready(machine):
    """A machine with an environment that is up to date."""
    fake_python(machine.path / "python3.7")
    status, out, _ = machine.set_up()
    assert status == 0
    assert ".venv (not there yet)" in out
    machine.log()
    return machine


def test_an_environment_that_is_up_to_date_costs_nothing_and_says_nothing(ready):
    assert ready.set_up() == (0, "", "")
    assert ready.log() == []


def test_a_changed_lock_makes_the_environment_anew(ready):
    (ready.venv / "leftover").write_text("")
    with (ready.checkout / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    status, out, _ = ready.set_up()
    assert status == 0
    assert "requirements.txt has changed" in out
    assert not (ready.venv / "leftover").exists()
    assert ready.set_up() == (0, "", "")


def test_a_vanished_base_interpreter_makes_the_environment_anew(ready):
    (ready.path / "python3.7").unlink()
    wanted = fake_python(ready.home / ".pyenv/versions/3.7.9/bin/python3.7", "3.7.9")
    assert "its Python is gone" in ready.set_up()[1]
    assert ready.chosen() == wanted


def test_naming_another_python_makes_the_environment_anew(ready, tmp_path):
    old = str(ready.path / "python3.7")
    assert ready.set_up(PYTHON=old) == (0, "", "")
    new = fake_python(tmp_path / "mine", "3.7.8")
    assert f"was for {old}" in ready.set_up(PYTHON=str(new))[1]
    assert ready.chosen() == new
    assert ready.set_up() == (0, "", "")  # and stays until another one is named


def test_an_unfinished_environment_is_made_anew(machine):
    fake_python(machine.path / "python3.7")
    assert machine.set_up(PIP_SAYS="stopped")[0] == 2
    status, out, _ = machine.set_up()
    assert status == 0
    assert "was not finished" in out
    assert machine.set_up() == (0, "", "")


def test_a_damaged_stamp_makes_the_environment_anew(ready):
    (ready.venv / ".cvae-env.json").write_text('{"locks": ')
    assert "was not finished" in ready.set_up()[1]


@pytest.mark.parametrize("content", ["pyvenv.cfg", "precious.txt"])
def test_a_directory_that_the_script_did_not_make_is_left_alone(machine, content):
    fake_python(machine.path / "python3.7")
    machine.venv.mkdir()
    (machine.venv / content).write_text("mine")
    status, _, err = machine.set_up()
    assert status == 2
    assert "was not made by this script" in err
    assert err.count("\n") == 1
    assert [path.name for path in machine.venv.iterdir()] == [content]


def test_a_file_in_the_place_of_the_environment_is_left_alone(machine):
    fake_python(machine.path / "python3.7")
    machine.venv.write_text("mine")
    status, _, err = machine.set_up()
    assert status == 2
    assert "is not a directory" in err
    assert machine.venv.read_text() == "mine"


def test_two_at_once_make_one_environment(machine):
    fake_python(machine.path / "python3.7")
    processes = [machine.start() for _ in range(3)]
    for process in processes:
        process.communicate(timeout=300)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(line.startswith("venv") for line in machine.log()) == 1


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


def test_an_unknown_extra_is_one_line_with_the_known_ones(ready):
    status, _, err = ready.set_up("--extra", "online")
    assert status == 2
    assert "--extra online" in err and "choose from offline" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "said, remedy",
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ProxyError('Cannot connect to proxy.', NewConnectionError", "the proxy"),
        ("NewConnectionError: No matching distribution", "out of reach"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "PIP_CERT"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "differs from the lock's"),
        ("No matching distribution found for tensorflow", "no build for this platform"),
        ("a fault nobody thought of", "status 1"),
    ],
)
def test_a_failed_installation_gives_the_remedy_and_what_pip_said(
    machine, said, remedy
):
    fake_python(machine.path / "python3.7")
    status, _, err = machine.set_up(PIP_SAYS=said)
    assert status == 2
    first, rest = err.split("\n", 1)
    assert first.startswith("error: ") and remedy in first
    assert "| " + said in rest


def test_a_version_that_is_not_the_lock_s_is_noticed(machine):
    fake_python(machine.path / "python3.7")
    status, _, err = machine.set_up(NUMPY="1.21.6")
    assert status == 2
    assert "numpy 1.21.6 was installed, but requirements.txt says 1.18.5" in err
    assert "was not finished" in machine.set_up()[1]
