"""Whether the tensors of a file are those of a network, and numbers to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from metabin.errors import CheckpointError


def require_fit(source: str | Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Check that a file has the tensors that a network wants, with their shapes, and no others.

    Args:
        source: the file's name, for the error. found: the file's tensors by name. wanted: the network's.

    Raises:
        CheckpointError: the first three tensors that do not fit, and how many more there are.
    """
    problems = [f"{name} is not in the file" for name in wanted if name not in found]
    problems += [f"{name} is not in the network" for name in found if name not in wanted]
    problems += [
        f"{name} has shape {tuple(found[name].shape)}, wanted {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit the network: {'; '.join(problems[:3])}"
            + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
        )


def require_numbers(source: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Check that tensors are of a floating type, and finite once they are float32.

    Args:
        source: the file's name, for the error. tensors: by name.

    Raises:
        CheckpointError: the first tensor that is not, and what is in it.
    """
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise CheckpointError(
                f"{source}: {name} is of type {value.dtype}; expected are float32, float64, float16 or bfloat16, "
                "so save the weights before they are quantised"
            )
        finite = value.float().isfinite()
        if not finite.all():
            raise CheckpointError(
                f"{source}: {name} has {int((~finite).sum())} of {value.numel()} values that are NaN or infinite, "
                "as after a training that diverged; name an earlier checkpoint"
            )
