"""Acquisition: find, fetch, unpack and check the user's local data sets."""
