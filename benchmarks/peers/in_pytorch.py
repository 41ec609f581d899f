"""Run the same training in PyTorch, in four ways.

- "eager": modules, autograd and the fused Adam (AdamW), as most people write it;
- "onednn": the same, but the inputs of layers are oneDNN tensors (`Tensor.to_mkldnn`).
  So products run in oneDNN, not in MKL, which does not use AVX-512 on AMD processors.
  These tensors do not broadcast: FiLM and its activation get an ordinary tensor, and
  the next layer another oneDNN tensor. Convolutions run in oneDNN anyway;
- "channels-last": the same as "eager", but images and kernels of convolutions have the
  channels last in memory;
- "compiled": `torch.compile` of the whole step, from the image numbers to the new
  weights, as one graph. The gradient comes from `torch.func` and Adam is written out,
  because a backward pass outside of the graph would split it. Random numbers are those
  of eager mode, which is faster than the compiled generator on a CPU. The compiler
  itself has the channels last.

Images stay a tensor of uint8. All ways use all cores, which is the default.
"""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value
from torch.nn import functional as F

from peers import shuffled
from peers.nets import initial_weights, layers

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
ACTIVATIONS = {"relu": F.relu, "swish": F.silu}


class Peer:
    """Train in one of the four ways, whose name is `way`."""

    flop = None

    def __init__(self, config, train, way):
        self.versions = ["PyTorch " + torch.__version__]
        torch.manual_seed(config.seed)
        self._images = torch.tensor(train.images)
        labels = torch.tensor(train.labels, dtype=torch.int64)
        self._y = F.one_hot(labels, config.n_classes).float()
        random = np.random.RandomState(config.seed)
        self._order = shuffled(len(train.images), config.batch_size, random)
        self._net = Cvae(config, initial_weights(config), way)
        make = _compiled_step if way == "compiled" else _eager_step
        self._step = make(self._net, config)

    def run(self, n_steps):
        """Take `n_steps` steps; return their bounds."""
        bounds = []
        for _ in range(n_steps):
            chosen = torch.from_numpy(next(self._order))
            bounds.append(self._step(self._images[chosen], self._y[chosen]))
        return torch.stack(bounds).numpy()

    def weights(self):
        """Return the weights by the names of `cvae.model`'s variables."""
        return self._net.weights()


class Cvae(nn.Module):
    """Encoder and decoder; a call returns the mean bound of a batch in nats."""

    def __init__(self, config, weights, way):
        super().__init__()
        self._config, self._onednn = config, way == "onednn"
        self._activation = ACTIVATIONS[config.activation]
        self._format = torch.contiguous_format
        if way == "channels-last":
            self._format = torch.channels_last
        self.layers = nn.ModuleDict(
            {layer.name: _module(layer, weights) for layer in layers(config)}
        ).to(memory_format=self._format)

    def forward(self, intensities, y):
        """Return the bound of images of `intensities` (uint8), y being one-hot."""
        x = (255.0 * torch.rand(intensities.shape) < intensities).float()
        return self.bound(x, y, torch.randn(len(x), self._config.z_dim))

    def bound(self, x, y, noise):
        """Return the bound of images of bits `x`; z is made of the `noise`."""
        mean, logstd = self._heads(x, y).chunk(2, 1)
        z = mean + logstd.exp() * noise
        logits = self._logits(y, z)
        log_px = -F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        if self._config.path_derivative:  # log q depends on the weights only by z
            mean, logstd = mean.detach(), logstd.detach()
            noise = (z - mean) * (-logstd).exp()
        log_qz_pz = 0.5 * (z * z - noise * noise - 2.0 * logstd).sum()
        return (log_px - log_qz_pz) / len(x)

    def weights(self):
        """Return the weights, kernels as `[…, n_in, n_out]`."""
        found = {}
        for name, layer in self.layers.items():
            kernel, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            kernel = kernel.transpose((2, 3, 1, 0) if kernel.ndim == 4 else (1, 0))
            if name.endswith("/double"):
                groups = len(bias) // 4
                kernel, bias = _regrouped(kernel, groups), _regrouped(bias, groups)
            found[name + "/kernel"], found[name + "/bias"] = kernel, bias
        return found

    def _heads(self, x, y):
        """Return mean and log standard deviation of z, side by side."""
        config = self._config
        if config.network == "conv":
            h = (2.0 * x - 1.0).view(-1, 1, config.side, config.side)
            for level in range(1, 1 + len(config.channels)):
                scope = f"q_net/down_{level}"
                h = self._blocks(scope, self._halved(scope + "/halve", h), y)
            x = h.permute(0, 2, 3, 1).flatten(1)
        h = self._hidden("q_net", torch.cat([x, y], 1), y)
        return self._plain(self._dense("q_net/z_heads", h))

    def _logits(self, y, z):
        config = self._config
        h = self._hidden("gen", torch.cat([y, z], 1), y)
        if config.network == "mlp":
            return self._plain(self._dense("gen/x_logits", h))
        side = config.small_side
        h = self._plain(self._dense("gen/unfold", h))
        h = h.view(-1, side, side, config.channels[-1]).permute(0, 3, 1, 2)
        h = h.contiguous(memory_format=self._format)
        for level in range(len(config.channels), 0, -1):
            scope = f"gen/up_{level}"
            h = self._activation(self._blocks(scope, h, y))
            h = F.pixel_shuffle(self.layers[scope + "/double"](h), 2)
        return h.flatten(1)

    def _hidden(self, scope, h, y):
        for number in range(1, 1 + len(self._config.hidden)):
            h = self._dense(f"{scope}/hidden_{number}", h)
            if self._config.film:
                scale, shift = self.layers[f"{scope}/class_{number}"](y).chunk(2, 1)
                h = self._plain(h) * (1.0 + scale) + shift
            h = self._activation(h)
        return h

    def _blocks(self, scope, h, y):
        for number in range(1, 1 + self._config.blocks):
            block = f"{scope}/block_{number}"
            r = self.layers[block + "/conv_1"](self._activation(h))
            scale_shift = self.layers[block + "/class"](y)[:, :, None, None]
            scale, shift = scale_shift.chunk(2, 1)
            r = self._activation(r * (1.0 + scale) + shift)
            h = h + self.layers[block + "/conv_2"](r)
        return h

    def _halved(self, name, h):
        """Convolve with a stride of 2; the odd row of zeros is at the end."""
        conv = self.layers[name]
        zeros = conv.kernel_size[0] - 2
        return conv(F.pad(h, [zeros // 2, zeros - zeros // 2] * 2))

    def _dense(self, name, h):
        if self._onednn and not h.is_mkldnn:
            h = h.to_mkldnn()
        return self.layers[name](h)

    def _plain(self, h):
        """Return the output of `_dense` as an ordinary tensor."""
        return h.to_dense() if self._onednn else h


def _module(layer, weights):
    """Return a layer with its weights."""
    kernel, bias = weights[layer.name + "/kernel"], weights[layer.name + "/bias"]
    if layer.name.endswith("/double"):  # `pixel_shuffle` has the four pixels last
        kernel, bias = _regrouped(kernel, 4), _regrouped(bias, 4)
    if kernel.ndim == 2:
        module = nn.Linear(*layer.kernel)
        kernel = kernel.transpose()
    else:
        size, _, n_in, n_out = layer.kernel
        padding = size // 2 if layer.stride == 1 else 0
        module = nn.Conv2d(n_in, n_out, size, layer.stride, padding)
        kernel = kernel.transpose(3, 2, 0, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(kernel))
        module.bias.copy_(torch.tensor(bias))
    return module


def _regrouped(array, groups):
    """Return the last axis, `groups` of equal size, with all first members first."""
    parts = array.reshape(*array.shape[:-1], groups, -1)
    return parts.swapaxes(-1, -2).reshape(array.shape)


def _eager_step(net, config):
    kernels = [w for w in net.parameters() if w.ndim > 1]
    biases = [w for w in net.parameters() if w.ndim == 1]
    adam = torch.optim.AdamW(
        [{"params": kernels, "weight_decay": config.weight_decay}, {"params": biases}],
        lr=config.learning_rate,
        weight_decay=0.0,
        fused=True,
    )

    def step(intensities, y):
        adam.zero_grad(set_to_none=True)
        bound = net(intensities, y)
        (-bound).backward()
        adam.step()
        return bound.detach()

    return step


def _compiled_step(net, config):
    rate, keep = config.learning_rate, 1.0 - config.learning_rate * config.weight_decay
    weights = {name: w.detach() for name, w in net.named_parameters()}
    first = {name: torch.zeros_like(w) for name, w in weights.items()}
    second = {name: torch.zeros_like(w) for name, w in weights.items()}
    time = torch.zeros(())

    def cost(weights, intensities, y):
        return -functional_call(net, weights, (intensities, y))

    @torch.compile(fullgraph=True, dynamic=False, options={"fallback_random": True})
    def step(intensities, y):
        gradients, value = grad_and_value(cost)(weights, intensities, y)
        time.add_(1.0)
        scaled = rate * torch.sqrt(1.0 - BETA_2**time) / (1.0 - BETA_1**time)
        for name, w in weights.items():
            g = gradients[name]
            first[name].lerp_(g, 1.0 - BETA_1)
            second[name].lerp_(g * g, 1.0 - BETA_2)
            w.sub_(scaled * first[name] / (second[name].sqrt() + EPSILON))
            if keep < 1.0 and w.ndim > 1:
                w.mul_(keep)
        return -value

    return step
