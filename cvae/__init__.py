"""Class-conditional variational autoencoder on MNIST, with ZhuSuan."""

import os

__version__ = "1.0.0"

# Else all of TensorFlow's sessions share the threads that the first one asked for, and
# rounding in the second hangs on which came first.
os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")

# Today's TensorFlow takes oneDNN's kernels by itself on processors with AVX-512 alone;
# with AVX2, too, convolutions train 1.6 times as fast with them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
