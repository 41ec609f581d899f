"""Settings: validated, documented, round-tripped, presets as differences."""

import dataclasses

import pytest

from cvae.config import PRESETS, Config, preset
from cvae.errors import CvaeError


@pytest.mark.parametrize(
    "name, value",
    [
        ("z_dim", 0),
        ("z_dim", -3),
        ("z_dim", 4.0),
        ("z_dim", True),
        ("hidden", ()),
        ("hidden", (600, 0)),
        ("hidden", (600, "600")),
        ("hidden", 600),
        ("batch_size", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", -1e-3),
        ("learning_rate", "1e-3"),
        ("average", 1.0),
        ("epochs", 0.0),
        ("minutes", -1.0),
        ("seed", -1),
        ("seed", 2**31),
        ("activation", "gelu"),
        ("dataset", "../mnist"),
        ("validate", 1),
        ("n_classes", None),
    ],
)
def test_a_value_out_of_range_is_one_line_that_names_the_setting(name, value):
    with pytest.raises(CvaeError) as error:
        Config(**{name: value})
    assert name in str(error.value) and "\n" not in str(error.value)


def test_json_round_trip_keeps_every_setting():
    config = Config(hidden=(3, 4), minutes=None, seed=7)
    assert Config.from_dict(config.to_dict()) == config


def test_an_unknown_setting_is_refused_and_the_nearest_suggested():
    with pytest.raises(CvaeError, match="did you mean 'learning_rate'"):
        Config.from_dict({"learning_rat": 1e-3})


def test_an_unknown_preset_is_refused_and_the_nearest_suggested():
    with pytest.raises(CvaeError, match="did you mean 'quick'"):
        preset("quik")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_holds_only_differences_from_the_defaults(name):
    defaults = Config()
    assert all(getattr(defaults, k) != v for k, v in PRESETS[name].items())
    assert all(getattr(preset(name), k) == v for k, v in PRESETS[name].items())


def test_every_setting_says_what_it_is():
    assert all(field.metadata["help"] for field in dataclasses.fields(Config))


def test_a_run_without_an_end_is_refused():
    with pytest.raises(CvaeError, match="no end"):
        Config(epochs=None, minutes=None)
