"""The training graph, and the loop around it."""
