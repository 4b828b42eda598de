"""Fused batch-instance normalization for CPU tensors."""
