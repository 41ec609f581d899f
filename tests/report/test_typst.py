"""The typesetter: its module or its command, and its errors on one line."""

import stat

import pytest

from cvae.errors import CvaeError
from cvae.report import typst


def test_an_error_of_typst_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    broken = tmp_path / "source" / "broken.typ"
    broken.write_text("= Fine\n\n#unheard-of()\n")
    monkeypatch.setattr(typst, "SOURCE", broken)
    with pytest.raises(CvaeError) as caught:
        typst.typeset(tmp_path)
    assert str(caught.value) == (
        "typst cannot typeset the report: unknown variable: unheard-of "
        "(broken.typ line 3)"
    )


def test_without_the_source_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(typst, "SOURCE", tmp_path / "none.typ")
    with pytest.raises(CvaeError, match="^cannot read .*none.typ.* clone .*$"):
        typst.typeset(tmp_path)


def fake_command(folder, monkeypatch, script):
    """Put a command typst on an otherwise empty PATH, and hide the module."""
    folder.mkdir()
    command = folder / "typst"
    command.write_text(f"#!/bin/sh\n{script}")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setattr(typst, "_module", lambda: None)


def test_the_command_is_used_where_the_module_is_not_installed(tmp_path, monkeypatch):
    fake_command(tmp_path / "bin", monkeypatch, 'echo "$@" >&2; cp "$4" "$5"\n')
    typst.check()
    assert typst.typeset(tmp_path) == typst.SOURCE.read_bytes()


def test_the_command_gives_the_pages_in_order_and_the_text(tmp_path, monkeypatch):
    """From ten pages on, typst writes their numbers with as many digits."""
    script = """
case $1 in
  compile) for n in 02 10 01; do echo $n >"${5%\\{0p\\}.svg}$n.svg"; done;;
  query) echo "[\\"$5 $6 $7 $8\\"]";;
esac
"""
    fake_command(tmp_path / "bin", monkeypatch, script)
    assert typst.pages(tmp_path) == ["01\n", "02\n", "10\n"]
    assert typst.query(tmp_path, "<x>") == ["<x> --field value --one"]


def test_an_error_of_the_command_is_one_line(tmp_path, monkeypatch):
    error = "printf 'error: no such font\\n  at /x/report.typ:7:2\\n' >&2; exit 1"
    fake_command(tmp_path / "bin", monkeypatch, error)
    with pytest.raises(CvaeError) as caught:
        typst.typeset(tmp_path)
    assert str(caught.value) == (
        "typst cannot typeset the report: no such font (report.typ line 7)"
    )


def test_without_typst_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(typst, "_module", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CvaeError, match="^there is no typst .*pip install.*$"):
        typst.check()
