"""Peers have the nets, the bound and the gradients of `cvae.model`.

PyTorch and JAX are tested where `make peers` has installed them.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny
from paths import HELPERS, ROOT

from cvae import model, zs
from cvae.backend import compat, stateless
from cvae.config import PRESETS, Config
from cvae.data.dataset import Split

sys.path.insert(0, str(ROOT / "benchmarks"))

from peers import BLOCK, driver, products, recipe, tutorial
from peers.nets import initial_weights, layers, step_flop

PLAIN = Config(hidden=(20, 15), z_dim=6, activation="relu", path_derivative=False)
CASES = {
    "plain": PLAIN,
    "film": Config(hidden=(20, 15), z_dim=6, film=True),
    "conv": Config(
        network="conv", hidden=(20, 15), z_dim=6, film=True, channels=(4, 6), blocks=2
    ),
}
N = 5  # images
PEERS = driver.pythons(".venv-peers")["peers"]
RECIPES = [recipe(7, name) for name in (None, *PRESETS)]


def kernels(config):
    return {layer.name + "/kernel": layer.kernel for layer in layers(config)}


def training_graph(config):
    """Return variables, mean bound, gradients and noise of a batch, on bits `x`."""
    x = tf.placeholder(tf.float32, [N, config.x_dim])
    y = tf.placeholder(tf.float32, [N, config.n_classes])
    key = stateless.key(3, 1, "posterior")
    nets = model.build_networks(config)
    objective = model.lower_bound(nets, x, y, key, config)
    bound = tf.reduce_mean(objective) + np.log(config.n_classes)
    variables = {v.op.name: v for v in tf.trainable_variables()}
    cost = tf.reduce_mean(objective.sgvb())
    gradients = dict(zip(variables, tf.gradients(-cost, list(variables.values()))))
    noise = tf.random.stateless_normal([1, N, config.z_dim], key)[0]
    return (x, y), variables, bound, gradients, noise


@pytest.fixture(scope="module")
def cases():
    """Of each case: what a peer is given, and the bound and gradients it must find."""
    found = {}
    for case, config in CASES.items():
        random = np.random.RandomState(1)
        x = (random.random_sample((N, config.x_dim)) < 0.3).astype(np.float32)
        y = np.eye(config.n_classes, dtype=np.float32)[np.arange(N)]
        with compat.new_graph() as graph:
            places, variables, bound, gradients, noise = training_graph(config)
            shapes = {name: v.shape.as_list() for name, v in variables.items()}
            weights = tiny.random_weights(shapes)
            with tf.Session(graph=graph) as session:
                compat.load(session, variables, weights)
                feed = dict(zip(places, (x, y)))
                wanted = session.run(dict(gradients, bound=bound), feed)
                given = dict(weights, x=x, y=y, noise=session.run(noise))
        found[case] = given, wanted
    return found


def check(found, wanted):
    assert found.keys() == wanted.keys()
    for name in wanted:
        size = np.abs(wanted[name]).max()
        np.testing.assert_allclose(
            found[name], wanted[name], rtol=1e-4, atol=1e-5 * size, err_msg=name
        )


@pytest.fixture(scope="module")
def library(cases, tmp_path_factory):
    """A function from a library's name to the folder of what it found."""
    if isinstance(PEERS, driver.NotMeasured):
        pytest.skip(str(PEERS))
    folder = tmp_path_factory.mktemp("cases")
    for case, (given, _) in cases.items():
        np.savez(str(folder / f"{case}.npz"), **given)
        text = json.dumps(CASES[case].to_dict())
        (folder / f"{case}.json").write_text(text)
    path = os.pathsep.join([str(driver.BENCHMARKS), str(ROOT)])
    done = set()

    def run(name):
        if name not in done:
            command = [str(PEERS), str(HELPERS / "peer_bounds.py"), name, str(folder)]
            subprocess.run(command, env=dict(os.environ, PYTHONPATH=path), check=True)
            done.add(name)
        return folder

    return run


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["eager", "onednn", "channels-last", "jax"])
def test_pytorch_and_jax_have_our_bound_and_gradients(way, case, cases, library):
    folder = library("jax" if way == "jax" else "pytorch")
    with np.load(str(folder / f"{case}-{way}.npz")) as file:
        check(dict(file), cases[case][1])


@pytest.mark.parametrize("case", CASES)
def test_the_tutorial_has_our_bound_and_gradients(case, cases, monkeypatch):
    given, wanted = cases[case]
    x, y, noise = (given[name] for name in ("x", "y", "noise"))

    def drawn(posterior, n_samples):
        assert n_samples == 1
        return (posterior.mean + posterior.std * noise)[None]

    monkeypatch.setattr(zs.distributions.Normal, "_sample", drawn)
    with compat.new_graph() as graph:
        bits, classes = (tf.placeholder(tf.float32, [None, a.shape[1]]) for a in (x, y))
        # Intensities of 0 and 1 are their own bits.
        bound = tutorial._bound(bits, classes, CASES[case])
        variables = {v.op.name: v for v in tf.trainable_variables()}
        gradients = dict(zip(variables, tf.gradients(bound, list(variables.values()))))
        with tf.Session(graph=graph) as session:
            session.run(tf.global_variables_initializer())
            for name, variable in variables.items():
                variable.load(given[name], session)
            feed = {bits: x, classes: y}
            check(session.run(dict(gradients, bound=bound), feed), wanted)


@pytest.mark.parametrize("peer", ["pytorch", "jax", "tutorial"])
def test_peers_decay_kernels_only(peer, mnist_dir, tmp_path):
    """At a rate of 1e-3, all of a kernel is taken away before or after each step."""
    python = sys.executable if peer == "tutorial" else PEERS
    config = Config.from_dict(
        dict(recipe(N, "quick").to_dict(), hidden=[20], weight_decay=1e3)
    )
    if isinstance(python, driver.NotMeasured):
        pytest.skip(str(python))
    with driver.worker(python, peer, config, mnist_dir) as worker:
        worker.save(tmp_path / "weights.npz")
    with np.load(str(tmp_path / "weights.npz")) as weights:
        for name in weights:
            largest = np.abs(weights[name]).max()
            if name.endswith("/kernel"):
                assert largest < 2e-3, name
            else:
                assert 4e-3 < largest <= BLOCK * 2e-3, name


@pytest.mark.parametrize("config", [*RECIPES, CASES["conv"]])
def test_layers_and_initial_weights_are_those_of_the_model(config):
    with compat.new_graph():
        _, variables, *_ = training_graph(config)
    shapes = {name: tuple(v.shape.as_list()) for name, v in variables.items()}
    assert kernels(config) == {k: s for k, s in shapes.items() if k.endswith("kernel")}
    assert {k: v.shape for k, v in initial_weights(config).items()} == shapes


def counted(graph, outputs):
    """Count the operations of products and convolutions that `outputs` depend on."""
    needed = tf.graph_util.extract_sub_graph(graph.as_graph_def(), outputs).node
    total = 0
    for op in (graph.get_operation_by_name(node.name) for node in needed):
        if op.type == "MatMul":
            inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
            total += 2 * int(inner) * op.outputs[0].shape.num_elements()
        elif op.type.startswith("Conv2D"):
            made = op.outputs[0]
            images = made if op.type == "Conv2D" else op.inputs[2]
            kernel = made if op.type == "Conv2DBackpropFilter" else op.inputs[1]
            total += 2 * images.shape[:3].num_elements() * kernel.shape.num_elements()
    return total


@pytest.mark.parametrize("config", [*RECIPES, CASES["conv"]])
def test_a_steps_operations_are_those_of_the_training_graph_and_of_products(config):
    config = Config.from_dict(dict(config.to_dict(), batch_size=N))
    with compat.new_graph() as graph:
        gradients = training_graph(config)[3]
        names = [gradient.op.name for gradient in gradients.values()]
        assert counted(graph, names) == step_flop(config)
    with tf.Graph().as_default() as graph:
        work = products.of_a_step(config)
        names = [product.op.name for product in work]
        assert counted(graph, names) == step_flop(config)
        assert counted(graph, names[-1:]) == step_flop(config)  # one after the other
        with tf.Session(graph=graph) as session:
            session.run(tf.global_variables_initializer())
            session.run([product.op for product in work])


def test_products_of_a_step_are_run_without_data():
    peer = products.Peer(CASES["conv"], Split(None, None), size=None)
    assert peer.flop == step_flop(CASES["conv"])
    assert len(peer.run(1)) == 0
