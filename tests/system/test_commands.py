"""`cvae` and `python -m cvae`: which commands there are, and how they are found."""

import os
import subprocess
import sys

import pytest
from paths import ROOT

import cvae
from cvae import commands
from cvae.storage import checkout

PYTHON = [sys.executable, "-m", "cvae"]
# What bash does when a user presses the tab key; the words typed are its arguments.
TAB = """
source "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_cvae "$1" "${@: -1}" "${@: -2:1}" && printf '%s\\n' "${COMPREPLY[@]}"
"""


def run(*command):
    """(status, stdout, stderr) of a command that finds this package."""
    done = subprocess.run(
        list(command),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_without_a_command_all_are_listed_with_what_they_do():
    status, out, err = run(*PYTHON)
    assert (status, err) == (0, "") and out.startswith("usage: python -m cvae ")
    listed = out.partition("commands:")[2]
    assert all(f"\n    {name} " in listed for name in commands.NAMES)
    assert run(*PYTHON, "--help") == (0, out, "")


def test_the_version_is_the_package_s():
    assert run(*PYTHON, "--version") == (0, f"cvae {cvae.__version__}\n", "")


def test_a_python_without_the_packages_is_one_line_that_says_what_to_do():
    status, out, err = run(sys.executable, "-S", "-m", "cvae", "train")
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "run `make env`, then `.venv/bin/python -m cvae`" in err


def test_a_mistyped_command_is_one_line_that_suggests_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        commands.run("cvae", ["trian"])
    err = capsys.readouterr().err
    assert stop.value.code == 2 and err.count("\n") == 1
    assert "there is no command 'trian': did you mean 'train'?" in err


def test_help_imports_no_tensorflow():
    code = (
        "import sys; from cvae import commands; commands.parser_of_all(); "
        "print('tensorflow' in sys.modules)"
    )
    assert run(sys.executable, "-c", code) == (0, "False\n", "")


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """A function: what bash offers for words that were typed."""
    script = tmp_path_factory.mktemp("completion") / "cvae"
    status, out, err = run(*PYTHON, "completion", "bash")
    assert (status, err) == (0, "")
    script.write_text(out)
    return lambda *words: run("bash", "-c", TAB, str(script), *words)[1].split()


@pytest.mark.parametrize(
    "words, offered",
    [
        (["cvae", "tr"], ["train"]),
        (["cvae", "evaluate", "--ch"], ["--checks"]),
        (["cvae", "train", "--preset", ""], ["default", "quick", "best"]),
        (["cvae", "draw", "tra"], ["transfer"]),
    ],
)
def test_bash_completes_commands_options_and_values(completed, words, offered):
    assert sorted(completed(*words)) == sorted(offered)


def test_every_command_is_reached_by_its_script_or_by_name_only():
    scripts = {path.name for path in (ROOT / "scripts").glob("[a-z]*.py")}
    called = {checkout.script(name) for name in commands.NAMES}
    assert called - scripts == {"completion.py"}
    assert scripts - called == {"setup_env.py"}
