"""Run one peer in its own process, by commands on standard input.

    python -m peers.worker PEER CONFIG MNIST_DIR

CONFIG is a `cvae.config.Config` as JSON; an empty MNIST_DIR means the usual places.
Each answer is one line of JSON on standard output. The first, "ready" or "error",
follows a warm-up of `BLOCK` steps. Then each line of input has one answer:

    run N        {"seconds", "bound": mean of the last BLOCK steps, or null}
    save PATH    {"saved"}: the weights as .npz

The answers contain "waiting": the CPU seconds and the seconds spent so far on waiting
for a line. The end of the input ends the process.
"""

import importlib
import json
import os
import sys
import time
import traceback

import numpy as np

from cvae.config import Config
from cvae.data import mnist
from peers import BLOCK

# Module and arguments of each; only the module of the chosen peer is imported.
PEERS = {
    "ours": ("ours", {}),
    "ours-late": ("ours", {"late": True}),
    "tutorial": ("tutorial", {}),
    "pytorch": ("in_pytorch", {"way": "eager"}),
    "pytorch-onednn": ("in_pytorch", {"way": "onednn"}),
    "pytorch-channels-last": ("in_pytorch", {"way": "channels-last"}),
    "pytorch-compiled": ("in_pytorch", {"way": "compiled"}),
    "jax": ("in_jax", {"scan": False}),
    "jax-scan": ("in_jax", {"scan": True}),
    "products": ("products", {"size": None}),
    "big-product": ("products", {"size": 2048}),
}


def main():
    """Answer until the input ends."""
    name, settings, mnist_dir = sys.argv[1:]
    answers = _own_output()

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    begin = time.perf_counter()
    try:
        peer = _prepare(name, Config.from_dict(json.loads(settings)), mnist_dir)
    except Exception as error:  # any error is a reason not to measure the peer
        traceback.print_exc()
        answer(error=_reason(error))
        return
    seconds = time.perf_counter() - begin
    answer(ready=seconds, versions=peer.versions, flop=peer.flop)
    waiting = np.zeros(2)
    while True:
        before = np.array([time.process_time(), time.perf_counter()])
        line = sys.stdin.readline()
        waiting += [time.process_time(), time.perf_counter()] - before
        if not line:
            return
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            answer(waiting=list(waiting), **_run(peer, int(argument)))
        elif command == "save":
            np.savez(argument, **peer.weights())
            answer(waiting=list(waiting), saved=argument)
        else:
            answer(error=f"there is no command {command!r}")


def _prepare(name, config, mnist_dir):
    """Return the peer after its first steps, which build or compile the rest."""
    module, options = PEERS[name]
    module = importlib.import_module("peers." + module)
    train = mnist.load("mnist", mnist_dir or None).train
    peer = module.Peer(config, train, **options)
    peer.run(BLOCK)
    return peer


def _run(peer, n_steps):
    begin = time.perf_counter()
    bounds = peer.run(n_steps)
    seconds = time.perf_counter() - begin
    last = bounds[-BLOCK:]
    return {"seconds": seconds, "bound": float(np.mean(last)) if len(last) else None}


def _reason(error):
    if isinstance(error, ImportError) and error.name:
        return f"{error.name} is not installed"
    return " ".join(str(error).split()) or type(error).__name__


def _own_output():
    """Return standard output for the answers; redirect other output to the errors."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


if __name__ == "__main__":
    main()
