"""Figures: grids of images, line art, panels, one look."""
