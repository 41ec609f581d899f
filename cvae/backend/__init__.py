"""TensorFlow as the package uses it: both versions, threads, random numbers."""
