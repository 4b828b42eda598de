"""What a training records of itself, as rows of plain values, and the CSV files made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metabin.files import write_text

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

RHO_BINS = 20  # equal bins on [0, 1]


@dataclass(slots=True)
class History:
    """`losses`: step and every scalar by name. `rho`: step, layer and the summary of that layer's rho."""

    losses: list[dict[str, float]] = field(default_factory=list)
    rho: list[dict[str, Any]] = field(default_factory=list)
    _pending: list[tuple[int, Mapping[str, Tensor]]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def add_pending(self, step: int, scalars: Mapping[str, Tensor]) -> None:
        """Take a step's scalars without looking at them: a look would make the host wait for the device."""
        self._pending.append((step, scalars))

    def check_pending(self) -> dict[str, float]:
        """Look at all that was taken since the last look; returns the last step's.

        Raises:
            FloatingPointError: one of them is not finite; names it and the first step where that was so.
        """
        values: dict[str, float] = {}
        for step, scalars in self._pending:
            values = {name: value.item() for name, value in scalars.items()}
            if bad := [f"{name} = {value}" for name, value in values.items() if not np.isfinite(value)]:
                raise FloatingPointError(
                    f"at step {step}: {', '.join(bad)}; lower optim.lr, optim.rho_lr or meta.outer_lr"
                )
        self._pending.clear()
        return values

    def add_losses(self) -> dict[str, float]:
        """Keep the scalars of the last step that was taken, and return them. Raises as `check_pending`."""
        step = self._pending[-1][0]
        values = self.check_pending()
        self.losses.append({"step": step, **values})
        return values

    def add_rho(self, step: int, layers: Mapping[str, np.ndarray]) -> None:
        """Keep the summary of every layer's rho, each (C,) in [0, 1]."""
        for layer, rho in layers.items():
            counts, _ = np.histogram(rho, bins=RHO_BINS, range=(0, 1))
            q10, q90 = np.quantile(rho, [0.1, 0.9])
            self.rho.append(
                {
                    "step": step,
                    "layer": layer,
                    "num_channels": rho.size,
                    "mean": float(rho.mean()),
                    "q10": float(q10),
                    "q90": float(q90),
                    "histogram": counts.tolist(),
                }
            )

    def losses_table(self) -> pd.DataFrame:
        """One row a recorded step, one column a scalar."""
        import pandas as pd

        return pd.DataFrame(self.losses)

    def rho_table(self) -> pd.DataFrame:
        """One row a recorded step and layer: num_channels, mean, q10, q90."""
        import pandas as pd

        columns = ["step", "layer", "num_channels", "mean", "q10", "q90"]
        return pd.DataFrame(self.rho, columns=[*columns, "histogram"])[columns]

    def histogram_table(self) -> pd.DataFrame:
        """One row a recorded step, layer and bin: bin_left, count."""
        import pandas as pd

        rows = [
            (row["step"], row["layer"], bin_index / RHO_BINS, count)
            for row in self.rho
            for bin_index, count in enumerate(row["histogram"])
        ]
        return pd.DataFrame(rows, columns=["step", "layer", "bin_left", "count"])

    def save(self, directory: Path) -> None:
        """Write losses.csv, rho.csv and rho_histograms.csv; the last two have headers alone if no rho is learned."""
        for name, table in (
            ("losses", self.losses_table()),
            ("rho", self.rho_table()),
            ("rho_histograms", self.histogram_table()),
        ):
            write_text(directory / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
