"""Run a script that a signal strikes at a chosen place of its life.

python tests/strike.py '{"site": ..., "signal": ..., "stamp": ...}' train.py --run DIR

`site` is a name in `traps.SITES`, or a module about to be imported. The CPU time up to
the signal and its moment are written to `stamp`. `images` cuts the training set, so
that an epoch is short.
"""

import json
import runpy
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]


def main():
    what = json.loads(sys.argv[1])
    sys.argv = sys.argv[2:]

    import traps

    def blow():
        traps.signal_self(what["signal"], what["stamp"])

    if what["site"] in traps.SITES:
        if "images" in what:
            _cut_training_set(what["images"])
        traps.set_trap(what["site"], what.get("count", 1), blow)
    else:
        traps.trap_import(what["site"], blow)
    sys.path.insert(0, str(traps.SCRIPTS))
    runpy.run_path(str(traps.SCRIPTS / sys.argv[0]), run_name="__main__")


def _cut_training_set(n_images):
    import tiny

    from cvae import mnist

    load = mnist.load
    mnist.load = lambda *args: tiny.dataset(load(*args), n_images, 10000)


if __name__ == "__main__":
    main()
