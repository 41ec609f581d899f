"""A run's metrics, settings and samples as TensorBoard's event files."""

import io
import time
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import tensorflow.compat.v1 as tf

from cvae.config import Config
from cvae.errors import CvaeError
from cvae.runs.checkpoints import State

PICTURES = 10  # of samples in a run, at most
SHARE = 0.01  # of a run's time that its pictures may take
FIRST_SECONDS = 0.05  # that a picture is expected to take before one is drawn


class Events:
    """A writer of event files into `folder`, for a training that goes on at `state`.

    Raises:
        CvaeError: the folder cannot be written.
    """

    def __init__(self, folder: Path, config: Config, state: State):
        # A file's name has the second of its making. Without the step, a run that is
        # resumed in that second would write over what it wrote before.
        end = f".{state.step:012d}"
        try:
            with tf.Graph().as_default():
                self._writer = tf.summary.FileWriter(str(folder), filename_suffix=end)
        except tf.errors.OpError as error:
            raise CvaeError(f"cannot write {folder}: {error.message}")
        # What older files have from this step on does not count.
        start = tf.SessionLog(status=tf.SessionLog.START)
        self._writer.add_session_log(start, state.step + 1)
        self._settings = config.to_dict()  # to be written
        self._is_square = config.side**2 == config.x_dim
        self._tenth = _tenth(state)
        self._seconds, self._expected = 0.0, FIRST_SECONDS

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._writer.close()

    def write_row(self, row: Dict[str, Any]) -> None:
        """Write a row of metrics, and the settings before the first; flush both."""
        if self._settings:
            self._write_settings(row)
        for name, value in row.items():
            if name != "step":
                summary = tf.Summary.Value(tag=name, simple_value=value)
                self._writer.add_summary(tf.Summary(value=[summary]), row["step"])
        self._writer.flush()

    def write_samples(self, state: State, draw: Callable[[], np.ndarray]) -> None:
        """Write `draw()` as a picture: pixel means `[rows, columns, x_dim]`.

        It is drawn only if images are square, at the first call in a tenth of the run,
        and if the pictures then still take at most `SHARE` of its time.
        """
        due = self._is_square and _tenth(state) != self._tenth
        if not due or SHARE * state.seconds < self._seconds + self._expected:
            return
        began = time.monotonic()
        image = tf.Summary.Image(**_picture(draw()))
        summary = tf.Summary.Value(tag="samples", image=image)
        self._writer.add_summary(tf.Summary(value=[summary]), state.step)
        self._writer.flush()
        self._tenth, self._expected = _tenth(state), time.monotonic() - began
        self._seconds += self._expected

    def _write_settings(self, row):
        """Write the settings for the HParams tab, which finds the metrics by itself."""
        # Here, because it takes a fifth of a second.
        from tensorboard.plugins.hparams import summary_v2

        settings = {name: _shown(value) for name, value in self._settings.items()}
        began = time.time() - row["seconds"]
        summary = summary_v2.hparams_pb(settings, start_time_secs=began)
        self._writer.add_summary(summary.SerializeToString(), row["step"])
        self._settings = {}


def _tenth(state):
    """Return how many of the run's `PICTURES` parts are over."""
    return int(PICTURES * state.plan.at(state.step))


def _shown(value):
    """Return a setting as a number or a text."""
    if isinstance(value, (bool, int, float, str)):
        return value
    return ",".join(map(str, value or ())) or "none"


def _picture(images):
    """Return the fields of a summary: rows and columns of images, black on white."""
    from PIL import Image  # after the start

    rows, columns, n_pixels = images.shape
    side = int(round(n_pixels**0.5))
    grid = images.reshape(rows, columns, side, side).swapaxes(1, 2)
    grid = grid.reshape(rows * side, columns * side)
    packed = io.BytesIO()
    Image.fromarray(np.uint8(np.rint(255.0 * (1.0 - grid)))).save(packed, "PNG")
    height, width = grid.shape
    return {
        "height": height,
        "width": width,
        "colorspace": 1,
        "encoded_image_string": packed.getvalue(),
    }
