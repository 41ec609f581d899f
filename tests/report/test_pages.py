"""The report's pages, figures and references, read back from two invented reports."""

import re

import pytest
import standin
from standin import NOTE, SOURCES, reader, results, typeset, words

from cvae.config import Config
from cvae.report import figures, typst

LONG = results(
    config=Config(
        network="conv",
        film=True,
        optimizer="muon",
        warmup=500,
        weight_decay=0.05,
        iwae_share=0.2,
    ),
    **standin.checks(),
)
NOTED = results(config=Config(dataset="mnist-5k", epochs=70.0), note=NOTE)
KINDS = {"long": (LONG, ""), "noted": (NOTED, NOTE)}


@pytest.fixture(scope="module", params=KINDS)
def report(tmp_path_factory, request):
    """A report: (results.json, PDF, its words)."""
    found, note = KINDS[request.param]
    folder = tmp_path_factory.mktemp("report")
    standin.draw(folder / "figures", note, figures.names_of(found["evaluation"]))
    pdf = typeset(folder, found)
    return found, pdf, words(pdf)


def test_the_report_is_four_to_ten_pages_of_a4(report):
    _, pdf, _ = report
    pages = reader(pdf).pages
    assert 4 <= len(pages) <= 10
    assert typst.page_count(pdf) == len(pages)
    for page in pages:
        size = float(page.mediabox.width), float(page.mediabox.height)
        assert size == pytest.approx((595.28, 841.89), abs=0.1)


def test_the_first_page_has_the_note_if_there_is_one(report):
    found, pdf, _ = report
    first = words(pdf, slice(1))
    assert ("Please note" in first) == bool(found["note"])
    assert found["note"] in first


def test_every_number_and_cell_is_printed(report):
    found, _, text = report
    tables = found["text"]["tables"]
    printed = list(found["text"]["numbers"].values())
    printed += [cell for row in tables["classes"].values() for cell in row]
    for name, value, help in tables["settings"]:
        printed.append(name + value + help.replace("`", "").replace("'", "\u2019"))
    rows = [*tables["ours"].values(), *sum(tables["published"].values(), [])]
    printed += [row[key] for row in rows for key in ("model", "value", "differs")]
    assert not [part for part in printed if part not in text]


def test_every_sentence_is_printed_but_where_a_page_ends(report):
    found, pdf, text = report
    markup = r"\*|\$.*?\$|@[\w-]+|#[\w-]+\(.*?\)"
    parts = []
    for sentence in found["text"]["sentences"].values():
        for plain in re.sub(markup, "\n", sentence).split("\n"):
            found_words = plain.replace("'", "\u2019").split()
            parts += [found_words[n : n + 5] for n in range(0, len(found_words), 5)]
    lacking = [part for part in parts if " ".join(part) not in text]
    assert len(parts) > 100 and len(lacking) < len(reader(pdf).pages), lacking


def test_every_figure_table_and_equation_is_captioned_and_found(report):
    """A number is in the caption, and at least once in the text."""
    found, _, text = report
    is_checked = "sandwich" in found["evaluation"]
    for kind, last in (("Figure", 10 if is_checked else 9), ("Table", 5)):
        for n in range(1, last + 1):
            assert f"{kind} {n}." in text
            assert text.count(f"{kind} {n}") >= 2
        assert f"{kind} {last + 1}" not in text
    for n in range(1, 19 if is_checked else 18):
        assert f"({n})" in text
    assert "??" not in text


def test_every_figure_of_a_run_is_in_the_report_once(report):
    found, _, text = report
    named = re.findall(r'picture\("(\w+)"', "\n".join(SOURCES))
    assert sorted(named) == sorted(figures.NAMES) == sorted(standin.SIZES)
    drawn = figures.names_of(found["evaluation"])
    assert set(figures.NAMES) - set(drawn) <= {"sandwich"}
    for name in drawn:
        assert name in text  # the stand-ins are titled so


def test_each_work_that_is_cited_is_listed_and_the_other_way_round(report):
    _, _, text = report
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


def test_the_sandwich_is_in_the_report_if_it_was_made(report):
    found, _, text = report
    has_sandwich = "sandwich" in found["evaluation"]
    assert ("From above." in text) == ("Murray" in text) == has_sandwich
    assert ("were not checked" in text) != has_sandwich


def test_the_pdf_has_a_title_and_only_the_reports_own_fonts(report):
    found = reader(report[1])
    title = "A Class-Conditional Variational Autoencoder for MNIST"
    assert found.metadata.title == title
    fonts = set()
    for page in found.pages:
        resources = page["/Resources"]
        fonts |= {f["/BaseFont"] for f in resources.get("/Font", {}).values()}
    assert fonts
    assert all(re.search("NewCM|DejaVuSansMono", font) for font in fonts)
