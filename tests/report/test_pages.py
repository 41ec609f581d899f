"""The report's pages, figures and references, and typst's failures on one line."""

import re
import stat

import pytest
import standin
from standin import NOTE, SOURCES, reader, typeset, words

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.report import document, figures

WORDY = dict(
    network="conv",
    film=True,
    optimizer="muon",
    warmup=500,
    weight_decay=0.05,
    iwae_share=0.2,
)
KINDS = {
    "with AIS": {"ais": standin.annealed()},
    "without": {},
    "wordy": {"ais": standin.annealed(), "config": Config(**WORDY)},
}


@pytest.fixture(scope="module", params=KINDS)
def text(drawn, request):
    return words(typeset(drawn, standin.results(**KINDS[request.param])))


# The pages


@pytest.mark.parametrize("ais", [{}, {"ais": standin.annealed()}])
@pytest.mark.parametrize("settings", [{}, WORDY])
@pytest.mark.parametrize("note", ["", NOTE])
def test_the_report_is_four_to_ten_pages_of_a4(tmp_path, note, settings, ais):
    standin.draw(tmp_path / "figures", note)
    dataset = "mnist-5k" if note else "mnist"
    config = Config(dataset=dataset, epochs=70.0, **settings)
    pdf = typeset(tmp_path, standin.results(config=config, note=note, **ais))
    pages = reader(pdf).pages
    assert 4 <= len(pages) <= 10
    assert document.page_count(pdf) == len(pages)
    for page in pages:
        size = float(page.mediabox.width), float(page.mediabox.height)
        assert size == pytest.approx((595.28, 841.89), abs=0.1)


@pytest.mark.parametrize("note", ["", NOTE])
def test_the_first_page_has_the_note_if_there_is_one(drawn, note):
    first = words(typeset(drawn, standin.results(note=note)), slice(1))
    assert (NOTE in first) == bool(note)
    assert ("Please note" in first) == bool(note)


def test_every_figure_table_and_equation_is_captioned_and_found(text):
    """A number is in the caption, and at least once in the text."""
    for kind, last in (("Figure", 9), ("Table", 5)):
        for n in range(1, last + 1):
            assert f"{kind} {n}." in text
            assert text.count(f"{kind} {n}") >= 2
        assert f"{kind} {last + 1}" not in text
    for n in range(1, 17):
        assert f"({n})" in text
    assert "??" not in text


def test_every_picture_of_a_run_is_in_the_report_once(text):
    named = re.findall(r'picture\("(\w+)"', "\n".join(SOURCES))
    assert sorted(named) == sorted(figures.NAMES) == sorted(standin.SIZES)
    for name in figures.NAMES:
        assert name in text  # the stand-ins are titled so


def test_each_work_that_is_cited_is_listed_and_the_other_way_round(text):
    body, _, listed = text.letters.rpartition("References")
    works = re.findall(r'\("(.+?), (\d{4})", \[([^_\]]+)', "\n".join(SOURCES))
    assert len(works) >= 16
    n_cited = 0
    for authors, year, reference in works:
        squeezed = re.escape(re.sub(r"\s", "", authors))
        cited = re.search(squeezed + r",?\(?" + year, body) is not None
        assert (re.sub(r"[\s-]", "", reference) in listed) == cited, authors
        n_cited += cited
    assert n_cited >= 14


def test_the_pdf_has_a_title_and_the_report_only_its_own_fonts(drawn):
    found = reader(typeset(drawn, standin.results()))
    title = "A Class-Conditional Variational Autoencoder for MNIST"
    assert found.metadata.title == title
    fonts = set()
    for page in found.pages:
        resources = page["/Resources"]
        fonts |= {f["/BaseFont"] for f in resources.get("/Font", {}).values()}
    assert fonts
    assert all(re.search("NewCM|DejaVuSansMono", font) for font in fonts)


# Typesetting


def test_the_same_results_give_the_same_bytes_in_any_folder(drawn, tmp_path):
    standin.draw(tmp_path / "elsewhere" / "figures")
    elsewhere = typeset(tmp_path / "elsewhere", standin.results())
    assert elsewhere == typeset(drawn, standin.results())


def test_what_typst_complains_of_is_one_line(drawn, tmp_path, monkeypatch):
    (tmp_path / "broken.typ").write_text("= Fine\n\n#unheard-of()\n")
    monkeypatch.setattr(document, "SOURCE", tmp_path / "broken.typ")
    with pytest.raises(CvaeError) as caught:
        typeset(drawn, standin.results())
    assert str(caught.value) == (
        "typst cannot typeset the report: unknown variable: unheard-of "
        "(broken.typ line 3)"
    )


def test_without_the_source_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "SOURCE", tmp_path / "none.typ")
    with pytest.raises(CvaeError, match="^cannot read .*none.typ.* clone .*$"):
        document.typeset(tmp_path)


def fake_typst(folder, monkeypatch, script):
    """Put a command typst on an otherwise empty PATH, and take the binding away."""
    folder.mkdir()
    command = folder / "typst"
    command.write_text("#!/bin/sh\n" + script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setattr(document, "_binding", lambda: None)


def test_the_command_typst_is_used_where_there_is_no_binding(tmp_path, monkeypatch):
    fake_typst(tmp_path / "bin", monkeypatch, 'echo "$@" >&2; cp "$4" "$5"\n')
    document.check_typesetter()
    assert document.typeset(tmp_path) == document.SOURCE.read_bytes()


def test_what_the_command_typst_complains_of_is_one_line(tmp_path, monkeypatch):
    complaint = "printf 'error: no such font\\n  at /x/report.typ:7:2\\n' >&2; exit 1"
    fake_typst(tmp_path / "bin", monkeypatch, complaint)
    with pytest.raises(CvaeError) as caught:
        document.typeset(tmp_path)
    assert str(caught.value) == (
        "typst cannot typeset the report: no such font (report.typ line 7)"
    )


def test_without_typst_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "_binding", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CvaeError, match="^there is no typst .*pip install.*$"):
        document.check_typesetter()
