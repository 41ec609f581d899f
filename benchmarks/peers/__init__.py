"""The same training in other frameworks, each as one page of its experts' code.

A peer is a class `Peer(config, train, …)` with

    versions         what it runs on: "PyTorch 2.13.0", …
    flop             of a step, where that is all there is to it; else None
    run(n_steps)     takes so many steps and returns their bounds in nats, `[n_steps]`
    weights()        the weights by the names of `cvae.model`'s variables

`worker.py` runs one in a process of its own, as frameworks cannot share any, and
`driver.py` gives workers their turns. What all do in a step is alike: gather the
intensities of a shuffled batch, draw its bits, encode, draw one z an image, decode, the
bound from the log-probabilities of that z, its gradient, Adam. All but ours have ReLU
and a constant rate, whatever `config` says, and biases of zero at the start; the rest
they take from it.
"""

from cvae.config import Config

BLOCK = 16  # steps a call where a framework can; `run` takes multiples of it


def recipe(batch_size: int) -> Config:
    """Return the training that all share: a plain one, for 3,000 epochs."""
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

    A multiplication and an addition for each weight forwards, for its gradient, and for
    that of what the layer reads, which the encoder's first layer does without.
    """
    encoder, decoder = (
        [n_in * n_out for name, (n_in, n_out) in layers(config) if scope in name]
        for scope in ("q_net/", "gen/")
    )
    an_image = 3 * sum(encoder) - encoder[0] + 3 * sum(decoder) * config.particles
    return 2 * config.batch_size * an_image


def layers(config):
    """Names and sizes `(n_in, n_out)` of the dense layers, from x to its logits."""
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
