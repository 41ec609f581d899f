"""TensorBoard's event files, as TensorBoard reads them."""

import dataclasses
import io

import events
import numpy as np
import pytest
import tiny
from PIL import Image
from tensorboard.plugins.hparams import metadata

from cvae.inference import generate
from cvae.inference.trained import Model
from cvae.runs.checkpoints import State
from cvae.runs.run import Run
from cvae.training import loop
from cvae.training.schedule import Plan
from cvae.training.tensorboard import Events

pytestmark = pytest.mark.usefixtures("kept_graphs")


def test_hyperparameters_are_those_of_config_json(whole):
    content = events.read(whole.events_dir).SummaryMetadata(
        metadata.SESSION_START_INFO_TAG
    )
    start = metadata.parse_session_start_info_plugin_data(content.plugin_data.content)
    found = {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in start.hparams.items()
    }
    config = whole.config.to_dict()
    assert set(found) == set(config)
    assert found["hidden"] == "32" and found["minutes"] == "none"
    for name, value in config.items():
        if isinstance(value, (bool, int, float, str)):
            assert found[name] == value, name


def test_pictures_are_samples_of_the_weights_at_their_step(data, tmp_path, monkeypatch):
    monkeypatch.setattr("cvae.training.tensorboard.SHARE", 1e9)
    config = dataclasses.replace(tiny.CONFIG, epochs=2.0, evaluate_every=1)
    run = Run.create(tmp_path / "run", config)
    loop.train(run, data)
    pictures = events.read(run.events_dir).Images("samples")
    assert [picture.step for picture in pictures] == [12, 24]
    found = np.array(Image.open(io.BytesIO(pictures[-1].encoded_image_string)))
    with Model(run.config, run.weights()) as model:
        means = generate.samples(model, range(10), 10, run.config.seed)
    expected = means.reshape(10, 10, 28, 28).swapaxes(1, 2).reshape(280, 280)
    np.testing.assert_allclose(found / 255.0, 1.0 - expected, rtol=0, atol=0.5001 / 255)
    assert (pictures[-1].height, pictures[-1].width) == found.shape == (280, 280)


def test_a_run_has_ten_pictures_at_most_in_a_hundredth_of_its_time(tmp_path):
    def pictures(name, seconds_a_step, config=tiny.CONFIG):
        state, drawn = State(0, Plan(0, 0.0, 1000)), []
        with Events(tmp_path / name, config, state) as writer:
            for step in range(10, 1001, 10):
                seconds = seconds_a_step * step
                state = state._replace(step=step, seconds=seconds)
                writer.write_samples(state, lambda: drawn.append(0) or _GREY)
        return len(drawn)

    assert pictures("long", seconds_a_step=1e3) == 10
    assert pictures("short", seconds_a_step=1e-3) == 0
    oblong = dataclasses.replace(tiny.CONFIG, x_dim=6)
    assert pictures("oblong", 1e3, oblong) == 0


_GREY = np.full((2, 3, 784), 0.5)


def test_a_run_that_is_resumed_in_the_same_second_loses_no_row(tmp_path):
    state = State(0, Plan(0, 0.0, 10))
    for step in range(5):
        with Events(tmp_path, tiny.CONFIG, state._replace(step=step)) as writer:
            writer.write_row({"step": step + 1, "seconds": 1.0, "test_bound": -step})
    rows = events.read(tmp_path).Scalars("test_bound")
    assert [(row.step, row.value) for row in rows] == [(n + 1, -n) for n in range(5)]


def test_a_resumed_run_does_not_draw_its_last_picture_again(tmp_path, whole):
    state = State(500, Plan(0, 0.0, 1000), seconds=1e6)
    with Events(tmp_path / "events", tiny.CONFIG, state) as writer:
        writer.write_samples(state._replace(step=599), pytest.fail)
        writer.write_samples(state._replace(step=600), lambda: _GREY)
    (picture,) = events.read(tmp_path / "events").Images("samples")
    assert picture.step == 600
