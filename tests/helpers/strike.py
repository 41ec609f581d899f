"""Run a script that a signal strikes at a chosen place of its life.

    strike.py '{"site": ..., "signal": ..., "stamp": ...}' train.py --run DIR

`site` is a name in `traps.SITES`, or a module about to be imported; without it, nothing
strikes. The CPU time up to the signal is written to `stamp`. `images`
and `test_images` cut the data set, so that an epoch and an evaluation are short.
`environments` are names of environments.py, for a process whose files are in `place`.
"""

import json
import runpy
import sys
from pathlib import Path

from paths import ROOT, SCRIPTS

sys.path[:0] = [str(ROOT)]


def main():
    what = json.loads(sys.argv[1])
    sys.argv = sys.argv[2:]

    import traps

    def blow():
        traps.signal_self(what["signal"], what["stamp"])

    if "images" in what:
        _cut_data(what["mnist_dir"], what["images"], what["test_images"])
    site = what.get("site")
    if site in traps.SITES:
        traps.set_trap(site, what.get("count", 1), blow)
    elif site:
        traps.trap_import(site, blow)
    if "place" in what:
        import environments

        environments.enter(what["environments"], Path(what["place"]))
    sys.path.insert(0, str(SCRIPTS))
    runpy.run_path(str(SCRIPTS / sys.argv[0]), run_name="__main__")


def _cut_data(mnist_dir, *sizes):
    import tiny

    from cvae.data import mnist

    load = mnist.load

    def first(name, *unused):
        whole = tiny.whole(mnist_dir) if name == "mnist" else load(name)
        return tiny.dataset(whole, *sizes)

    mnist.load = first


if __name__ == "__main__":
    main()
