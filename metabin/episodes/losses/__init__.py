"""Losses of the meta step alone."""
