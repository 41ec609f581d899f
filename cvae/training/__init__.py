"""The training graph, and the loop around it."""

from cvae.training.loop import train

__all__ = ["train"]
