"""Figures: grids of images, curves and panels in one style."""
