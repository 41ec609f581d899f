"""Measure how good a run is."""

MAX_CHECKS = 10**4  # images of each check of the likelihoods
