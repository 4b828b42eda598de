"""Fused batch-instance normalisation for CPU tensors."""
