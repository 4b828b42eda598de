"""The record of a training: losses and rho over the steps, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from metabin.files import write_csv
from metabin.rho_channels import FILE, RhoChannels, write_channels
from metabin.rho_summary import NUM_BINS, summarize_rho

if TYPE_CHECKING:
    import pandas as pd

ADVICE = "lower optim.lr, optim.rho_lr or meta.outer_lr"
NUM_NAMED = 3  # tensors that are not finite
Scalars = Mapping[str, Tensor | float]  # by name: losses as tensors, learning rates as numbers


@dataclass(slots=True)
class History:
    """Plain values and tensors, recorded during a training.

    Attributes:
        losses: step and every scalar by name.
        rho: step, layer and the summary of the layer's rho.
        channels: for each step in `rho`, the rho of all layers one after the other, (C,) float16.
    """

    losses: list[dict[str, float]] = field(default_factory=list)
    rho: list[dict[str, Any]] = field(default_factory=list)
    # `==` of two tensors is no truth value, so the comparison of two histories leaves them out.
    channels: list[Tensor] = field(default_factory=list, compare=False)
    _pending: list[tuple[int, Scalars, Scalars]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def add_pending(self, step: int, scalars: Scalars, sizes: Scalars | None = None) -> None:
        """Add what a step, or a part of one, computed.

        The values are not read: that would wait for the device.

        Args:
            step: from 0.
            scalars: losses and learning rates.
            sizes: `tensor_sizes` of the model after that.
        """
        self._pending.append((step, scalars, sizes or {}))

    def check_pending(self) -> dict[str, float]:
        """Check all that was added since the last check. Return the scalars of the last step.

        Raises:
            FloatingPointError: a scalar or a tensor of the model is not finite; names the first
                step and the term or the tensors.
        """
        values: dict[str, float] = {}
        rows = iter(_read([row for _, *pair in self._pending for row in pair]))
        for step, *_ in self._pending:
            values, sizes = next(rows), next(rows)
            if bad := _not_finite(values):
                listed = ", ".join(f"{name} = {values[name]}" for name in bad)
                raise FloatingPointError(f"at step {step}: {listed}; {ADVICE}")
            if bad := _not_finite(sizes):
                listed = ", ".join(bad[:NUM_NAMED])
                raise FloatingPointError(
                    f"at step {step}: {len(bad)} of {len(sizes)} tensors of the model are not "
                    f"finite: {listed}{' ...' if len(bad) > NUM_NAMED else ''}; {ADVICE}"
                )
        self._pending.clear()
        return values

    def add_losses(self) -> dict[str, float]:
        """Record the scalars of the last step that was added, and return them.

        Raises:
            FloatingPointError: as `check_pending`.
        """
        step = self._pending[-1][0]
        values = self.check_pending()
        self.losses.append({"step": step, **values})
        return values

    def add_rho(self, step: int, layers: Mapping[str, np.ndarray]) -> None:
        """Record every layer's rho, each (C,) in [0, 1], and its summary."""
        if layers:
            values = np.concatenate(list(layers.values()))
            self.channels.append(torch.from_numpy(values.astype(np.float16)))
        for layer, rho in layers.items():
            summary = summarize_rho(rho)
            self.rho.append(
                {
                    "step": step,
                    "layer": layer,
                    "num_channels": rho.size,
                    "mean": summary.mean,
                    "q10": summary.q10,
                    "q90": summary.q90,
                    "histogram": summary.histogram.tolist(),
                }
            )

    def losses_table(self) -> pd.DataFrame:
        """Return a table with one row per recorded step and one column per scalar."""
        import pandas as pd

        return pd.DataFrame(self.losses)

    def rho_table(self) -> pd.DataFrame:
        """Return a table with one row per recorded step and layer.

        Columns: step, layer, num_channels, mean, q10, q90.
        """
        import pandas as pd

        columns = ["step", "layer", "num_channels", "mean", "q10", "q90"]
        return pd.DataFrame(self.rho, columns=[*columns, "histogram"])[columns]

    def histogram_table(self) -> pd.DataFrame:
        """Return a table with one row per recorded step, layer and bin.

        Columns: step, layer, bin_left (the lower bound of the bin), count.
        """
        import pandas as pd

        # bin k of the equal bins on [0, 1] begins at k / NUM_BINS
        rows = [
            (row["step"], row["layer"], bin_index / NUM_BINS, count)
            for row in self.rho
            for bin_index, count in enumerate(row["histogram"])
        ]
        return pd.DataFrame(rows, columns=["step", "layer", "bin_left", "count"])

    def rho_channels(self) -> RhoChannels:
        """Return the rho of every channel at every recorded step."""
        steps = dict.fromkeys(row["step"] for row in self.rho)
        sizes = {row["layer"]: row["num_channels"] for row in self.rho}
        values = np.array([step_values.numpy() for step_values in self.channels])
        ends = np.cumsum(list(sizes.values()))
        layers = {
            name: values[:, end - size : end]
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }
        return RhoChannels(np.array(list(steps), dtype=np.int64), layers)

    def save(self, directory: Path) -> None:
        """Write losses.csv, rho.csv, rho_histograms.csv and rho_channels.npz.

        If no rho is learned, the CSV files of rho have only headers, and rho_channels.npz has no
        layers.
        """
        write_channels(directory / FILE, self.rho_channels())
        for name, table in (
            ("losses", self.losses_table()),
            ("rho", self.rho_table()),
            ("rho_histograms", self.histogram_table()),
        ):
            write_csv(directory / f"{name}.csv", table, float_format="%.6g")


@torch.no_grad()
def tensor_sizes(model: nn.Module) -> Scalars:
    """Return the largest magnitude in each parameter and running statistic, on the device.

    It is not finite where a value of the tensor is not, as after a gradient that was not.
    """
    state = model.state_dict()
    tensors = {name: value for name, value in state.items() if value.is_floating_point()}
    norms: Any = torch._foreach_norm  # pyright: ignore[reportPrivateImportUsage]
    return dict(zip(tensors, norms(list(tensors.values()), ord=float("inf")), strict=True))


def _not_finite(values: Mapping[str, float]) -> list[str]:
    return [name for name, value in values.items() if not np.isfinite(value)]


def _read(rows: Sequence[Scalars]) -> list[dict[str, float]]:
    """Return rows of scalars as plain numbers, by a single copy from the device."""
    tensors = [value for row in rows for value in row.values() if isinstance(value, Tensor)]
    numbers = iter(torch.stack(tensors).tolist() if tensors else [])
    return [
        {name: next(numbers) if isinstance(value, Tensor) else value for name, value in row.items()}
        for row in rows
    ]
