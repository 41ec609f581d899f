"""The same training in other frameworks, each on one page as its experts write it.

A peer is a class `Peer(config, train, …)` with

    versions         names and versions of the frameworks: "PyTorch 2.13.0", …
    flop             operations of a step if it is only matrix products, else None
    run(n_steps)     takes `n_steps` steps and returns their bounds in nats, `[n_steps]`
    weights()        returns the weights by the names of `cvae.model`'s variables

`worker.py` runs one peer in its own process, as frameworks cannot share a process, and
`driver.py` gives workers their turns. All peers do the same work in a step: gather the
intensities of a shuffled batch, draw its bits, encode, draw one z for each image,
decode, compute the bound from the log-probabilities of that z, its gradient, and the
update of Adam with its weight decay. All peers except "ours" have a constant rate and
initial biases of zero regardless of `config`. All other settings come from `config`.
"""

from typing import Optional

from cvae import config
from cvae.config import Config

BLOCK = 16  # steps in a call if a framework can; `run` takes multiples of it
OURS = {  # the rows of this trainer, by the names of the ratios to them
    "ours": "this trainer, TensorFlow 1.15",
    "ours_today": "this trainer, today's TensorFlow",
}


def recipe(batch_size: int, preset: Optional[str] = None) -> Config:
    """Return the settings that all peers share, for 3,000 epochs.

    Nets, weight decay and gradient are those of `preset`; without it, nets are plain.
    Adam trains all weights, at a constant rate.
    """
    settings = {
        "batch_size": batch_size,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0,
        "epochs": 3000.0,
        "minutes": None,
    }
    if preset:
        return config.preset(preset, **settings)
    return Config(
        hidden=(500, 500),
        activation="relu",
        path_derivative=False,
        weight_decay=0.0,
        **settings,
    )


def shuffled(n_images, batch_size, random):
    """Yield the image numbers of each step, `[batch]`, in a new order every epoch.

    Images that do not fill a batch are left out until the next epoch.
    """
    while True:
        order = random.permutation(n_images)
        for first in range(0, n_images - batch_size + 1, batch_size):
            yield order[first : first + batch_size]
