"""report.html: the PDF's words, numbers and figures, in a file that needs no other."""

import re
from html.parser import HTMLParser

import pytest
import standin
from standin import reader, typeset, words
from test_other_data import found_of
from test_pages import LONG

from cvae.report import document, figures

pytestmark = pytest.mark.once

VOID = {"meta"}
KINDS = {"digits": lambda: LONG, "names": lambda: found_of("odd")}


class Read(HTMLParser):
    """What is in a page, as Python's own parser reads it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.styles = [], [], [], []
        self.texts = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture(scope="module", params=KINDS)
def made(tmp_path_factory, request):
    """A report: (results.json, PDF, HTML, what is in it)."""
    found = KINDS[request.param]()
    folder = tmp_path_factory.mktemp("report")
    standin.draw(folder / "figures", "", figures.names_of(found["evaluation"]))
    pdf = typeset(folder, found)
    html = document.FORMS["html"](folder, found).decode("utf-8")
    return found, pdf, html, Read(html)


def _titles(outline):
    for entry in outline:
        yield from _titles(entry) if isinstance(entry, list) else [entry.title]


def test_the_contents_are_the_pdfs_and_lead_to_the_sections(made):
    _, pdf, _, page = made
    titles = [t.replace("'", "\u2019") for t in _titles(reader(pdf).outline)]
    listed = [re.sub(r"^[\d.]+ ", "", text) for text in page.texts["a"]]
    assert listed == titles and len(titles) > 10
    targets = [a["href"] for tag, a in page.tags if tag == "a"]
    sections = [f"#{a['id']}" for tag, a in page.tags if tag == "section"]
    assert targets == sections[1:]
    heads = page.texts["h2"] + page.texts["h3"]
    assert sorted(text for text in heads if text.strip()) == sorted(page.texts["a"])


def test_every_section_has_a_drawing_and_every_figure_is_in_it(made):
    found, _, _, page = made
    drawings = [a for tag, a in page.tags if tag == "svg" and "viewbox" in a]
    assert len(drawings) == len([tag for tag, _ in page.tags if tag == "section"])
    images = [a["href"] for tag, a in page.tags if tag == "image"]
    assert len(images) == len(figures.names_of(found["evaluation"]))
    assert all(image.startswith("data:image/svg+xml;base64,") for image in images)


def test_the_file_needs_no_other_and_every_glyph_is_there_once(made):
    _, _, html, page = made
    ids = [a["id"] for _, a in page.tags if "id" in a and a["id"] != "glyph"]
    assert len(set(ids)) == len(ids)
    used = {a["href"][1:] for tag, a in page.tags if tag == "use"}
    assert used == {name for name in ids if name.startswith("g")} and len(used) > 100
    places = [a.get("href", a.get("src", "")) for _, a in page.tags]
    assert {place.partition(":")[0] for place in places if place[:1] != "#"} <= {
        "",
        "data",
    }
    assert not re.search(r"<script|url\(|@import", html)
    assert len(html) < 5 << 20


def test_its_text_has_every_number_cell_and_reference_of_the_pdf(made):
    found, pdf, _, page = made
    text = standin.Words(" ".join(page.texts["p"]).replace("\u200b", ""))
    printed = standin.Words(words(pdf).lines.replace("\u200b", ""))
    tables = found["text"]["tables"]
    parts = [*found["text"]["numbers"].values(), found["text"]["title"]]
    parts += [cell for row in tables["classes"].values() for cell in row]
    parts += [value for _, value, _ in tables["settings"]]
    for part in parts:
        part = part.replace("\u200b", "")
        assert part not in printed or part in text, part
    # The numbers of lines follow some references to sections, of which there are few.
    forms = [rf"{kind}(\d+)" for kind in ("Figure", "Table", "Algorithm")]
    for form in (*forms, r"Eq\.\((\d+)\)", r"Section(\d)"):
        numbers = [set(re.findall(form, t.letters)) for t in (printed, text)]
        assert numbers[0] == numbers[1] and numbers[0], form


def test_drawings_are_typsts_but_for_what_has_no_effect(made, tmp_path):
    from cvae.report.page import _share_glyphs

    drawing = (
        '<svg class="typst-doc" viewBox="0 0 9.12345 9" width="9pt" xmlns="x">\n'
        '  <g transform="translate(1.23456 -0.00001)">\n'
        '   <use xlink:href="#gAB" x="0" fill="#000000" fill-rule="nonzero"/>\n'
        '   <use xlink:href="#gCD" fill="#0072b2"/></g>\n'
        '  <defs id="glyph"><symbol id="gAB"><path d="M 1.5 2.56789"/></symbol>\n'
        '  <symbol id="gCD"><path d="M 0"/></symbol></defs></svg>'
    )
    glyphs, (one, other) = _share_glyphs([drawing, drawing])
    assert (
        one
        == other
        == (
            '<svg viewBox="0 0 9.12 9" aria-hidden="true">'
            '<g transform="translate(1.23 0)"><use href="#g0" x="0"/>'
            '<use href="#g1" fill="#0072b2"/></g></svg>'
        )
    )
    assert glyphs == (
        '<symbol id="g0"><path d="M 1.5 2.57"/></symbol>'
        '<symbol id="g1"><path d="M 0"/></symbol>'
    )
