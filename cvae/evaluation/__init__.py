"""Measure how good a run is."""

MAX_AIS = 10**4  # images
