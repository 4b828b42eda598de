"""Checks of a file's tensors: they fit a network, and their values are finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from metabin.errors import CheckpointError


def require_fit(
    source: str | Path, file_tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Check that a file has the tensors of a network, with the same shapes, and no others.

    Args:
        source: the file's name, for the error.
        file_tensors: the file's tensors by name.
        expected: the network's tensors by name.

    Raises:
        CheckpointError: names the first three tensors that do not fit, and counts the others.
    """
    problems = [f"{name} is not in the file" for name in expected if name not in file_tensors]
    problems += [f"{name} is not in the network" for name in file_tensors if name not in expected]
    problems += [
        f"{name} has shape {tuple(file_tensors[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in file_tensors and file_tensors[name].shape != value.shape
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit the network: {'; '.join(problems[:3])}"
            + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
        )


def require_numbers(source: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Check that tensors have a floating type and are finite after conversion to float32.

    Args:
        source: the file's name, for the error.
        tensors: by name.

    Raises:
        CheckpointError: names the first tensor that fails, and its type or its number of bad
            values.
    """
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise CheckpointError(
                f"{source}: {name} is of type {value.dtype}; "
                "expected are float32, float64, float16 or bfloat16. "
                "Save the weights before they are quantised"
            )
        # A finite float64 value may be infinite in float32, the type of the network.
        finite = value.float().isfinite()
        if not finite.all():
            raise CheckpointError(
                f"{source}: {name} has {int((~finite).sum())} of {value.numel()} values "
                "that are NaN or infinite, as after a training that diverged; "
                "name an earlier checkpoint"
            )
