"""Acquisition: find, fetch, unpack and check local data sets."""
