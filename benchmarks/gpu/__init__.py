"""Checks and measurements of a machine with a CUDA GPU: `make gpu`."""
