"""scripts/setup_env.py on fake interpreters."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


# Runs the script as if some other Python, which no test can choose, had started it.
RUN = """
import runpy, sys
sys.executable = {bootstrap!r}
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Answers what the script asks of an interpreter, and notes what it was asked to do.
FAKE = """#!/bin/sh
PATH=/usr/bin:/bin
self="$0"
case "$*" in
  *python_implementation*)
    echo '{facts}' ;;
  *"-m venv "*)
    echo "venv by $self" >> "$HOME/log"
    [ '{makes_venv}' = True ] || {{ echo 'no wheels to bootstrap pip'; exit 1; }}
    for venv; do :; done
    mkdir -p "$venv/bin"
    touch "$venv/pyvenv.cfg"
    ln -s "$self" "$venv/bin/python" ;;
  *"-m pip "*)
    echo "pip $*" >> "$HOME/log"
    [ -z "$PIP_SAYS" ] || {{ echo "$PIP_SAYS"; exit 1; }} ;;
  *"import json, tensorflow"*)
    echo '{{"tensorflow": "1.15.0", "numpy": "'${{NUMPY:-1.18.5}}'"}}' ;;
esac
"""

LOCK = """# a lock
numpy==1.18.5 ; python_full_version < '3.8' \\
    --hash=sha256:00
pip==24.0 \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via -r requirements.in
tensorflow==1.15.0 \\
    --hash=sha256:03
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_python(path, version="3.7.16", makes_venv=True, **changes):
    facts = {
        "executable": str(path),
        "implementation": "CPython",
        "version": version,
        "bits": 64,
        "machine": "x86_64",
        "missing": [],
    }
    facts.update(changes)
    text = FAKE.format(facts=json.dumps(facts), makes_venv=makes_venv)
    return write_program(path, text)


class Machine:
    """A bare machine with a checkout: its own PATH and home, no Python that fits."""

    def __init__(self, folder):
        self.path, self.home = folder / "bin", folder / "home"
        self.checkout = folder / "check out"  # a space, as in many a home
        self.venv = self.checkout / ".venv"
        for directory in (self.path, self.home, self.checkout / "scripts"):
            directory.mkdir(parents=True)
        for name in ("setup_env.py", "_find_python.py"):
            shutil.copy(str(ROOT / "scripts" / name), str(self.checkout / "scripts"))
        (self.checkout / "requirements.txt").write_text(LOCK)
        (self.checkout / "requirements-offline.txt").write_text("mlxtend==0.19.0\n")
        self.bootstrap = fake_python(folder / "usr/bin/python3", "3.13.0")

    def start(self, *arguments, **environ):
        command = [sys.executable, "-c", RUN.format(bootstrap=str(self.bootstrap))]
        return subprocess.Popen(
            command
            + [str(self.checkout / "scripts" / "setup_env.py")]
            + list(arguments),
            env=dict(environ, PATH=str(self.path), HOME=str(self.home)),
            cwd=str(self.checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    def set_up(self, *arguments, **environ):
        """Run the script: (status, stdout, stderr)."""
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        return process.returncode, out, err

    def log(self):
        """What the interpreters were asked to do since the last look."""
        path = self.home / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines

    def chosen(self):
        """The interpreter that the environment was made with."""
        return Path(json.loads((self.venv / ".cvae-env.json").read_text())["python"])


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# Which interpreter ----------------------------------------------------------------


def test_a_shim_that_does_not_start_is_passed_over(machine):
    write_program(machine.path / "python3.7", "#!/bin/sh\necho none >&2\nexit 127\n")
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.16/bin/python3.7")
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_python_3_7_in_pyenv_goes_before_3_6_on_path(machine):
    fake_python(machine.path / "python3.6", "3.6.15")
    wanted = fake_python(machine.home / ".pyenv/versions/3.7.9/bin/python3.7")
    machine.set_up()
    assert machine.chosen() == wanted


def test_python_3_6_will_do_where_there_is_no_3_7(machine):
    wanted = fake_python(machine.path / "python3.6", "3.6.15")
    machine.set_up()
    assert machine.chosen() == wanted


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
    first = fake_python(tmp_path / "my pyenv/versions/3.6.1/bin/python3.6", "3.6.1")
    machine.set_up(PYENV_ROOT=str(tmp_path / "my pyenv"))
    assert machine.chosen() == first
    shutil.rmtree(str(machine.venv))
    second = fake_python(tmp_path / "conda/bin/python3.7")
    machine.set_up(CONDA_PREFIX=str(tmp_path / "conda"))
    assert machine.chosen() == second


def test_uv_on_path_is_asked(machine, tmp_path):
    wanted = fake_python(tmp_path / "somewhere/python3.7")
    answer = '[ "$4" = 3.7 ] && echo "{}"'.format(wanted)
    write_program(machine.path / "uv", "#!/bin/sh\n{}\n".format(answer))
    machine.set_up()
    assert machine.chosen() == wanted


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"version": "3.11.7"}, "is CPython 3.11.7"),
        ({"implementation": "PyPy"}, "is PyPy 3.7.16"),
        ({"bits": 32}, "is a 32-bit build for x86_64"),
        ({"machine": "aarch64"}, "is a 64-bit build for aarch64"),
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
    wanted = fake_python(machine.path / "python3.6", "3.6.15")
    assert machine.set_up()[0] == 0
    assert machine.chosen() == wanted


def test_no_interpreter_names_every_way_to_get_one_and_makes_nothing(machine):
    status, _, err = machine.set_up()
    assert status == 2
    assert err.startswith("error: found no Python that TensorFlow 1.15 runs on\n")
    for way in ("pyenv install 3.7", "conda create", "uvx 'uv<0.7' python", "PYTHON="):
        assert way in err
    assert "{} is CPython 3.13.0".format(machine.bootstrap) in err
    assert not machine.venv.exists()


def test_a_named_python_is_used_even_if_a_better_one_is_there(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    wanted = fake_python(tmp_path / "mine", "3.6.8")
    machine.set_up(PYTHON=str(wanted))
    assert machine.chosen() == wanted


def test_a_python_may_be_named_by_its_command(machine):
    wanted = fake_python(machine.path / "my-python")
    machine.set_up("--python", "my-python")
    assert machine.chosen() == wanted


def test_a_named_python_that_is_unfit_is_one_line_and_no_search(machine, tmp_path):
    fake_python(machine.path / "python3.7")
    fake_python(tmp_path / "new", "3.12.1")
    write_program(tmp_path / "broken", "#!/bin/sh\necho no such version\nexit 127\n")
    write_program(tmp_path / "other", "#!/bin/sh\necho hello\n")
    for name, reason in (
        ("new", "is CPython 3.12.1"),
        ("broken", "does not start"),
        ("other", "is not a Python"),
        ("absent", "is not a program"),
    ):
        status, _, err = machine.set_up(PYTHON=str(tmp_path / name))
        assert status == 2
        assert err.startswith("error: PYTHON={} {}".format(tmp_path / name, reason))
        assert err.count("\n") == 1
    assert not machine.venv.exists()


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
    (ready.checkout / "requirements.txt").write_text(LOCK + "# changed\n")
    status, out, _ = ready.set_up()
    assert status == 0
    assert "requirements.txt has changed" in out
    assert not (ready.venv / "leftover").exists()
    assert ready.set_up() == (0, "", "")


def test_a_vanished_base_interpreter_makes_the_environment_anew(ready):
    (ready.path / "python3.7").unlink()
    wanted = fake_python(ready.path / "python3.6", "3.6.15")
    assert "its Python is gone" in ready.set_up()[1]
    assert ready.chosen() == wanted


def test_naming_another_python_makes_the_environment_anew(ready, tmp_path):
    old = str(ready.path / "python3.7")
    assert ready.set_up(PYTHON=old) == (0, "", "")
    new = fake_python(tmp_path / "mine", "3.6.8")
    assert "was for {}".format(old) in ready.set_up(PYTHON=str(new))[1]
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
        process.communicate(timeout=60)
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
