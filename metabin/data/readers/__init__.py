"""Readers of real data sets, one file each: from a folder, as distributed, to records of images."""
