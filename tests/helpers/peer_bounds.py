"""What tests/benchmarks/test_nets.py runs on the Python of PyTorch and JAX.

    python peer_bounds.py pytorch|jax FOLDER

Each CASE.json and CASE.npz in FOLDER are a configuration, and arrays: x, y, noise and
the weights by name. CASE-WAY.npz is made beside: the bound and its gradient by weight.
"""

import json
import sys
from pathlib import Path

import numpy as np

from cvae.config import Config


def main():
    library, folder = sys.argv[1], Path(sys.argv[2])
    for path in sorted(folder.glob("*.json")):
        config = Config.from_dict(json.loads(path.read_text()))
        with np.load(str(path.with_suffix(".npz"))) as file:
            weights = dict(file)
        given = [weights.pop(name) for name in ("x", "y", "noise")]
        for way, found in WAYS[library](config, weights, *given):
            np.savez(str(folder / f"{path.stem}-{way}.npz"), **found)


def in_jax(config, weights, x, y, noise):
    import jax
    from peers.in_jax import mean_bound

    both = jax.jit(jax.value_and_grad(mean_bound), static_argnums=4)
    bound, gradients = both(weights, x, y, noise, config)
    yield "jax", dict(gradients, bound=bound)


def in_pytorch(config, weights, *given):
    import torch
    from peers.in_pytorch import Cvae

    for way in ("eager", "onednn", "channels-last"):
        net = Cvae(config, weights, way)
        bound = net.bound(*map(torch.from_numpy, given))
        bound.backward()
        for parameter in net.parameters():
            parameter.data = parameter.grad  # to get it as weights have names
        yield way, dict(net.weights(), bound=bound.detach().numpy())


WAYS = {"jax": in_jax, "pytorch": in_pytorch}

if __name__ == "__main__":
    main()
