"""Files appear whole or not at all."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from cvae.errors import CvaeError, suggest
from cvae.storage import files


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"old": 1}')
    return path


def _refuse(number):
    def refuse(*unused, **unused_too):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [1, 13, 28, 30])  # EPERM, EACCES, ENOSPC, EROFS
@pytest.mark.parametrize(
    "where", [(os, "replace"), (os, "fsync"), (tempfile, "mkstemp")]
)
def test_a_refusal_at_any_moment_is_one_line_and_leaves_the_old_file(
    old, monkeypatch, where, number
):
    monkeypatch.setattr(*where, _refuse(number))
    with pytest.raises(CvaeError) as error:
        files.write_json(old, {"new": 2})
    assert str(old) in str(error.value) and os.strerror(number) in str(error.value)
    assert "\n" not in str(error.value)
    assert old.read_text() == '{"old": 1}'
    assert [p.name for p in old.parent.iterdir()] == [old.name]


def test_an_error_in_the_body_leaves_the_old_file_and_no_scratch(old):
    with pytest.raises(ZeroDivisionError):
        with files.whole_file(old) as scratch:
            scratch.write_text("half")
            raise ZeroDivisionError
    assert old.read_text() == '{"old": 1}'
    assert [p.name for p in old.parent.iterdir()] == [old.name]


def test_a_written_file_has_the_content_and_the_usual_mode(tmp_path):
    path = tmp_path / "new" / "file"
    files.write_bytes(path, b"bytes")
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.read_bytes() == b"bytes"
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00", "nul"])
def test_what_is_no_json_object_is_one_line_that_names_the_file(tmp_path, text):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(CvaeError) as error:
        files.read_json(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_one_line_that_names_it(tmp_path):
    with pytest.raises(CvaeError, match="no.json: No such file"):
        files.read_json(tmp_path / "no.json")


def test_the_nearest_name_is_suggested_only_when_there_is_one():
    assert suggest("swich", ["swish", "relu"]).startswith("did you mean 'swish'?")
    assert suggest("zzz", ["swish", "relu"]) == "choose from swish, relu"


@pytest.mark.parametrize("kind", ["pipe", "directory", "device"])
def test_what_is_no_regular_file_is_never_replaced(tmp_path, monkeypatch, kind):
    path = tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(str(path))
    elif kind == "directory":
        path.mkdir()
    else:
        path = Path("/dev/null")
        monkeypatch.setattr(os, "replace", _refuse(13))  # should the check be gone
        monkeypatch.setattr(tempfile, "mkstemp", _refuse(13))
    mode = path.stat().st_mode
    with pytest.raises(CvaeError, match="not a regular file"):
        files.write_bytes(path, b"new")
    assert path.stat().st_mode == mode


def test_a_place_to_write_to_is_tried_before_the_work_and_left_as_it_was(tmp_path):
    files.check_place(tmp_path / "not" / "yet")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "x", "/proc/x", "/dev/full"):
        with pytest.raises(CvaeError, match=f"cannot write to {place}"):
            files.check_place(place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 10**6 + b"}",
        b'{"a": ' + b"9" * 21 + b"}",
        b"[" * 10**6,
        b'{"a": "\xff"}',
        b" " * (files.MAX_JSON + 1),
    ],
)
def test_json_that_would_cost_or_mislead_is_refused_at_once(tmp_path, data):
    path = tmp_path / "file.json"
    path.write_bytes(data)
    began = time.thread_time()
    with pytest.raises(CvaeError, match="is damaged") as error:
        files.read_json(path)
    assert time.thread_time() - began < 1.0
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
