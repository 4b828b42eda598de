"""Checks of a file's tensors: they fit a network, and their values are possible."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path

import torch
from torch import Tensor

from metabin.errors import CheckpointError

TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
COUNTERS = (torch.int64, torch.int32)
RANGES = {"rho": (0, 1), "running_var": (0, inf)}  # by the last part of a tensor's name


def require_plain(source: str | Path, file_tensors: Mapping[str, Tensor]) -> None:
    """Check that tensors are plain arrays; other kinds lack a shape or values.

    Raises:
        CheckpointError: names the first that is not.
    """
    for name, value in file_tensors.items():
        if value.layout != torch.strided or value.is_nested or value.is_meta:
            raise CheckpointError(
                f"{source}: {name} is a sparse, nested or meta tensor; expected are plain tensors: "
                "save tensor.to_dense()"
            )


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


def require_values(
    source: str | Path, file_tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Check that tensors have a floating type and possible values, and counters an integer type.

    Values must be finite after conversion to float32, the type of the network. A rho is in [0, 1],
    and a running variance is at least 0.

    Args:
        source: the file's name, for the error.
        file_tensors: the file's tensors by name; they fit (see `require_fit`).
        expected: the network's tensors by name.

    Raises:
        CheckpointError: names the first tensor that fails, and its type or its number of bad
            values.
    """
    for name, value in file_tensors.items():
        is_float = expected[name].is_floating_point()
        if is_float and value.dtype not in TYPES or not is_float and value.dtype not in COUNTERS:
            types = "float32, float64, float16 or bfloat16" if is_float else "int64 or int32"
            raise CheckpointError(
                f"{source}: {name} is of type {value.dtype}; expected are {types}. "
                "Save the weights before they are quantised"
            )
        _require_possible(f"{source}: {name}", name.rpartition(".")[2], value.float())


def _require_possible(place: str, kind: str, value: Tensor) -> None:
    """Check the values of a tensor; `kind` is the last part of its name."""
    is_bad = ~value.isfinite()
    if is_bad.any():
        raise CheckpointError(
            f"{place} has {int(is_bad.sum())} of {value.numel()} values that are NaN or infinite, "
            "as after a training that diverged; name an earlier checkpoint"
        )
    low, high = RANGES.get(kind, (-inf, inf))
    is_bad = (value < low) | (value > high)
    if is_bad.any():
        raise CheckpointError(
            f"{place} has {int(is_bad.sum())} of {value.numel()} values outside [{low}, {high}], "
            f"such as {value[is_bad][0]:.4g}; the file is not that of a training: get it again"
        )
