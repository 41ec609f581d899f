"""Class-conditional variational autoencoder on MNIST, with ZhuSuan."""

__version__ = "1.0.0"
