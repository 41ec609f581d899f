"""MNIST: found or fetched, verified, parsed, binarized."""
