"""TensorFlow as the package uses it: what differs between versions, threads, draws."""
