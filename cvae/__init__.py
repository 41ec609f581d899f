"""Class-conditional variational autoencoder on MNIST, with ZhuSuan."""

import os

__version__ = "1.0.0"

# Else all of TensorFlow's sessions share the threads that the first one asked for, and
# rounding in the second hangs on which came first.
os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")
