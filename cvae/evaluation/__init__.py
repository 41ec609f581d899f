"""Measure how good a run is."""

MOST_PARTICLES = 10**6
MOST_AIS = 10**4  # images
