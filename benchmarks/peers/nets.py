"""The nets of all peers: their layers, initial weights, and operations of a step."""

from typing import NamedTuple, Tuple

import numpy as np


class Layer(NamedTuple):
    """A dense layer or a convolution, with the name of `cvae.model`'s variables."""

    name: str
    kernel: Tuple[int, ...]  # n_in, n_out; of a convolution size, size, n_in, n_out
    side: int = 1  # pixels on a side of a convolution's output
    stride: int = 1
    back: bool = True  # whether training needs the gradient of its input

    @property
    def products(self):
        """Multiplications of weights with inputs for one image, zeros around it too."""
        return int(np.prod(self.kernel)) * self.side**2


def layers(config):
    """Return the layers of `config`'s nets, from x to its logits."""
    read, code = config.dense_dim + config.n_classes, config.n_classes + config.z_dim
    encoder = _hidden("q_net", read, config.hidden, config)
    encoder.append(Layer("q_net/z_heads", (config.hidden[-1], 2 * config.z_dim)))
    decoder = _hidden("gen", code, config.hidden[::-1], config)
    last = (config.hidden[0], config.dense_dim)
    if config.network == "conv":
        down, up = _convolutions(config)
        found = [*down, *encoder, *decoder, Layer("gen/unfold", last), *up]
    else:
        found = [*encoder, *decoder, Layer("gen/x_logits", last)]
    return [found[0]._replace(back=False), *found[1:]]  # no weights lead to x


def _hidden(scope, n_in, sizes, config):
    found = []
    for number, units in enumerate(sizes, 1):
        found.append(Layer(f"{scope}/hidden_{number}", (n_in, units)))
        if config.film:
            found.append(_film(f"{scope}/class_{number}", units, config))
        n_in = units
    return found


def _film(name, features, config):
    return Layer(name, (config.n_classes, 2 * features), back=False)


def _convolutions(config):
    """Return those of the encoder and those of the decoder, each in their order."""
    down, up, side, n_in = [], [], config.side, 1
    for level, n_out in enumerate(config.channels, 1):
        side, size = side // 2, 5 if level == 1 else 3
        scope, kernel = f"q_net/down_{level}", (size, size, n_in, n_out)
        down.append(Layer(scope + "/halve", kernel, side, stride=2))
        down += _blocks(scope, n_out, side, config)
        scope, kernel = f"gen/up_{level}", (3, 3, n_out, 4 * n_in)
        double = Layer(scope + "/double", kernel, side)
        up = [*_blocks(scope, n_out, side, config), double, *up]
        n_in = n_out
    return down, up


def _blocks(scope, channels, side, config):
    found, kernel = [], (3, 3, channels, channels)
    for number in range(1, config.blocks + 1):
        block = f"{scope}/block_{number}"
        found.append(Layer(block + "/conv_1", kernel, side))
        found.append(_film(block + "/class", channels, config))
        found.append(Layer(block + "/conv_2", kernel, side))
    return found


def initial_weights(config):
    """Draw kernels as Glorot & Bengio (2010), biases of zero: name to float32 array.

    A residual block's last kernel is zero, as in `cvae.networks.conv`.
    """
    random, found = np.random.RandomState(config.seed), {}
    for name, kernel, *_ in layers(config):
        *window, n_in, n_out = kernel
        limit = (6.0 / (np.prod(window) * (n_in + n_out))) ** 0.5
        limit = 0.0 if name.endswith("/conv_2") else limit
        draw = random.uniform(-limit, limit, kernel)
        found[name + "/kernel"] = draw.astype(np.float32)
        found[name + "/bias"] = np.zeros(n_out, np.float32)
    return found


def step_flop(config):
    """Count the operations in the matrix products and convolutions of a step.

    Each weight takes a multiplication and an addition in the forward pass, in its
    gradient, and in the gradient of the layer's input if `Layer.back`; in a convolution
    it does so at each pixel of the output.
    """
    an_image = 0
    for layer in layers(config):
        samples = config.particles if layer.name.startswith("gen/") else 1
        an_image += layer.products * (2 + layer.back) * samples
    return 2 * config.batch_size * an_image
