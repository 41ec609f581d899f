"""MNIST: found or downloaded, verified, parsed, binarized; checks of arrays."""
