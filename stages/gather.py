"""What the configured folds, methods and seeds left behind, for the report. Nothing is found by listing folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stages import layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from metabin.config import Config
    from metabin.report.inputs import ReportInputs

NOTE = "The people, the sites and the images are drawn by a program; no real person is shown."


def gather(config: Config) -> ReportInputs:
    """Scores, records and images of every training, and what was run."""
    import pandas as pd

    from metabin.data import store
    from metabin.protocol.folds import datasets, describe, leave_one_out
    from metabin.report.inputs import ReportInputs
    from metabin.report.provenance import provenance

    protocol, methods = config.protocol, config.protocol.methods
    folds = leave_one_out(protocol.domains, protocol.sources, protocol.groups)
    domains = datasets(folds)
    records = {name: store.load_records(layout.PARTITION, name) for name in domains}
    roots = store.load_image_roots(layout.PARTITION)
    manifests = [store.load_manifest(layout.PARTITION, fold.name) for fold in folds]
    digests = {name: entry["sha256"] for manifest in manifests for name, entry in manifest["domains"].items()}
    ranked = [json.loads((layout.results(fold.name) / "ranked.json").read_text()) for fold in folds]
    return ReportInputs(
        title=f"MetaBIN, {'leave one domain out' if len(folds) > 1 else ''.join(map(describe, folds))}",
        note=note(config, roots),
        folds=tuple(fold.name for fold in folds),
        domains=domains,
        methods=methods,
        image_root=layout.ROOT,
        scores=pd.concat([pd.read_csv(layout.results(fold) / "scores.csv") for fold in protocol.domains]),
        leaks=[
            {"fold": fold, **leak} for fold in protocol.domains for leak in store.load_leaks(layout.PARTITION, fold)
        ],
        clean=read_clean(protocol.domains),
        ranked=[entry for entries in ranked for entry in entries],
        **{name: read_trainings(config, methods, name) for name in ("losses", "rho", "rho_histograms")},
        samples={name: [str(roots[name] / record.path) for record in records[name][:16]] for name in domains},
        provenance=provenance(config.model_dump(), digests, layout.ROOT),
    )


def note(config: Config, roots: Mapping[str, Path]) -> str:
    """What a reader has to know of the data: that people are drawn, or that a data set failed its check."""
    unfit = [name for name in config.data.accept_unfit if name in roots]
    failed = f"Used although the check of the copy fails: {', '.join(unfit)}." if unfit else ""
    return NOTE if all(root.is_relative_to(layout.RAW) for root in roots.values()) else failed


def read_clean(folds: Sequence[str]) -> pd.DataFrame:
    """The scores without what sources and targets share; of most folds there are none."""
    import pandas as pd

    tables = [pd.read_csv(layout.results(fold) / "clean.csv") for fold in folds]
    return pd.concat([table for table in tables if not table.empty] or tables[:1])


def read_trainings(config: Config, methods: tuple[str, ...], name: str) -> pd.DataFrame:
    """One kind of record of every training, under each other."""
    import pandas as pd

    tables = []
    for fold in config.protocol.domains:
        for method in methods:
            for seed in config.protocol.seeds:
                table = pd.read_csv(layout.training(fold, method, seed) / f"{name}.csv")
                tables.append(table.assign(fold=fold, method=method, seed=seed))
    return pd.concat([table for table in tables if not table.empty], ignore_index=True)
