"""Class-conditional variational autoencoder on MNIST, with ZhuSuan."""

import os

__version__ = "1.0.0"

# Otherwise all of TensorFlow's sessions share the threads of the first one, and
# rounding depends on which session was created first.
os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")

# Today's TensorFlow uses oneDNN's kernels by default only on processors with AVX-512;
# with AVX2, too, convolutions train 1.6 times as fast with them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# An evaluation has a thread for each core. Threads of NumPy's linear algebra in each of
# them would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# TensorFlow's other compiler, XLA, is not used. But each session looks for operations
# that XLA could compile, which takes a fifth of a training's first step.
os.environ.setdefault("TF_XLA_FLAGS", "--tf_xla_clustering_fuel=0")
