"""The homework in one file: a class-conditional VAE on MNIST with ZhuSuan.

    .venv/bin/python examples/minimal.py

trains for 5 epochs and writes runs/minimal.png, ten samples of each class. On two cores
of an AMD EPYC server it ends with a test bound on log p(x | y) of -101.19 nats (ZhuSuan
0.4.0 on TensorFlow 1.15), -101.29 (cvae.zs there) or -101.55 (on TensorFlow 2.20).

    y       ~ Discrete(π),  π_j = 1/K                    j = 1..K
    z       ~ N(0, I_d)                                                        (1)
    x | y,z ~ Bernoulli(NN_θ(y, z))                      x in {0, 1}^784

The variational posterior q_φ(z | x, y) = N(z | μ_φ(x, y), diag σ²_φ(x, y)) gives the
lower bound that training maximizes:

    log p(x, y) ≥ E_q[log p(x | y, z) + log p(z) - log q(z | x, y)] + log π_y  (2)
"""

import os
import sys
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for fewer notes of TensorFlow's

import tensorflow.compat.v1 as tf

from cvae import cli, zs
from cvae.backend import compat
from cvae.cli import options
from cvae.data import mnist
from cvae.data.binarize import binarize
from cvae.data.dataset import Split

K, D, PIXELS = 10, 40, 784
HIDDEN = 500  # units of each hidden layer
BATCH = 100  # images in a step
RATE = 1e-3  # of Adam
SEED = 1


@zs.meta_bayesian_net(scope="gen", reuse_variables=True)
def build_generator(n):
    """Build p(x, y, z) of equation (1) for `n` images; θ is in the scope gen."""
    bn = zs.BayesianNet()
    y = bn.onehot_categorical("y", tf.zeros([n, K]), dtype=tf.float32)  # [n, K]
    z = bn.normal("z", tf.zeros([n, D]), std=1.0, group_ndims=1)  # [n, D]
    h = tf.nn.relu(dense(tf.concat([y, z], 1), HIDDEN, "hidden_1"))
    h = tf.nn.relu(dense(h, HIDDEN, "hidden_2"))
    logits = dense(h, PIXELS, "x_logits")
    bn.deterministic("x_mean", tf.sigmoid(logits))
    bn.bernoulli("x", logits, group_ndims=1, dtype=tf.float32)  # [n, PIXELS]
    return bn


@zs.meta_bayesian_net(scope="q_net", reuse_variables=True)
def build_variational(x, y):
    """Build q(z | x, y); x is bits `[n, PIXELS]`, y one-hot `[n, K]`; φ is in q_net."""
    bn = zs.BayesianNet()
    h = tf.nn.relu(dense(tf.concat([x, y], 1), HIDDEN, "hidden_1"))
    h = tf.nn.relu(dense(h, HIDDEN, "hidden_2"))
    mean, logstd = tf.split(dense(h, 2 * D, "z_heads"), 2, 1)  # [n, D] each
    bn.normal("z", mean, logstd=logstd, group_ndims=1)
    return bn


def dense(h, units, name):
    """Apply an affine layer, `[n, n_in]` to `[n, units]`, with Glorot's kernel."""
    zeros = tf.zeros_initializer()
    with tf.variable_scope(name, use_resource=True):
        kernel = tf.get_variable("kernel", [h.shape.as_list()[1], units])
        bias = tf.get_variable("bias", [units], initializer=zeros)
    return tf.matmul(h, kernel) + bias


def lower_bound(generator, x, y):
    """Return the bound (2) on log p(x, y) of each image, `[n]`: ZhuSuan's objective."""
    variational = build_variational(x, y).observe()
    return zs.variational.elbo(generator, {"x": x, "y": y}, variational=variational)


def train(training, test, epochs):
    """Train, print mean bounds in nats; return ten samples a class, `[100, PIXELS]`.

    `training` and `test` have `images`, uint8 `[n, PIXELS]`, and `labels`, `[n]`.
    """
    with compat.new_graph(), tf.Session() as session:
        tf.set_random_seed(SEED)
        random = np.random.RandomState(SEED)
        images = tf.placeholder(tf.uint8, [None, PIXELS])  # intensities, 0 to 255
        labels = tf.placeholder(tf.uint8, [None])
        # Every visit of an image draws other bits; 0 and 255 always give the same bit.
        uniform = tf.random_uniform(tf.shape(images))
        x = tf.cast(255.0 * uniform < tf.cast(images, tf.float32), tf.float32)
        y = tf.one_hot(labels, K)
        generator = build_generator(tf.shape(y)[0])
        elbo = lower_bound(generator, x, y)
        update = tf.train.AdamOptimizer(RATE).minimize(tf.reduce_mean(elbo.sgvb()))
        bound = tf.reduce_mean(elbo.tensor) + np.log(K)  # less log π_y: on log p(x | y)
        x_mean = generator.observe(y=y)["x_mean"]  # z is drawn from the prior
        session.run(tf.global_variables_initializer())

        def mean_bound(split, order, *updates):
            bounds = []
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                feed = {images: split.images[batch], labels: split.labels[batch]}
                bounds.append(session.run([bound, *updates], feed)[0])
            return np.mean(bounds)

        for epoch in range(1, epochs + 1):
            order = random.permutation(len(training.images))
            mean = mean_bound(training, order, update)
            print(f"epoch {epoch}: training bound {mean:.2f}", flush=True)
        mean = mean_bound(test, np.arange(len(test.images)))
        print(f"test bound on log p(x | y): {mean:.2f} nats an image")
        print(f"test bound on log p(x, y): {mean - np.log(K):.2f}, which adds log π_y")
        return session.run(x_mean, {labels: np.repeat(np.arange(K), 10)})


def main():
    """Parse the command line, train, and draw a grid with a row for each class."""
    parser, whole = cli.Parser(__doc__), options.whole(1, 1000)
    parser.add_argument("--epochs", type=whole, default=5, help="passes over the data")
    parser.add_argument("--output", default="runs/minimal.png", help="PNG of samples")
    arguments = parser.parse_args()
    Path(arguments.output).parent.mkdir(parents=True, exist_ok=True)
    dataset = mnist.load()
    bits = binarize(dataset.test.images)  # those of all evaluations of cvae
    test = Split(255 * bits, dataset.test.labels)
    samples = train(dataset.train, test, arguments.epochs)
    grid = samples.reshape(K, 10, 28, 28).swapaxes(1, 2).reshape(K * 28, 10 * 28)
    imsave(arguments.output, grid, vmin=0, vmax=1, cmap="gray_r", format="png")
    print(arguments.output)


if __name__ == "__main__":
    cli.run_main(main)
