"""Partition: folds, named protocols, the role of every identity, and overlap of data sets."""
