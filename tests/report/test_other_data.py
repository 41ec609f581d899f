"""Reports on data that are not MNIST: other words, named classes, no comparison."""

import re
import string

import pytest
import standin
from standin import SOURCES, measurements, reader, results, typeset, words

from cvae.config import Config
from cvae.data.dataset import Facts
from cvae.report import figures
from cvae.report import words as report_words
from cvae.report.words import IN_TABLE, quoted, shortened

ODD = (
    *("T-shirt/top", "#let x = 1", "$x$", "<script>alert(1)</script>", "*bold* _it_"),
    *("@classes", "`raw`", "// no comment", 'a "quote" \\ back', "= Heading", "- item"),
    *("#panic(1)", "[", "]", "\\", '"); #panic("x', "~", "1. one", "https://a.b/c"),
)
LONG = "W" * 1000
LABELS = [f"label {n}" for n in range(6)]
KINDS = {  # names, labels in the files, side
    "two": (["even", "odd"], [], 28),
    "odd": ([*ODD, LONG, *LABELS], [str(n) for n in range(1, 27)], 32),
    "letters": (list(string.digits + string.ascii_letters)[:47], [], 8),
    "numbers": ([str(n) for n in range(12)], [], 64),
}


def found_of(kind):
    names, values, side = KINDS[kind]
    data = standin.data("shapes & <things>", names, values)
    config = Config(n_classes=len(names), x_dim=side * side, epochs=70.0)
    return results(config=config, of=data)


@pytest.fixture(scope="module", params=KINDS)
def report(tmp_path_factory, request):
    """A report: (results.json, PDF, its words)."""
    found = found_of(request.param)
    folder = tmp_path_factory.mktemp("report")
    standin.draw(folder / "figures", "", figures.names_of(found["evaluation"]))
    pdf = typeset(folder, found)
    return found, pdf, plain(words(pdf))


def plain(found):
    """The words without the places where a line may end."""
    return standin.Words(found.lines.replace("\u200b", ""))


def test_it_is_of_images_of_classes_and_not_of_digits(report):
    found, pdf, text = report
    side = int(found["config"]["x_dim"] ** 0.5)
    body = text.letters.rpartition("References")[0]
    for _, _, help in found["text"]["tables"]["settings"]:
        printed = standin.Words(help.replace("`", "").replace("'", "\u2019")).letters
        assert printed in body
        body = body.replace(printed, "")
    for word in ("MNIST", "igit", "handwrit", "stroke", "slant", "LeCun"):
        assert word not in body
    assert "shapes & <things>" in text and f"{side} × {side} pixels" in text
    title = "A Class-Conditional Variational Autoencoder for shapes & <things>"
    assert reader(pdf).metadata.title == title


def test_published_values_of_mnist_are_not_beside_it(report):
    found, _, text = report
    assert "published" not in text and "86.76" not in text and "0.96" not in text
    for row in sum(found["text"]["tables"]["published"].values(), []):
        assert row["model"] not in text


def test_every_class_is_in_the_table_with_its_number_name_and_label(report):
    found, _, text = report
    data, table = found["data"], found["text"]["tables"]["classes"]
    assert table["number"] == [str(c) for c in range(len(data["classes"]))]
    assert ("name" in table) == report_words.is_named(data)
    assert ("label" in table) == bool(data["values"])
    cells = [c for row in table.values() for c in row if c[:4] != LONG[:4]]
    assert not [c for c in cells if plain(standin.Words(c)).letters not in text.letters]
    if LONG in data["classes"]:
        assert text.letters.count("W") >= IN_TABLE - 1


def test_a_long_word_is_broken_within_its_column_and_line(report):
    """Of the widest letter, some forty fill a line of the text."""
    _, _, text = report
    assert max([0, *(len(run) for run in re.findall("W+", text.lines))]) <= 40


def test_the_pages_are_as_many_as_the_table_needs(report):
    found, pdf, _ = report
    assert 4 <= len(reader(pdf).pages) <= 13


def test_references_and_equations_are_found(report):
    _, _, text = report
    assert "??" not in text and "Table 4" in text and "(17)" in text


def test_mnist_keeps_its_words_and_its_table_of_digits():
    text = measurements()
    for name in ("mnist", "mnist-5k"):
        found = results(of=standin.data(name))
        assert "digit" in found["text"]["tables"]["classes"]
        assert found["text"]["has_published"]
        assert found["text"]["sentences"]["images"] == "digits"
    assert text["data"]["name"] == "mnist"


def test_the_key_to_figures_has_every_name_that_is_not_a_number():
    named, digits = standin.data("shapes", ["even", "odd"]), standin.data()
    assert report_words.key(Facts(**named)) == ["class 0: even", "class 1: odd"]
    assert report_words.key(Facts(**digits)) == []


# Names in sentences


@pytest.mark.parametrize("name", [*ODD, "plain", "two words", LONG, "\u00e9t\u00e9"])
def test_a_name_in_a_sentence_is_a_string_and_not_markup(name):
    text = quoted(name)
    if re.fullmatch(r"[A-Za-z0-9 ]+", name) and len(name) < 24:
        assert text == name
    else:
        literal = re.fullmatch(r'#"((?:[^"\\]|\\.)*)";', text).group(1)
        read = re.sub(r"\\(.)", r"\1", literal).replace("\u200b", "")
        assert read == (name if len(name) <= 40 else f"{name[:39]}\u2026")


def test_words_without_a_place_to_break_get_one():
    assert shortened("short enough", IN_TABLE) == "short enough"
    longest = max(re.split("[ \u200b]", shortened(LONG + " end", IN_TABLE)), key=len)
    assert len(longest) <= 5
    assert len(shortened(LONG, IN_TABLE).replace("\u200b", "")) == IN_TABLE


def test_a_class_whose_signs_the_fonts_lack_is_named_by_its_number():
    data = standin.data("shapes", ["\u3042", "b"])
    assert report_words.class_name(0, data) == "number 0"
    assert report_words.of_class(1, data) == "the class b"
    assert report_words.of_class(8, standin.data()) == "the digit 8"


@pytest.mark.parametrize(
    "names, values, named, mapped",
    [
        (["0", "1"], [], False, False),
        (["even", "odd"], [], True, False),
        (["even", "odd"], ["even", "odd"], True, False),
        (["even", "odd"], ["0", "1"], True, False),
        (["even", "odd"], ["-1", "1"], True, True),
        (["0", "1"], ["-1", "1"], False, True),
    ],
)
def test_labels_are_shown_where_they_say_something(names, values, named, mapped):
    data = standin.data("shapes", names, values)
    assert report_words.is_named(data) == named
    assert report_words.is_mapped(data) == mapped
    cells = results(of=data, config=Config(n_classes=2))["text"]["tables"]["classes"]
    assert ("name" in cells, "label" in cells) == (named, mapped)


def test_a_matrix_of_many_classes_takes_a_line_of_its_own():
    source = "\n".join(SOURCES)
    assert "has_wide_matrix" in source and "has_paged_classes" in source
    for kind, wide, paged in (
        ("two", False, False),
        ("odd", True, True),
        ("letters", True, True),
    ):
        text = found_of(kind)["text"]
        assert (text["has_wide_matrix"], text["has_paged_classes"]) == (wide, paged)
