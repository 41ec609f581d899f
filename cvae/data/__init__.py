"""Labelled images: found, read and checked; binarized; facts that a run keeps."""

from cvae.data.arrays import from_arrays

__all__ = ["from_arrays"]
