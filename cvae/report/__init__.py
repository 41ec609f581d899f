"""A run as a paper."""
