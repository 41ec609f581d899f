"""TensorBoard's own reader of event files."""

from tensorboard.backend.event_processing import event_accumulator


def read(folder):
    """What TensorBoard shows of the files in `folder`: all of it, no selection."""
    everything = dict.fromkeys(event_accumulator.STORE_EVERYTHING_SIZE_GUIDANCE, 0)
    return event_accumulator.EventAccumulator(str(folder), everything).Reload()
