"""Settings: validated, documented, round-tripped, presets as differences."""

import dataclasses

import numpy as np
import pytest
import tiny

from cvae import cli
from cvae import config as config_room
from cvae.cli import options
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
        ("network", "resnet"),
        ("channels", (32, -1)),
        ("blocks", -1),
        ("batch_size", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", -1e-3),
        ("learning_rate", "1e-3"),
        ("average", 1.0),
        ("warmup", -1),
        ("epochs", 0.0),
        ("minutes", -1.0),
        ("seed", -1),
        ("seed", 2**31),
        ("activation", "gelu"),
        ("dataset", " "),
        ("dataset", "a\nb"),
        ("class_names", ("a", "")),
        ("class_names", ["a"]),
        ("validate", 1),
        ("n_classes", None),
    ],
)
def test_a_value_out_of_range_is_one_line_that_names_the_setting(name, value):
    with pytest.raises(CvaeError) as error:
        Config(**{name: value})
    assert name in str(error.value) and "\n" not in str(error.value)


def test_json_round_trip_keeps_every_setting():
    config = Config(hidden=(3, 4), channels=(5,), minutes=None, seed=7)
    assert Config.from_dict(config.to_dict()) == config


def test_a_run_from_before_film_has_networks_without():
    values = preset("default").to_dict()
    assert values.pop("film")
    assert not Config.from_dict(values).film


@pytest.mark.parametrize(
    "line, given",
    [
        ([], {}),
        (["--film"], {"film": True}),
        (
            ["--no-film", "--no-path-derivative"],
            {"film": False, "path_derivative": False},
        ),
        (["--no-validate", "--validate"], {"validate": True}),
    ],
)
def test_a_setting_of_yes_or_no_is_a_pair_of_options_and_the_last_one_counts(
    line, given
):
    parser = cli.Parser("")
    options.add_settings(parser)
    assert options.given(parser.parse_args(line)) == given


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


def test_every_setting_is_described():
    assert all(field.metadata["help"] for field in dataclasses.fields(Config))


@pytest.mark.parametrize(
    "x_dim, channels, fault",
    [(783, (8,), "not square"), (9, (8, 8), "cannot be halved 2 times")],
)
def test_convolutions_want_squares_that_they_can_halve(x_dim, channels, fault):
    with pytest.raises(CvaeError, match=fault):
        Config(network="conv", x_dim=x_dim, channels=channels)
    Config(network="mlp", x_dim=x_dim, channels=channels)


@pytest.mark.parametrize(
    "side, channels, padded, small",
    [
        (28, (8, 8), 28, 7),
        (30, (8, 8), 32, 8),
        (28, (8, 8, 8), 32, 4),
        (9, (8,), 10, 5),
    ],
)
def test_other_sides_are_padded_to_the_next_that_can_be_halved(
    side, channels, padded, small
):
    config = Config(network="conv", x_dim=side**2, channels=channels)
    assert (config.padded_side, config.small_side) == (padded, small)


def test_a_run_without_an_end_is_refused():
    with pytest.raises(CvaeError, match="no end"):
        Config(epochs=None, minutes=None)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"hidden": (10**6,)}, "weights"),
        ({"hidden": (9000, 9000)}, "weights"),
        ({"z_dim": 10**4, "hidden": (10**4,)}, "weights"),
        ({"batch_size": 10**6}, "a step"),
        ({"particles": 10**4}, "a step"),
        ({"iwae_share": 0.1, "iwae_particles": 10**4}, "a step"),
        ({"hidden": (1,) * 33}, "hidden"),
        ({"z_dim": 10**400}, "z_dim"),
    ],
)
def test_a_model_that_no_common_machine_holds_is_refused_in_one_line(changes, words):
    with pytest.raises(CvaeError, match=words) as error:
        Config(**changes)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_deeper_convolutions_than_the_presets_are_no_more_than_a_machine_holds():
    preset("best", blocks=2, channels=(64, 128))


def test_the_memory_of_the_weights_is_that_of_the_model(monkeypatch):
    shapes = tiny.shapes(tiny.CONFIG).values()
    size = 16 * sum(int(np.prod(shape)) for shape in shapes)
    monkeypatch.setattr(config_room, "MAX_MODEL_BYTES", size)
    dataclasses.replace(tiny.CONFIG)
    monkeypatch.setattr(config_room, "MAX_MODEL_BYTES", size - 1)
    with pytest.raises(CvaeError, match="weights"):
        dataclasses.replace(tiny.CONFIG)
