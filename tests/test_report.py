"""The report's text follows from results.json, and typst's failures are one line."""

import dataclasses
import io
import re
import stat

import numpy as np
import pypdf
import pytest
from typesetting import typesets

from cvae import figures, files, report
from cvae.config import Config
from cvae.errors import CvaeError

NOTE = "Not the full MNIST: 4,000 training and 1,000 held-out test images."
ROOT = report.SOURCE.parent.parent


def estimate(mean, stderr, **more):
    return dict(mean=mean, stderr=stderr, **more)


def evaluation(**changes):
    """evaluation.json as scripts/evaluate.py writes it."""
    per_class = [
        {
            "class": c,
            "n": 980 + c,
            "bound": -80.0 - 3.1 * ((7 * c + 3) % 10),
            "reconstruction": -55.0 - 3.0 * ((7 * c + 3) % 10),
            "kl": 25.0 + 0.1 * c,
            "log_likelihood": -78.0 - 3.1 * ((7 * c + 3) % 10),
        }
        for c in range(10)
    ]
    return dict(
        {
            "dataset": "mnist",
            "note": "",
            "step": 16407,
            "n_images": 10000,
            "bits_seed": 20210501,
            "bound": estimate(-85.0312, 0.2134),
            "reconstruction": estimate(-60.4119, 0.1907),
            "kl": estimate(24.6114, 0.0512),
            "kl_sampled": estimate(24.6193, 0.0603),
            "train_bound": estimate(-81.7036, 0.2098, n_images=10000),
            "log_likelihood": estimate(-82.3718, 0.2088, particles=1000),
            "per_class": per_class,
        },
        **changes,
    )


def standin(config=None, note="", **changes):
    """results.json of a run that never was."""
    config = config or Config(epochs=70.0)
    values = config.to_dict()
    settings = [
        {"name": f.name, "value": values[f.name], "help": f.metadata["help"]}
        for f in dataclasses.fields(config)
    ]
    return {
        "config": values,
        "settings": settings,
        "evaluation": evaluation(note=note, **changes),
        "last": {"step": 16407, "epoch": 70.0032, "seconds": 581.3},
        "n_train": 60000,
        "n_test": 10000,
        "parameters": {"generator": 862384, "variational": 885680},
        "per_class": 10,
        "versions": {
            "python": "3.7.16",
            "tensorflow": "1.15.0",
            "numpy": "1.18.5",
            "zhusuan": "cvae.zs",
            "cvae": "1.0.0",
        },
        "note": note,
    }


def draw(folder, note=""):
    """The four figures, as large as those of a real report."""
    x = np.random.RandomState(0).uniform(size=(10, 10, 784)) ** 9
    figures.sample_grid(folder / "samples.svg", x, range(10), note)
    figures.sample_grid(folder / "same_style.svg", x, range(10), note)
    figures.reconstruction_grid(folder / "reconstructions.svg", x, x, range(10), note)
    row = {"epoch": 1.0, "seconds": 8.0, "train_bound": -99.0, "test_bound": -98.0}
    figures.curves(folder / "curves.svg", [row], note)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    draw(folder / "figures")
    return folder


def typeset(folder, results):
    files.write_json(folder / "results.json", results)
    return report.typeset(folder)


def reader(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


class Words:
    """A text in which a phrase is found however spaces and hyphens fall.

    A PDF has no spaces, only distances, and pypdf takes kerning for some of them.
    """

    def __init__(self, text):
        self.letters = re.sub(r"[\s-]", "", text)

    def __contains__(self, phrase):
        return self.count(phrase) > 0

    def count(self, phrase):
        return self.letters.count(Words(phrase).letters)


def words(pdf, pages=slice(None)):
    found = [page.extract_text() for page in reader(pdf).pages[pages]]
    return Words(" ".join(re.sub(r"\s\d+\s*$", "", text) for text in found))


@pytest.fixture(scope="module")
def text(drawn):
    return words(typeset(drawn, standin()))


# The text


@typesets
@pytest.mark.parametrize(
    "number",
    [
        "\u221285.03 \u00b1 0.21",  # the test bound
        "\u221282.37 \u00b1 0.21",  # log p(x|y)
        "\u221281.70 \u00b1 0.21",  # the bound on training images
        "1,000 particles",
        "24.61",
        "24.62",
        "\u221260.41",
        "60,000 training images",
        "16,407 steps in 9.7 minutes",
        "70.0 passes",
        "862,384 and 885,680 weights",
        "3.33 \u00b1 0.30",  # generalization gap, its errors added in quadrature
        "2.66 nats above the bound",
        "0.077 nats a pixel",
        "\u22122.303",  # log 1/10
    ],
)
def test_the_text_has_the_numbers_of_the_results(text, number):
    assert number in text


@typesets
def test_the_table_of_classes_has_every_class(text):
    for row in evaluation()["per_class"]:
        for key in ("bound", "reconstruction", "kl", "log_likelihood"):
            assert "{:.1f}".format(row[key]).replace("-", "\u2212") in text
    assert "The easiest class is the digit 1 (\u221280.00)" in text
    assert "the hardest the digit 8 (\u2212107.90)" in text


@typesets
def test_every_setting_is_in_the_table_with_its_value_and_meaning(drawn, text):
    config = Config(epochs=None, validate=True, learning_rate=3e-4, hidden=(50, 60, 70))
    for field in dataclasses.fields(Config):
        assert field.name in text
        assert field.metadata["help"].replace("`", "").replace("'", "\u2019") in text
    assert "batch_size 256 images in a step" in text
    changed = words(typeset(drawn, standin(config)))
    for row in (
        "hidden 50, 60, 70",
        "epochs none",
        "validate yes",
        "learning_rate 0.0003",
        "hidden layers of 50, 60 and 70 units",  # the encoder
        "hidden layers of 70, 60 and 50 units",  # the decoder
    ):
        assert row in changed


@typesets
def test_another_number_in_the_results_is_another_number_in_the_text(drawn, text):
    changed = words(typeset(drawn, standin(bound=estimate(-91.3761, 0.31))))
    assert "\u221291.38 \u00b1 0.31" in changed
    assert "\u221285.03" in text and "\u221285.03" not in changed


@typesets
@pytest.mark.parametrize(
    "train_mean, verdict",
    [(-81.7, 0), (-84.5, 1), (-85.6, 1), (-89.0, 2)],  # each with an error of 0.30
)
def test_the_verdict_on_overfitting_follows_from_the_numbers(
    drawn, train_mean, verdict
):
    train = estimate(train_mean, 0.21, n_images=10000)
    found = words(typeset(drawn, standin(train_bound=train)))
    verdicts = "nats says that", "no sign of overfitting", "easier ones, by 3.97"
    assert [said in found for said in verdicts] == [n == verdict for n in range(3)]


@typesets
def test_an_estimate_below_the_bound_is_not_called_a_gap(drawn):
    poor = estimate(-85.04, 0.21, particles=1)
    found = words(typeset(drawn, standin(log_likelihood=poor)))
    assert "does not rise above the bound" in found and "nats above" not in found


@typesets
def test_the_report_does_without_what_was_not_measured(drawn):
    results = standin()
    del results["evaluation"]["log_likelihood"], results["evaluation"]["train_bound"]
    for row in results["evaluation"]["per_class"]:
        del row["log_likelihood"]
    found = words(typeset(drawn, results))
    assert "importance sampling" not in found and "\u221285.03 \u00b1 0.21" in found


@typesets
def test_a_run_cut_short_by_its_time_says_so(drawn, text):
    results = standin()
    results["last"]["epoch"] = 41.5
    assert "70.0 passes that were asked for did not fit" in words(
        typeset(drawn, results)
    )
    assert "did not fit" not in text


def test_the_code_that_the_report_shows_is_the_code_that_ran():
    shown = re.findall(r"```py (.+?)```", report.SOURCE.read_text(encoding="utf-8"))
    assert len(shown) >= 9
    shipped = "".join(
        (ROOT / "cvae" / name).read_text(encoding="utf-8")
        for name in ("model.py", "trainer.py")
    )
    for line in shown:
        assert line in Words(shipped)


# The pages


@typesets
@pytest.mark.parametrize("note", ["", NOTE])
def test_the_report_is_four_to_six_pages_of_a4(tmp_path, note):
    draw(tmp_path / "figures", note)
    pdf = typeset(tmp_path, standin(note=note))
    pages = reader(pdf).pages
    assert 4 <= len(pages) <= 6
    assert report.page_count(pdf) == len(pages)
    for page in pages:
        size = float(page.mediabox.width), float(page.mediabox.height)
        assert size == pytest.approx((595.28, 841.89), abs=0.1)


@typesets
@pytest.mark.parametrize("note", ["", NOTE])
def test_the_first_page_has_the_note_if_there_is_one(drawn, note):
    first = words(typeset(drawn, standin(note=note)), slice(1))
    assert (NOTE in first) == bool(note)
    assert ("Please note" in first) == bool(note)


@typesets
def test_every_figure_table_and_section_is_captioned_and_found(text):
    for n in range(1, 4):
        assert "Figure {}.".format(n) in text
        assert text.count("Figure {}".format(n)) >= 2  # its caption and a reference
    for n in range(1, 5):
        assert "Table {}.".format(n) in text
        assert text.count("Table {}".format(n)) >= 2
    for n in range(1, 14):
        assert "({})".format(n) in text
    assert "??" not in text


@typesets
def test_each_work_that_is_cited_is_listed_and_the_other_way_round(text):
    body, _, listed = text.letters.rpartition("References")
    works = re.findall(r"\(\[(.+?), (\d{4})\]", report.SOURCE.read_text("utf-8"))
    assert len(works) >= 8
    for authors, year in works:
        squeezed = re.escape(re.sub(r"\s", "", authors))
        assert re.search(squeezed + r",?\(?" + year, body), authors
        assert authors.split()[0] in listed and year in listed


@typesets
def test_the_pdf_has_a_title_and_the_report_only_its_own_fonts(drawn):
    found = reader(typeset(drawn, standin()))
    assert (
        found.metadata.title == "A Class-Conditional Variational Autoencoder for MNIST"
    )
    fonts = set()
    for page in found.pages:
        resources = page["/Resources"]
        fonts |= {f["/BaseFont"] for f in resources.get("/Font", {}).values()}
    assert fonts
    assert all(re.search("NewCM|DejaVuSansMono", font) for font in fonts)


# Typesetting


@typesets
def test_the_same_results_give_the_same_bytes_in_any_folder(drawn, tmp_path):
    draw(tmp_path / "elsewhere" / "figures")
    assert typeset(tmp_path / "elsewhere", standin()) == typeset(drawn, standin())


@typesets
def test_what_typst_complains_of_is_one_line(drawn, tmp_path, monkeypatch):
    (tmp_path / "broken.typ").write_text("= Fine\n\n#unheard-of()\n")
    monkeypatch.setattr(report, "SOURCE", tmp_path / "broken.typ")
    with pytest.raises(CvaeError) as caught:
        typeset(drawn, standin())
    assert str(caught.value) == (
        "typst cannot typeset the report: unknown variable: unheard-of "
        "(broken.typ line 3)"
    )


def test_without_the_source_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SOURCE", tmp_path / "none.typ")
    with pytest.raises(CvaeError, match="^cannot read .*none.typ.* clone .*$"):
        report.typeset(tmp_path)


def fake_typst(folder, monkeypatch, script):
    """Put a command typst on an otherwise empty PATH, and take the binding away."""
    folder.mkdir()
    command = folder / "typst"
    command.write_text("#!/bin/sh\n" + script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", "{}:/bin:/usr/bin".format(folder))
    monkeypatch.setattr(report, "_binding", lambda: None)


def test_the_command_typst_is_used_where_there_is_no_binding(tmp_path, monkeypatch):
    fake_typst(tmp_path / "bin", monkeypatch, 'echo "$@" >&2; cp "$4" "$5"\n')
    report.check_typesetter()
    assert report.typeset(tmp_path) == report.SOURCE.read_bytes()


def test_what_the_command_typst_complains_of_is_one_line(tmp_path, monkeypatch):
    complaint = "printf 'error: no such font\\n  at /x/report.typ:7:2\\n' >&2; exit 1"
    fake_typst(tmp_path / "bin", monkeypatch, complaint)
    with pytest.raises(CvaeError) as caught:
        report.typeset(tmp_path)
    assert str(caught.value) == (
        "typst cannot typeset the report: no such font (report.typ line 7)"
    )


def test_without_typst_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_binding", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CvaeError, match="^there is no typst .*pip install.*$"):
        report.check_typesetter()
