"""Places in a script's life where a test strikes, and ways to strike there."""

import itertools
import os
import signal
import sys
import time
from pathlib import Path


def set_trap(site, count, blow, spoil=False):
    """Call `blow()` at the `count`-th passage of `site`, a name in `SITES`.

    With `spoil`, half of what is written there is written first, and the rest never.
    """
    owner, name = SITES[site]()
    real = getattr(owner, name)
    passages = itertools.count(1)

    def passage(*args, **kwargs):
        if next(passages) == count:
            if spoil:
                HALVES[site](real, *args, **kwargs)
            blow()
        return real(*args, **kwargs)

    setattr(owner, name, passage)


def trap_import(module, blow):
    """Call `blow()` when `module` is about to be imported."""

    class Finder:
        @staticmethod
        def find_spec(name, *unused):
            if name == module:
                sys.meta_path.remove(Finder)
                blow()

    sys.meta_path.insert(0, Finder)


def die():
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def signal_self(number, stamp):
    """Send this process a signal; write down its CPU time by then."""
    Path(stamp).write_text(repr(time.process_time()))
    os.kill(os.getpid(), number)


def _steps():
    from cvae.training.step import Trainer

    return Trainer, "steps"


def _evaluation():
    from cvae.inference.trained import Model

    return Model, "bound"


def _checkpoint():
    from cvae.runs import checkpoints

    return checkpoints, "write_arrays"


def _metrics():
    from cvae.runs.run import Run

    return Run, "append_metrics"


def _events():
    from cvae.training.tensorboard import Events

    return Events, "write_row"


SITES = {
    "a block of steps": _steps,
    "an evaluation": _evaluation,
    "a checkpoint": _checkpoint,
    "a line of metrics": _metrics,
    "a TensorBoard file": _events,
    "a renaming": lambda: (os, "replace"),
    "an fsync": lambda: (os, "fsync"),
    "a deletion": lambda: (Path, "unlink"),
}


def _half_checkpoint(real, path, arrays):
    from cvae.storage import files

    spare = path.with_suffix(".spare")
    real(spare, arrays)
    half = spare.read_bytes()[: spare.stat().st_size // 2]
    spare.unlink()
    with files.whole_file(path) as scratch:
        scratch.write_bytes(half)
        die()


def _half_metrics(real, run, row):
    real(run, row)
    _cut(run.path / "metrics.jsonl", 30)


def _half_events(real, events, row):
    real(events, row)
    folder = Path(events._writer.get_logdir())
    _cut(max(folder.iterdir(), key=os.path.getmtime), 20)


def _cut(path, n_bytes):
    os.truncate(str(path), path.stat().st_size - n_bytes)


HALVES = {
    "a checkpoint": _half_checkpoint,
    "a line of metrics": _half_metrics,
    "a TensorBoard file": _half_events,
}
