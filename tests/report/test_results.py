"""results.json has all that the report prints, and the sources print all of it."""

import copy
import dataclasses
import json
import re

import pytest
import standin
from standin import SOURCES, measurements, results

from cvae.config import Config
from cvae.report.results import PUBLISHED
from cvae.storage import files

SOURCE = "\n".join(SOURCES)
CHECKED = standin.checks()


@pytest.fixture(scope="module")
def text():
    """The text of a report with everything there can be."""
    return results(**CHECKED)["text"]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("duration", "9.7 minutes"),
        ("n_train", "60,000"),
        ("minus_log_k", "\u22122.303"),
        ("generator_weights", "862,384"),
        ("pilot", "6"),
        ("margin", "20"),
        ("bound", "\u221285.03\u00a0±\u00a00.21"),
        ("likelihood", "\u221282.37\u00a0±\u00a00.21"),
        ("marginal", "\u221284.66\u00a0±\u00a00.21"),
        ("reconstruction_nats", "60.41"),
        ("pixel_nats", "0.077"),
        ("kl_bits", "36"),  # 24.61 / log 2
        ("bound_range", "27.90"),
        ("errors", "123"),
        ("error_rate", "1.23\u202f%"),
        ("error_interval", "1.03 to 1.47\u202f%"),
        ("log_loss", "0.047\u00a0±\u00a00.003"),
        ("probe", "16.3\u202f%"),
        ("chance", "11.4\u202f%"),  # a half, rounded up as in the figure
        ("first_component", "7\u202f%"),
        ("fractions", "1, 0.3 and 0"),
        ("max_steps", "12"),
        ("scale", "1.07"),
        ("moves", "1 and 0.4"),
        ("chain_steps", "600"),
        ("acceptance", "70\u202f%"),
    ],
)
def test_numbers_are_those_of_the_measurements(text, name, expected):
    assert text["numbers"][name] == expected


def test_the_sources_use_every_number_sentence_and_table_and_no_other(text):
    assert set(re.findall(r"\bn\.([a-z]\w*)", SOURCE)) == set(text["numbers"])
    assert set(re.findall(r'said\("(\w+)"\)', SOURCE)) == set(text["sentences"])
    tables = set(re.findall(r"rows\.(\w+)", SOURCE))
    assert tables == set(text["tables"])


def test_no_measured_number_is_typed_in_the_sources_and_no_line_is_long():
    assert len(SOURCES) == 3
    for source in SOURCES:
        assert max(map(len, source.splitlines())) <= 100
        source = re.sub(r"//.*|arXiv:[\d.]+|numbering: \"1.1\"", "", source)
        source = re.sub(r"std=1\.0", "", source)  # a line of code
        source = re.sub(r"\d+(\.\d+)?(pt|em|mm|fr|%)", "", source)
        assert not re.findall(r"\d+\.\d+", source)


def test_the_sources_neither_compute_nor_compare():
    computes = r"calc\.(?!odd)|else if|\.filter\(|\.sorted\(|\.sum\(| [<>]=? \d"
    assert not re.findall(computes, SOURCE)


def test_no_sentence_ends_a_call_by_a_semicolon_that_typst_drops(text):
    for sentence in text["sentences"].values():
        assert not re.search(r"#[\w-]+\([^)]*\);", sentence)


def test_the_table_of_classes_has_every_class(text):
    cells = text["tables"]["classes"]
    per_class = standin.evaluation()["per_class"]
    for name in ("bound", "reconstruction", "kl", "log_likelihood", "marginal"):
        expected = [f"{row[name]:.1f}".replace("-", "\u2212") for row in per_class]
        assert cells[name] == expected
    assert cells["errors"] == ["7", "9", "11", "13", "15", "17", "19", "21", "23", "25"]
    assert cells["n"][0] == "980" and cells["digit"][-1] == "9"


def test_the_table_of_settings_has_every_setting_with_its_value_and_meaning():
    rare = {"class_names": tuple("abcdefghij"), "test_share": 0.2}
    rare.update(origin="/some/where/first", continued=(3,))
    changed = Config(epochs=None, hidden=(50, 60, 70), validate=True, **rare)
    rows = {row[0]: row[1:] for row in results(changed)["text"]["tables"]["settings"]}
    for field in dataclasses.fields(Config):
        assert rows[field.name][1] == field.metadata["help"]
    assert rows["epochs"][0] == "none" and rows["hidden"][0] == "50, 60, 70"
    assert rows["validate"][0] == "yes" and rows["batch_size"][0] == "256"
    assert rows["class_names"][0] == "10 names" and rows["origin"][0] == "first"
    table = results(Config())["text"]["tables"]["settings"]
    assert {row[0] for row in table} == set(rows) - set(rare)


def test_every_published_value_has_a_source_and_all_cells_of_the_table():
    published = files.read_json(PUBLISHED)
    assert len(published) >= 6
    for key, row in published.items():
        assert re.search(r"arXiv:\d{4}\.\d{4,5}|github\.com/", row["source"]), key
        assert row["quantity"] in ("log p(x)", "error rate"), key
        assert f"  {row['work']}: (" in SOURCE
        for name in ("model", "value", "binarization", "differs"):
            assert row[name], key
        assert "particles" in row


def test_every_published_value_is_in_the_table_beside_ours(text):
    tables = text["tables"]
    values = {
        row["model"]: row["value"]
        for rows in tables["published"].values()
        for row in rows
    }
    assert values["VAE (k = 1)"] == "\u221286.76"
    assert values["M2, all labels"] == "0.96\u202f%"
    assert len(values) == len(files.read_json(PUBLISHED))
    assert tables["ours"]["log p(x)"]["value"] == text["numbers"]["marginal"]
    assert tables["ours"]["error rate"]["value"] == text["numbers"]["error_rate"]


def other(value):
    """`value` with every measured number in it another one."""
    if isinstance(value, dict):
        kept = ("class", "image", "predicted", "explained")
        return {k: v if k in kept else other(v) for k, v in value.items()}
    if isinstance(value, list):
        return [other(item) for item in value]
    return value * 1.173 if isinstance(value, float) else value


def all_text(run):
    return json.dumps(standin.with_text(run)["text"], ensure_ascii=False)


def test_another_run_leaves_no_number_of_this_one_in_the_text():
    """Of those with two decimals, so that none is the same by chance."""
    this = measurements(**CHECKED)
    that = copy.deepcopy(this)
    for part in ("evaluation", "pictures", "last"):
        that[part] = other(this[part])
    published = {f"{abs(row['value']):.2f}" for row in this["published"].values()}
    here, there = (
        set(re.findall(r"(?<![\d.])\d\d\.\d\d(?!\d)", all_text(run)))
        for run in (this, that)
    )
    assert len(here - published) > 10 and not (here - published) & there


def test_the_code_that_the_report_shows_is_the_code_that_runs():
    shown = re.findall(r"```py (.+?)```", SOURCE)
    assert len(shown) >= 9
    package = standin.ROOT / "cvae"
    shipped = standin.Words(
        "".join(
            (package / name).read_text(encoding="utf-8")
            for name in ("model.py", "training/parts.py")
        )
    )
    for line in shown:
        assert line in shipped
