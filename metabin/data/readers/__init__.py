"""Readers of real data sets, one file each: a folder as its owners distribute it becomes records of images."""
