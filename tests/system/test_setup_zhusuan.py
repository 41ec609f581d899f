"""scripts/setup_env.py and ZhuSuan: what is installed, from where, and what if not.

The interpreters are fake, the git repositories are real, with a file for a project.
"""

import json
import shutil

import pytest
from machine import GIT, URL, fake_python, git, repository

pytestmark = pytest.mark.skipif(not GIT, reason="there is no git on PATH")

REMOVED = {"asked": "builtin", "installed": None, "commit": None}
FELL_BACK = {"asked": "real", "installed": None, "commit": None}


@pytest.fixture
def machine(machine):
    with machine.with_git():
        yield machine


@pytest.fixture
def ready(machine):
    """The machine with a finished environment, which fell back on cvae.zs."""
    assert machine.set_up()[0] == 0
    machine.log()
    return machine


@pytest.fixture
def upstream(machine, tmp_path):
    """A repository with the pinned commit, which is not its newest."""
    return machine.pin_new_repository(tmp_path / "up stream")


@pytest.fixture
def within_reach(machine, upstream):
    """Environment variables with which git finds `upstream` where GitHub would be."""
    config = machine.home / "config"
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
    assert err.startswith("note: cannot install ZhuSuan 0.4.0 from "), err
    assert err.count("\n") == 1 and "cvae.zs stands in" in err
    for word in ("ZHUSUAN=/path/to/git/checkout make env", *words):
        assert word in err


# Without a choice -----------------------------------------------------------------


def test_the_real_one_is_installed_where_it_is_within_reach(
    machine, upstream, within_reach
):
    status, out, err = machine.set_up(**within_reach)
    assert (status, err) == (0, "")
    assert f"fetching ZhuSuan 0.4.0 from {URL} ..." in out
    assert held(machine) == dict(from_path(upstream), asked="real")
    assert_silent(machine)
    assert_silent(machine, ZHUSUAN="real")


def test_out_of_reach_it_is_one_note_and_not_tried_again(machine):
    assert_note(machine.set_up(), URL, "`ZHUSUAN=real make env` to try again")
    assert held(machine) == FELL_BACK
    assert_silent(machine)


def test_without_git_it_is_one_note(machine):
    (machine.path / "git").unlink()
    assert_note(machine.set_up(), "there is no git on PATH")
    assert_silent(machine)


def test_a_build_that_fails_is_one_note(machine, within_reach):
    result = machine.set_up(PIP_FAILS="wheel", **within_reach)
    assert_note(result, "the command failed with status 1")
    assert held(machine) == FELL_BACK
    assert_silent(machine)


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
    installing = "  ZhuSuan 0.4.0 from {} ... 0 s\n"
    for choice, line in (
        ("real", installing.format(URL)),
        ("builtin", "  removing ZhuSuan 0.4.0, as ZHUSUAN=builtin asks ... 0 s\n"),
        (str(upstream), installing.format(upstream)),
        ("real", installing.format(URL)),
    ):
        result = ready.set_up(ZHUSUAN=choice, **within_reach)
        assert result == (0, line, "")
        is_real = choice != "builtin"
        entry = from_path(upstream) if is_real else REMOVED
        assert held(ready) == dict(entry, asked=choice)
        assert_silent(ready, ZHUSUAN=choice)
        assert_silent(ready)  # and stays until another one is asked for
    assert (ready.venv / "pyvenv.cfg").stat() == made


def test_builtin_installs_nothing_and_needs_no_git(machine):
    (machine.path / "git").unlink()
    status, out, err = machine.set_up("--zhusuan", "builtin")
    assert (status, err) == (0, "") and "ZhuSuan" not in out
    assert held(machine) == REMOVED


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
        assert "requirements.txt has changed" in out and (status, err) == (0, "")
        assert held(ready) == before
    shutil.rmtree(str(upstream))
    change_lock(ready)
    again = f"`ZHUSUAN={upstream} make env` to try again"
    assert_note(ready.set_up(), "it is not a git repository", again)
    assert held(ready) == dict(FELL_BACK, asked=str(upstream))


# Today's TensorFlow ---------------------------------------------------------------


@pytest.mark.parametrize("environ", [{}, {"STACK": "current"}])
def test_todays_tensorflow_has_cvae_zs_and_says_nothing_of_it(machine, environ):
    if not environ:
        (machine.path / "python3.7").unlink()
    fake_python(machine.path / "python3.12", "3.12.1")
    for choice in ("", "builtin"):
        status, out, err = machine.set_up(ZHUSUAN=choice, **environ)
        assert (status, err) == (0, "") and "ZhuSuan" not in out
    assert "installed" not in held(machine)
    before = machine.files()
    for choice in ("real", str(machine.home), URL):
        (machine.home / "objects").mkdir(exist_ok=True)
        result = machine.set_up(ZHUSUAN=choice, **environ)
        assert_error(result, "runs on TensorFlow 1.15 only; take STACK=1.15")
        assert machine.files() == before
    assert not any(line.startswith("git") for line in machine.log())


def test_what_only_1_15_can_have_makes_no_environment_of_another_stack(machine):
    (machine.path / "python3.7").unlink()
    fake_python(machine.path / "python3.12", "3.12.1")
    assert_error(machine.set_up(ZHUSUAN="real"), "take STACK=1.15")
    assert not machine.venv.exists()


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
    machine, upstream, within_reach, tmp_path, bad
):
    asked, words = bad(machine, upstream)
    assert_error(machine.set_up(ZHUSUAN=asked), *words)
    assert not machine.venv.exists()  # a missing one is not made
    if upstream.exists() and (machine.path / "git").exists():
        copy = tmp_path / "sound"
        (commit,) = repository(copy, "zhusuan-0.4.0")
        machine.pin(commit)
        assert machine.set_up(ZHUSUAN=str(copy))[0] == 0
    else:
        assert machine.set_up(ZHUSUAN="builtin")[0] == 0
    before = machine.files()
    machine.log()
    assert_error(machine.set_up(ZHUSUAN=asked))
    assert machine.files() == before
    assert not any(line.startswith(("pip", "venv")) for line in machine.log())
    change_lock(machine)  # the next set-up makes it anew, but this one does not
    before = machine.files()
    assert_error(machine.set_up("--extra", "offline", ZHUSUAN=asked))
    assert machine.files() == before


@pytest.mark.parametrize("name", ["zhusuan-0.3.1", "zhusuan-0.41", "other-0.4.0"])
def test_a_wheel_of_another_name_or_version_is_not_installed(machine, tmp_path, name):
    (commit,) = repository(tmp_path / "up", name)
    machine.pin(commit)
    machine.set_up(ZHUSUAN="builtin")
    before = machine.files()
    result = machine.set_up(ZHUSUAN=str(tmp_path / "up"))
    assert_error(result, f"it is not ZhuSuan 0.4, but {name}-py3")
    assert machine.files() == before


def test_a_build_that_fails_leaves_the_environment_as_it_was(ready, upstream):
    before = ready.files()
    result = ready.set_up(ZHUSUAN=str(upstream), PIP_FAILS="wheel")
    assert_error(result, "failed with status 1", "setup.log")
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
    assert "removing" in ready.set_up(ZHUSUAN=choice)[1]
    assert held(ready) == REMOVED
