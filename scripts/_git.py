"""Fetch one commit of a git repository. Standard library only."""

import os
import re
import shutil
import subprocess
import time

from _steps import SetupError, run

FETCH_SECONDS = 20

# Kept of the user's settings. The others are those of one repository, as a git hook
# passes them on.
KEPT = r"GIT_(SSL|SSH|HTTP|PROXY|EXEC_PATH|CONFIG_(?!PARAMETERS))"
NO_QUESTIONS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C",
}
OPTIONS = ["-c", "core.hooksPath=" + os.devnull, "-c", "gc.auto=0"]
# What a server answers that gives out branches and tags, but no commit by its name.
ONLY_BRANCHES = r"unadvertised object|dumb http|shallow|remote ref"
BRANCHES = ["+refs/heads/*:refs/its/heads/*", "+refs/tags/*:refs/its/tags/*"]


def fetch_commit(source, commit, folder):
    """Check a commit out into `folder / "sources"`, in at most `FETCH_SECONDS`.

    Args:
        source: path or URL of the repository.
        commit: its full hash.
        folder: an empty directory (Path).

    Raises:
        SetupError: the reason, in a few words, why this was not possible.
    """
    program = shutil.which("git")
    if not program:
        raise SetupError("there is no git on PATH")
    sources, log, environ = folder / "sources", folder / "git.log", _environ()
    sources.mkdir()
    deadline = time.monotonic() + FETCH_SECONDS

    def git(*arguments):
        command = [program, "-C", str(sources)] + OPTIONS + list(arguments)
        return run(command, log, environ, deadline)

    fetch = ["fetch", "-q", "--no-tags"]
    try:
        git("init", "-q")
        status, said = git(*fetch + ["--depth=1", "--", source, commit])
        if status != 0 and re.search(ONLY_BRANCHES, said):
            status, said = git(*fetch + ["--", source] + BRANCHES)
        if status == 0:
            status, said = git("checkout", "-q", "--detach", commit)
        if status == 0:
            status, said = git("rev-parse", "HEAD")
    except subprocess.TimeoutExpired:
        raise SetupError(f"no answer within {FETCH_SECONDS} seconds")
    if status != 0 or said.strip() != commit:
        raise SetupError(_why_not(said, commit))


def _environ():
    """Return the environment for git: no questions, of no repository in particular."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or re.match(KEPT, name)
    }
    environ.update(NO_QUESTIONS)
    if "GIT_SSH" not in environ:
        ssh = environ.get("GIT_SSH_COMMAND", "ssh")
        environ["GIT_SSH_COMMAND"] = ssh + " -o BatchMode=yes"
    return environ


def _why_not(said, commit):
    """Return the reason in git's words, or in ours where they are clearer."""
    if re.search(r"not our ref|not a tree|unable to read tree|remote ref", said):
        return f"it does not have commit {commit}"
    if "does not appear to be a git repository" in said:
        return "it is not a git repository"
    lines = [line for line in said.splitlines() if not re.match("(?i)warning:", line)]
    return re.sub("^(fatal|error): ", "", (lines or ["git gave no reason"])[0])
