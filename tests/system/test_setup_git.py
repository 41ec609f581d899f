"""scripts/setup_env.py and git: how ZhuSuan's commit is fetched, and for how long."""

import os
import signal
import time
from pathlib import Path

import pytest
from machine import URL, git, repository, write_program


def is_installed_from(machine, upstream):
    entry = machine.stamp()["zhusuan"]
    return (entry["asked"], entry["installed"]) == (str(upstream), "0.4.0")


# A fetch that does not end -----------------------------------------------------------

HANGS = """#!/bin/sh
PATH=/usr/bin:/bin
cat # returns at once, as there is no input
env | grep -E '^(GIT|SSH|GCM)_' | sort > "$HOME/environ"
sleep 600 &
echo $$ $! > "$HOME/pids.new"
mv "$HOME/pids.new" "$HOME/pids"
wait
"""


def hang(machine, seconds):
    """Put a git on PATH that never answers, and has a child that does not, either."""
    write_program(machine.path / "git", HANGS)
    script = machine.checkout / "scripts" / "_git.py"
    text = script.read_text()
    assert "FETCH_SECONDS = 20\n" in text
    script.write_text(text.replace("SECONDS = 20", f"SECONDS = {seconds}"))


def is_alive(pid):
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # a system without /proc, or it is gone now
        return not Path("/proc").is_dir()


def assert_gone(machine):
    pids = [int(pid) for pid in (machine.home / "pids").read_text().split()]
    end = time.monotonic() + 60  # not to wait for ever if it does live on
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < end, "git or its child lives on"
        time.sleep(0.02)


def test_a_git_that_hangs_is_killed_with_its_children(ready):
    hang(ready, 0.5)
    before = ready.files()
    status, _, err = ready.set_up(ZHUSUAN="real")
    assert status == 2 and "no answer within 0.5 seconds" in err
    assert_gone(ready)
    assert ready.files() == before


def test_a_git_that_hangs_holds_a_new_environment_up_for_that_time_only(git_machine):
    hang(git_machine, 0.5)
    status, _, err = git_machine.set_up()
    assert status == 0 and "no answer within 0.5 seconds" in err
    assert_gone(git_machine)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_the_set_up_ends_git_and_its_children(ready, number):
    hang(ready, 30)
    before = ready.files()
    process = ready.start(ZHUSUAN="real")
    while not (ready.home / "pids").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "Traceback" not in err
    assert_gone(ready)
    assert ready.files() == before


# What is fetched -----------------------------------------------------------------


def test_the_commit_counts_and_not_the_files_in_the_checkout(ready, upstream):
    git(upstream, "checkout", "-q", "--orphan", "other")
    (upstream / "name").write_text("changed")
    before = git(upstream, "status", "--porcelain")
    assert ready.set_up(ZHUSUAN=str(upstream))[0] == 0
    assert is_installed_from(ready, upstream)
    assert git(upstream, "status", "--porcelain") == before
    wheel = [line for line in ready.log() if line.startswith("pip")][-1]
    assert wheel.endswith("/zhusuan-0.4.0-py3-none-any.whl") and "--no-deps" in wheel


def test_a_server_that_gives_no_commit_by_its_name_is_asked_for_its_branches(
    ready, upstream
):
    config = ready.home / "config"
    config.write_text("[protocol]\n  version = 0\n")
    result = ready.set_up(ZHUSUAN=str(upstream), GIT_CONFIG_GLOBAL=str(config))
    assert result[::2] == (0, "")
    assert is_installed_from(ready, upstream)
    assert sum(" fetch " in line for line in ready.log()) == 2


def test_a_password_in_a_url_is_not_printed(git_machine):
    url = URL.replace("//", "//me:secret@")
    status, out, err = git_machine.set_up(ZHUSUAN=url)
    assert status == 2 and URL in out and URL in err
    assert "secret" not in out + err


# git's surroundings ---------------------------------------------------------------


def test_git_asks_nothing_and_keeps_what_the_user_has_set(ready):
    hang(ready, 0.5)
    ready.set_up(
        ZHUSUAN="real",
        GIT_SSL_CAINFO="/certificates",
        GIT_SSH_COMMAND="ssh -i key",
        GIT_ASKPASS="ask",
        GIT_DIR="/elsewhere",
    )
    assert (ready.home / "environ").read_text().splitlines() == [
        "GCM_INTERACTIVE=never",
        "GIT_ASKPASS=",
        "GIT_SSH_COMMAND=ssh -i key -o BatchMode=yes",
        "GIT_SSL_CAINFO=/certificates",
        "GIT_TERMINAL_PROMPT=0",
        "SSH_ASKPASS_REQUIRE=never",
    ]


def test_what_git_tells_a_hook_does_not_lead_astray(ready, upstream, tmp_path):
    other = tmp_path / "other"
    repository(other, "other-1.0")
    before = git(other, "status", "--porcelain", "--branch")
    result = ready.set_up(
        ZHUSUAN=str(upstream),
        GIT_DIR=str(other / ".git"),
        GIT_WORK_TREE=str(other),
        GIT_INDEX_FILE=str(other / ".git" / "index"),
        GIT_OBJECT_DIRECTORY=str(other / ".git" / "objects"),
        GIT_PREFIX="folder/",
        GIT_CONFIG_PARAMETERS="'core.bare'='true'",
    )
    assert result[::2] == (0, "")
    assert is_installed_from(ready, upstream)
    assert git(other, "status", "--porcelain", "--branch") == before
    assert (other / "name").read_text() == "other-1.0"


def test_no_hook_of_the_users_runs(ready, upstream):
    hook = ready.home / "template" / "hooks" / "post-checkout"
    write_program(hook, '#!/bin/sh\n: > "$HOME/hooked"\n')
    config = f"[init]\n  templateDir = {ready.home / 'template'}\n"
    (ready.home / ".gitconfig").write_text(config)
    assert ready.set_up(ZHUSUAN=str(upstream))[0] == 0
    assert not (ready.home / "hooked").exists()
