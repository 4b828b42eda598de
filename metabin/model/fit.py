"""Whether the tensors of a file are those of a network."""

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
