"""The metrics of a run as TensorBoard's event files."""

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator

import tensorflow.compat.v1 as tf

from cvae.errors import CvaeError


@contextlib.contextmanager
def open_writer(folder: Path, step: int) -> Iterator[tf.summary.FileWriter]:
    """Open a writer into `folder`; older files do not count after `step`.

    Raises:
        CvaeError: the folder cannot be written.
    """
    try:
        with tf.Graph().as_default():
            writer = tf.summary.FileWriter(str(folder))
    except tf.errors.OpError as error:
        raise CvaeError(f"cannot write {folder}: {error.message}")
    start = tf.SessionLog(status=tf.SessionLog.START)
    writer.add_session_log(start, step)
    try:
        yield writer
    finally:
        writer.close()


def write_row(writer: tf.summary.FileWriter, row: Dict[str, Any]) -> None:
    """Write a row of metrics, and flush it."""
    for name, value in row.items():
        if name != "step":
            summary = tf.Summary.Value(tag=name, simple_value=value)
            writer.add_summary(tf.Summary(value=[summary]), row["step"])
    writer.flush()
