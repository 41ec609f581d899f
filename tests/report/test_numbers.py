"""Numbers are written as in print: rounded halves up, true minus, no line breaks."""

import pytest

from cvae.report import numbers


@pytest.mark.parametrize(
    "value, places, expected",
    [
        (-80.247, 2, "\u221280.25"),
        (0.125, 2, "0.13"),  # a half goes up, as in the figures
        (-0.125, 2, "\u22120.13"),
        (2869684, 0, "2,869,684"),
        (999.996, 2, "1,000.00"),
        (11.35, 1, "11.4"),
        (5, 3, "5.000"),
    ],
)
def test_a_number_is_rounded_and_grouped(value, places, expected):
    assert numbers.number(value, places) == expected


def test_an_estimate_has_its_error_and_no_line_break():
    found = numbers.with_error({"mean": -80.247, "stderr": 0.2067})
    assert found == "\u221280.25\u00a0±\u00a00.21"


def test_shares_are_in_percent():
    assert numbers.percent(0.01234) == "1.23\u202f%"
    assert numbers.interval({"low": 0.0103, "high": 0.01466}) == "1.03 to 1.47\u202f%"


def test_things_are_counted_and_listed_in_words():
    counted = [numbers.count(n, "image", "images") for n in (0, 1, 2, 1000)]
    assert counted == ["no images", "one image", "2\u00a0images", "1,000\u00a0images"]
    listed = [numbers.listed(range(n)) for n in (1, 2, 3)]
    assert listed == ["0", "0 and 1", "0, 1 and 2"]


def test_a_duration_is_in_minutes_from_two_minutes_on():
    assert numbers.duration(119.4) == "119 seconds"
    assert numbers.duration(8467.869) == "141.1 minutes"


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, "none"),
        ("muon", "muon"),
        (True, "yes"),
        (False, "no"),
        ([50, 60], "50, 60"),
        (16407, "16,407"),
        (0.00003, "0.00003"),
        (86.0, "86"),
        (-1.5, "\u22121.5"),
    ],
)
def test_a_setting_is_written_as_a_reader_writes_it(value, expected):
    assert numbers.setting(value) == expected
