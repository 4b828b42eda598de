"""The tables that trainings and evaluations left behind, of all folds under each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages import layout

if TYPE_CHECKING:
    import pandas as pd

    from metabin.config import Config


def of_folds(folds: Sequence[str], name: str) -> pd.DataFrame:
    """One kind of table of every fold's evaluation, under each other; some have no rows."""
    import pandas as pd

    tables = [pd.read_csv(layout.results(fold) / f"{name}.csv") for fold in folds]
    return pd.concat([table for table in tables if not table.empty] or tables[:1])


def of_explained(folds: Sequence[str]) -> pd.DataFrame:
    """The scores with another rho, of all folds; empty where no method has learned a rho."""
    import pandas as pd

    return pd.concat([pd.read_csv(layout.rho_probe(fold) / "rho.csv") for fold in folds])


def of_trainings(config: Config, methods: tuple[str, ...], name: str) -> pd.DataFrame:
    """One kind of record of every training, under each other."""
    import pandas as pd

    tables = []
    for fold in config.protocol.domains:
        for method in methods:
            for seed in config.protocol.seeds:
                table = pd.read_csv(layout.training(fold, method, seed) / f"{name}.csv")
                tables.append(table.assign(fold=fold, method=method, seed=seed))
    return pd.concat([table for table in tables if not table.empty], ignore_index=True)
