"""scripts/setup_env.py and ZhuSuan: what is installed, from where, and what if not.

The interpreters are fake, the git repositories are real, with a file for a project.
"""

import json
import shutil

import pytest
from machine import URL, git, later_python, repository

REMOVED = {"asked": "builtin", "installed": None, "commit": None}
FELL_BACK = {"asked": "real", "installed": None, "commit": None}


@pytest.fixture
def within_reach(git_machine, upstream):
    """Environment variables with which git finds `upstream` where GitHub would be."""
    config = git_machine.home / "config"
    config.write_text(f'[url "{upstream}"]\n  insteadOf = {URL}\n')
    return {"GIT_CONFIG_GLOBAL": str(config)}


def held(machine):
    return machine.stamp()["zhusuan"]


def commit_of(upstream):
    return git(upstream, "rev-parse", "HEAD~1")


def from_path(upstream):
    commit = commit_of(upstream)
    return {"asked": str(upstream), "installed": "0.4.0", "commit": commit}


def assert_silent(machine, **environ):
    machine.log()
    assert machine.set_up(**environ) == (0, "", "")
    assert machine.log() == []


def assert_error(result, *words):
    status, _, err = result
    assert status == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err


def assert_note(result, *words):
    status, _, err = result
    assert status == 0
    assert err.startswith(
        ("note: cannot fetch ZhuSuan 0.4.0 from ", "note: cannot install ZhuSuan 0.4")
    ), err
    assert err.count("\n") == 1 and "cvae.zs is used instead" in err
    for word in ("ZHUSUAN=/path/to/git/checkout make env", *words):
        assert word in err


# Without a choice -----------------------------------------------------------------


def test_the_real_one_is_installed_where_it_is_within_reach(
    git_machine, upstream, within_reach
):
    status, out, err = git_machine.set_up(**within_reach)
    assert (status, err) == (0, "")
    assert f"fetch ZhuSuan 0.4.0 from {URL} ..." in out
    assert held(git_machine) == dict(from_path(upstream), asked="real")
    assert_silent(git_machine)
    assert_silent(git_machine, ZHUSUAN="real")


def test_out_of_reach_it_is_one_note_and_not_tried_again(git_machine):
    assert_note(git_machine.set_up(), URL, "run `ZHUSUAN=real make env`")
    assert held(git_machine) == FELL_BACK
    assert_silent(git_machine)


def test_without_git_it_is_one_note(git_machine):
    (git_machine.path / "git").unlink()
    assert_note(git_machine.set_up(), "there is no git on PATH")
    assert_silent(git_machine)


def test_a_build_that_fails_is_one_note(git_machine, within_reach):
    result = git_machine.set_up(PIP_FAILS="wheel", **within_reach)
    assert_note(result, "no wheel; run `make env` again")
    assert held(git_machine) == FELL_BACK
    assert_silent(git_machine)


def test_an_environment_of_an_earlier_set_up_has_the_default_tried_once(ready):
    stamp = ready.stamp()
    del stamp["zhusuan"]
    (ready.venv / ".cvae-env.json").write_text(json.dumps(stamp))
    result = ready.set_up()
    assert_note(result)
    assert "not there yet" not in result[1]
    assert_silent(ready)


def test_what_was_installed_or_removed_by_hand_is_noticed(ready, within_reach):
    packages = ready.venv / "lib/python3.7/site-packages/zhusuan-0.4.1.dist-info"
    packages.mkdir(parents=True)
    (packages / "RECORD").touch()
    assert ready.set_up(**within_reach) == (0, "", "")
    assert held(ready) == {"asked": "real", "installed": "0.4.1", "commit": None}
    shutil.rmtree(str(packages))
    assert "ZhuSuan 0.4.0 from" in ready.set_up(**within_reach)[1]
    assert held(ready)["installed"] == "0.4.0"


# A choice -------------------------------------------------------------------------


def test_each_choice_takes_effect_with_one_line_and_then_costs_nothing(
    ready, upstream, within_reach
):
    made = (ready.venv / "pyvenv.cfg").stat()

    installing, removing = "  install ZhuSuan 0.4.0 from", "  remove ZhuSuan 0.4.0, as"
    for choice, line in (
        ("real", f"{installing} {URL} ... "),
        ("builtin", f"{removing} ZHUSUAN=builtin asks ... "),
        (str(upstream), f"{installing} {upstream} ... "),
        ("real", f"{installing} {URL} ... "),
    ):
        status, out, err = ready.set_up(ZHUSUAN=choice, **within_reach)
        assert (status, out.count("\n"), err) == (0, 1, "") and out.startswith(line)
        is_real = choice != "builtin"
        entry = from_path(upstream) if is_real else REMOVED
        assert held(ready) == dict(entry, asked=choice)
        assert_silent(ready, ZHUSUAN=choice)
        assert_silent(ready)  # and stays until another one is asked for
    assert (ready.venv / "pyvenv.cfg").stat() == made


def test_builtin_installs_nothing_and_needs_no_git(git_machine):
    (git_machine.path / "git").unlink()
    status, out, err = git_machine.set_up("--zhusuan", "builtin")
    assert (status, err) == (0, "") and "ZhuSuan" not in out
    assert held(git_machine) == REMOVED


@pytest.mark.parametrize("kind", ["checkout", "bare", "relative", "home", "file URL"])
def test_any_copy_of_the_repository_will_do(ready, upstream, kind):
    copy = (ready.home if kind == "home" else ready.checkout) / "copy"
    git(upstream, "clone", "-q", *["--bare"] * (kind == "bare"), ".", str(copy))
    named = {"relative": "copy", "home": "~/copy", "file URL": copy.as_uri()}
    assert ready.set_up(ZHUSUAN=named.get(kind, str(copy)))[::2] == (0, "")
    asked = copy.as_uri() if kind == "file URL" else str(copy)
    assert held(ready) == dict(from_path(upstream), asked=asked)


def test_two_at_once_install_once(ready, upstream):
    processes = [ready.start(ZHUSUAN=str(upstream)) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=300)
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("pip install" in line for line in ready.log()) == 1


def change_lock(machine):
    with (machine.checkout / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")


def test_an_environment_made_anew_keeps_the_choice(ready, upstream):
    for choice in ("builtin", str(upstream)):
        ready.set_up(ZHUSUAN=choice)
        before = held(ready)
        change_lock(ready)
        status, out, err = ready.set_up()
        assert "make the environment" in out and (status, err) == (0, "")
        assert held(ready) == before
    shutil.rmtree(str(upstream))
    change_lock(ready)
    again = f"run `ZHUSUAN={upstream} make env`"
    assert_note(ready.set_up(), "it is not a git repository", again)
    assert held(ready) == dict(FELL_BACK, asked=str(upstream))


# Today's TensorFlow ---------------------------------------------------------------


@pytest.mark.parametrize("environ", [{}, {"STACK": "current"}])
def test_todays_tensorflow_has_cvae_zs_and_says_nothing_of_it(git_machine, environ):
    if not environ:
        (git_machine.path / "python3.7").unlink()
    later_python(git_machine.path / "python3.12")
    for choice in ("", "builtin"):
        status, out, err = git_machine.set_up(ZHUSUAN=choice, **environ)
        assert (status, err) == (0, "") and "ZhuSuan" not in out
    assert "installed" not in held(git_machine)
    before = git_machine.files()
    for choice in ("real", str(git_machine.home), URL):
        (git_machine.home / "objects").mkdir(exist_ok=True)
        result = git_machine.set_up(ZHUSUAN=choice, **environ)
        assert_error(result, "runs on TensorFlow 1.15 only; take STACK=1.15")
        assert git_machine.files() == before
    assert not any(line.startswith("git") for line in git_machine.log())


def test_what_only_1_15_can_have_makes_no_environment_of_another_stack(git_machine):
    (git_machine.path / "python3.7").unlink()
    later_python(git_machine.path / "python3.12")
    assert_error(git_machine.set_up(ZHUSUAN="real"), "take STACK=1.15")
    assert not git_machine.venv.exists()


# Bad input ------------------------------------------------------------------------


def nothing_there(machine, upstream):
    return "nonsense", ["ZHUSUAN=nonsense: ", "does not exist; take real, builtin"]


def no_repository(machine, upstream):
    shutil.rmtree(str(upstream / ".git"))
    return str(upstream), [f"{upstream} is not a git repository"]


def a_file(machine, upstream):
    return str(upstream / "name"), ["is not a git repository"]


def a_broken_repository(machine, upstream):
    (upstream / ".git" / "HEAD").unlink()
    return str(upstream), ["it is not a git repository; take ZHUSUAN="]


def another_project(machine, upstream):
    other = machine.home / "other"
    repository(other, "other-1.0")
    missing = f"it does not have commit {commit_of(upstream)}"
    return str(other), [str(other), missing]


def branches_without_the_commit(machine, upstream):
    other = machine.home / "other"
    repository(other, "other-1.0")
    (machine.home / ".gitconfig").write_text("[protocol]\n  version = 0\n")
    return str(other), [f"it does not have commit {commit_of(upstream)}"]


def no_git(machine, upstream):
    (machine.path / "git").unlink()
    return str(upstream), ["there is no git on PATH; take ZHUSUAN="]


def out_of_reach(machine, upstream):
    return "real", [URL, "; take ZHUSUAN=/path/to/git/checkout of"]


def a_url_out_of_reach(machine, upstream):
    return URL + "/elsewhere", [URL + "/elsewhere: "]


BAD = [
    nothing_there,
    no_repository,
    a_file,
    a_broken_repository,
    another_project,
    branches_without_the_commit,
    no_git,
    out_of_reach,
    a_url_out_of_reach,
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_bad_input_is_one_line_and_the_environment_is_as_it_was(
    git_machine, upstream, within_reach, tmp_path, bad
):
    asked, words = bad(git_machine, upstream)
    assert_error(git_machine.set_up(ZHUSUAN=asked), *words)
    assert not git_machine.venv.exists()  # a missing one is not made
    if upstream.exists() and (git_machine.path / "git").exists():
        copy = tmp_path / "sound"
        (commit,) = repository(copy, "zhusuan-0.4.0")
        git_machine.pin(commit)
        assert git_machine.set_up(ZHUSUAN=str(copy))[0] == 0
    else:
        assert git_machine.set_up(ZHUSUAN="builtin")[0] == 0
    before = git_machine.files()
    git_machine.log()
    assert_error(git_machine.set_up(ZHUSUAN=asked))
    assert git_machine.files() == before
    assert not any(line.startswith(("pip", "venv")) for line in git_machine.log())
    change_lock(git_machine)  # the next set-up makes it anew, but this one does not
    before = git_machine.files()
    assert_error(git_machine.set_up("--extra", "offline", ZHUSUAN=asked))
    assert git_machine.files() == before


@pytest.mark.parametrize("name", ["zhusuan-0.3.1", "zhusuan-0.41", "other-0.4.0"])
def test_a_wheel_of_another_name_or_version_is_not_installed(
    git_machine, tmp_path, name
):
    (commit,) = repository(tmp_path / "up", name)
    git_machine.pin(commit)
    git_machine.set_up(ZHUSUAN="builtin")
    before = git_machine.files()
    result = git_machine.set_up(ZHUSUAN=str(tmp_path / "up"))
    assert_error(result, f"it is not ZhuSuan 0.4, but {name}-py3")
    assert git_machine.files() == before


def test_a_build_that_fails_leaves_the_environment_as_it_was(ready, upstream):
    before = ready.files()
    result = ready.set_up(ZHUSUAN=str(upstream), PIP_FAILS="wheel")
    assert_error(result, "no wheel; ", "setup.log")
    assert ready.files() == before


# Interrupted ----------------------------------------------------------------------


def test_the_stamp_of_an_interrupted_installation_claims_nothing(ready, upstream):
    assert ready.set_up(ZHUSUAN=str(upstream), PIP_FAILS="middle")[0] == 2
    assert held(ready) == {"asked": str(upstream)}
    assert ready.set_up()[::2] == (0, "")
    assert held(ready) == from_path(upstream)


@pytest.mark.parametrize("choice", ["", "builtin"])
def test_an_interrupted_removal_is_done_again(ready, upstream, choice):
    ready.set_up(ZHUSUAN=str(upstream))
    assert ready.set_up(ZHUSUAN="builtin", PIP_FAILS="uninstall")[0] == 2
    assert held(ready) == {"asked": "builtin"}
    assert "remove" in ready.set_up(ZHUSUAN=choice)[1]
    assert held(ready) == REMOVED
