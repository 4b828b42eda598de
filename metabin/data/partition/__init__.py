"""Partition: folds, named protocols, the role of every identity, and overlap between data sets."""
