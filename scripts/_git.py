"""Fetch one commit of a git repository."""

import os
import re
import shutil
import subprocess
import time

from _steps import run

from cvae.errors import CvaeError

FETCH_SECONDS = 20

# The user's settings that are kept; the others are those of one repository, which git
# passes on to a hook.
KEPT = r"GIT_(SSL|SSH|HTTP|PROXY|EXEC_PATH|CONFIG_(?!PARAMETERS))"
NO_QUESTIONS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C",
}
OPTIONS = ("-c", f"core.hooksPath={os.devnull}", "-c", "gc.auto=0")
# The answers of a server that sends branches and tags, but not a commit by its name.
ONLY_BRANCHES = r"unadvertised object|dumb http|shallow|remote ref"
BRANCHES = ["+refs/heads/*:refs/its/heads/*", "+refs/tags/*:refs/its/tags/*"]


def fetch_commit(source, commit, folder):
    """Check a commit out into `folder`, in at most `FETCH_SECONDS`.

    Args:
        source: path or URL of the repository.
        commit: its full hash.
        folder: a directory (Path) that does not exist.

    Raises:
        CvaeError: the reason, in a few words, why this was not possible.
    """
    program = shutil.which("git")
    if not program:
        raise CvaeError("there is no git on PATH")
    environ = _environ()
    folder.mkdir()
    deadline = time.monotonic() + FETCH_SECONDS

    def git(*arguments):
        command = [program, "-C", str(folder), *OPTIONS, *arguments]
        return run(command, environ, deadline)

    fetch = ("fetch", "-q", "--no-tags")
    try:
        git("init", "-q")
        status, output = git(*fetch, "--depth=1", "--", source, commit)
        if status != 0 and re.search(ONLY_BRANCHES, output):
            status, output = git(*fetch, "--", source, *BRANCHES)
        if status == 0:
            status, output = git("checkout", "-q", "--detach", commit)
        if status == 0:
            status, output = git("rev-parse", "HEAD")
    except subprocess.TimeoutExpired:
        raise CvaeError(f"no answer within {FETCH_SECONDS} seconds")
    if status != 0 or output.strip() != commit:
        raise CvaeError(_why_not(output, commit))


def _environ():
    """Return the variables for git: it asks nothing and leaves other folders alone."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or re.match(KEPT, name)
    }
    environ.update(NO_QUESTIONS)
    if "GIT_SSH" not in environ:
        ssh = environ.get("GIT_SSH_COMMAND", "ssh")
        environ["GIT_SSH_COMMAND"] = f"{ssh} -o BatchMode=yes"
    return environ


def _why_not(output, commit):
    """Return the reason from git's output, in clearer words where it needs them."""
    if re.search(r"not our ref|not a tree|unable to read tree|remote ref", output):
        return f"it does not have commit {commit}"
    if "does not appear to be a git repository" in output:
        return "it is not a git repository"
    lines = [line for line in output.splitlines() if not re.match("(?i)warning:", line)]
    return re.sub("^(fatal|error): ", "", (lines or ["git gave no reason"])[0])
