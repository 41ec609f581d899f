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
update of Adam. All peers except "ours" have ReLU, a constant rate and initial biases of
zero regardless of `config`. All other settings come from `config`.
"""

from cvae.config import Config

BLOCK = 16  # steps in a call if a framework can; `run` takes multiples of it


def recipe(batch_size: int) -> Config:
    """Return the settings that all peers share: plain ones, for 3,000 epochs."""
    return Config(
        hidden=(500, 500),
        activation="relu",
        path_derivative=False,
        batch_size=batch_size,
        learning_rate=1e-3,
        schedule="constant",
        warmup=0,
        weight_decay=0.0,
        epochs=3000.0,
        minutes=None,
    )


def shuffled(n_images, batch_size, random):
    """Yield the image numbers of each step, `[batch]`, in a new order every epoch.

    Images that do not fill a batch are left out until the next epoch.
    """
    while True:
        order = random.permutation(n_images)
        for first in range(0, n_images - batch_size + 1, batch_size):
            yield order[first : first + batch_size]


def step_flop(config):
    """Count the operations in the matrix products of a step.

    Each weight takes a multiplication and an addition in the forward pass, in its
    gradient, and in the gradient of the layer's input. The first layer of the encoder
    has no gradient of its input.
    """
    encoder, decoder = (
        [n_in * n_out for name, (n_in, n_out) in layers(config) if scope in name]
        for scope in ("q_net/", "gen/")
    )
    an_image = 3 * sum(encoder) - encoder[0] + 3 * sum(decoder) * config.particles
    return 2 * config.batch_size * an_image


def layers(config):
    """Return names and sizes `(n_in, n_out)` of the dense layers, x to its logits."""
    encoder = (config.x_dim + config.n_classes, *config.hidden, 2 * config.z_dim)
    decoder = (config.n_classes + config.z_dim, *config.hidden[::-1], config.x_dim)
    found = []
    for scope, sizes, last in (
        ("q_net", encoder, "z_heads"),
        ("gen", decoder, "x_logits"),
    ):
        names = [f"hidden_{i + 1}" for i in range(len(config.hidden))] + [last]
        pairs = zip(sizes, sizes[1:])
        found += [(scope + "/" + name, pair) for name, pair in zip(names, pairs)]
    return found
