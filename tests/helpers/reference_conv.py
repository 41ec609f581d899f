"""The convolutional networks once more, in float64 NumPy, from their description.

Shares no code with the package: a second implementation to compare with.
"""

import numpy as np
import reference


def convolve(images, kernel, bias, stride=1):
    """Correlate `[n, s, s, c]` with `[k, k, c, c']`; the image is padded by zeros.

    Where the padding is odd, the row more is at the end.
    """
    n, side, _, _ = images.shape
    size = kernel.shape[0]
    out = -(-side // stride)
    total = max((out - 1) * stride + size - side, 0)
    before = total // 2
    pad = (before, total - before)
    images = np.pad(images, [(0, 0), pad, pad, (0, 0)], mode="constant")
    result = np.zeros((n, out, out, kernel.shape[-1])) + bias
    for row in range(size):
        for column in range(size):
            stop_row, stop_column = row + out * stride, column + out * stride
            window = images[:, row:stop_row:stride, column:stop_column:stride]
            result += np.einsum("nijc,cd->nijd", window, kernel[row, column])
    return result


def doubled(images):
    """`[n, s, s, 4 c]` as `[n, 2 s, 2 s, c]`: each pixel becomes a square of four."""
    n, side, _, channels = images.shape
    result = np.zeros((n, 2 * side, 2 * side, channels // 4))
    for row in (0, 1):
        for column in (0, 1):
            first = (2 * row + column) * (channels // 4)
            part = images[..., first : first + channels // 4]
            result[:, row::2, column::2] = part
    return result


def conv(h, weights, name, stride=1):
    return convolve(h, weights[name + "/kernel"], weights[name + "/bias"], stride)


def block(h, y, weights, name):
    r = conv(reference.swish(h), weights, name + "/conv_1")
    scale, shift = reference.scale_shift(y, weights, name + "/class")
    r = scale[:, None, None] * r + shift[:, None, None]
    return h + conv(reference.swish(r), weights, name + "/conv_2")


def heads(bits, y, weights, config):
    """Mean and log standard deviation of q(z | x, y), side by side."""
    h = 2.0 * bits.reshape(len(bits), config.side, config.side, 1) - 1.0
    for level in range(1, len(config.channels) + 1):
        scope = f"q_net/down_{level}"
        h = conv(h, weights, scope + "/halve", stride=2)
        for number in range(1, config.blocks + 1):
            h = block(h, y, weights, f"{scope}/block_{number}")
    h = np.concatenate([h.reshape(len(bits), -1), y], 1)
    return reference.mlp(h, y, weights, "q_net", len(config.hidden), "q_net/z_heads")


def logits(y, z, weights, config):
    """Of x, for y `[n, K]` and z `[n, d]`."""
    h = np.concatenate([y, z], 1)
    h = reference.mlp(h, y, weights, "gen", len(config.hidden), "gen/unfold")
    side = int(round((h.shape[1] / config.channels[-1]) ** 0.5))
    h = h.reshape(len(y), side, side, config.channels[-1])
    for level in range(len(config.channels), 0, -1):
        scope = f"gen/up_{level}"
        for number in range(1, config.blocks + 1):
            h = block(h, y, weights, f"{scope}/block_{number}")
        h = doubled(conv(reference.swish(h), weights, scope + "/double"))
    return h.reshape(len(y), -1)
