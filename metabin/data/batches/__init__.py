"""Batches: load, augment and sample training images."""
