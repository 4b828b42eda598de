"""The rho of every channel at the recorded steps of a training, and its file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metabin.files import write_bytes
from metabin.stage_files import reading

FILE = "rho_channels.npz"
STEPS = "steps"


@dataclass(frozen=True, slots=True, eq=False)
class RhoChannels:
    """The rho of every channel over the recorded steps.

    Attributes:
        steps: (S,) recorded steps, ascending.
        layers: name -> (S, C) float16 in [0, 1], in network order.
    """

    steps: np.ndarray
    layers: Mapping[str, np.ndarray]


def write_channels(path: Path, channels: RhoChannels) -> None:
    """Write a file of NumPy arrays: `steps`, then one array per layer by its name.

    The same arrays give the same bytes: the entries are not compressed, and have no time.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {STEPS: channels.steps, **channels.layers}
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def read_channels(path: Path) -> RhoChannels:
    """Read the file that `write_channels` wrote.

    Raises:
        StageFileError: The file is missing or damaged.
    """
    # Opened here, as NumPy leaves a damaged file open.
    with reading(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        layers = {name: arrays[name] for name in arrays.files if name != STEPS}
        return RhoChannels(arrays[STEPS], layers)
