"""Batch-instance normalisation, residual and ReLU in few passes over the feature maps.

`interface` derives the equations. `function` is the operation with its gradient, and `layers` are
the norms that use it. `cpu` (numba) and `cuda` (Triton) do the arithmetic: `maps` passes over the
pixels, `channels` computes with one number per image and channel in between, and `kernels` calls
both.
"""
