"""Run the same training in PyTorch, in three ways.

- "eager": modules, autograd and the fused Adam, as most people write it;
- "onednn": the same, but the inputs of layers are oneDNN tensors (`Tensor.to_mkldnn`).
  So products run in oneDNN, not in MKL, which does not use AVX-512 on AMD processors;
- "compiled": `torch.compile` of the whole step, from the image numbers to the new
  weights, as one graph. The gradient comes from `torch.func` and Adam is written out,
  because a backward pass outside of the graph would split it. Random numbers are those
  of eager mode, which is faster than the compiled generator on a CPU.

Images stay a tensor of uint8. All ways use all cores, which is the default.
"""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value
from torch.nn import functional as F

from peers import layers, shuffled

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class Cvae(nn.Module):
    """Encoder and decoder; a call returns the mean bound of a batch in nats."""

    def __init__(self, config, onednn):
        super().__init__()
        self._onednn = onednn
        affine = [nn.Linear(*size) for _, size in layers(config)]
        for layer in affine:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        half = len(affine) // 2
        self.encoder = _with_relu(affine[:half])
        self.decoder = _with_relu(affine[half:])
        self.affine = affine

    def forward(self, intensities, y):
        """Return the bound of images of `intensities` (uint8), y being one-hot."""
        x = (255.0 * torch.rand(intensities.shape) < intensities).float()
        heads = self._dense(self.encoder, torch.cat([x, y], 1))
        mean, logstd = heads.chunk(2, 1)
        noise = torch.randn_like(mean)
        z = mean + logstd.exp() * noise
        logits = self._dense(self.decoder, torch.cat([y, z], 1))
        log_px = -F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        log_qz_pz = 0.5 * (z * z - noise * noise - 2.0 * logstd).sum()
        return (log_px - log_qz_pz) / len(x)

    def _dense(self, body, h):
        return body(h.to_mkldnn()).to_dense() if self._onednn else body(h)


class Peer:
    """Train in one of the three ways, whose name is `way`."""

    flop = None

    def __init__(self, config, train, way):
        self.versions = ["PyTorch " + torch.__version__]
        torch.manual_seed(config.seed)
        self._images = torch.tensor(train.images)
        labels = torch.tensor(train.labels, dtype=torch.int64)
        self._y = F.one_hot(labels, config.n_classes).float()
        random = np.random.RandomState(config.seed)
        self._order = shuffled(len(train.images), config.batch_size, random)
        self._names = [name for name, _ in layers(config)]
        self._net = Cvae(config, way == "onednn")
        make = _compiled_step if way == "compiled" else _eager_step
        self._step = make(self._net, config.learning_rate)

    def run(self, n_steps):
        """Take `n_steps` steps; return their bounds."""
        bounds = []
        for _ in range(n_steps):
            chosen = torch.from_numpy(next(self._order))
            bounds.append(self._step(self._images[chosen], self._y[chosen]))
        return torch.stack(bounds).numpy()

    def weights(self):
        """Return the weights, kernels as `[n_in, n_out]`."""
        found = {}
        for name, layer in zip(self._names, self._net.affine):
            found[name + "/kernel"] = layer.weight.detach().numpy().T
            found[name + "/bias"] = layer.bias.detach().numpy()
        return found


def _with_relu(affine):
    pairs = [part for layer in affine[:-1] for part in (layer, nn.ReLU())]
    return nn.Sequential(*pairs, affine[-1])


def _eager_step(net, rate):
    adam = torch.optim.Adam(net.parameters(), lr=rate, fused=True)

    def step(intensities, y):
        adam.zero_grad(set_to_none=True)
        bound = net(intensities, y)
        (-bound).backward()
        adam.step()
        return bound.detach()

    return step


def _compiled_step(net, rate):
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
        return -value

    return step
