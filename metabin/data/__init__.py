"""Data: readers, acquisition, partition and batches of person images."""
