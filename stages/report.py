"""Turn the results into reports/: a self-contained page, tables and figures; and put the matrix into MLflow."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from stages import cli, layout

if TYPE_CHECKING:
    import pandas as pd

    from metabin.config import Config
    from metabin.report.inputs import ReportInputs

NOTE = "The people, the sites and the images are drawn by a program; no real person is shown."


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.report.page import write_report

    config = load_config()
    inputs = gather(config)
    write_report(inputs, layout.REPORTS)
    track(config, inputs)
    print((layout.REPORTS / "report.md").read_text())


def gather(config: Config) -> ReportInputs:
    """What the configured folds, methods and seeds left behind; nothing is found by listing folders."""
    import pandas as pd

    from metabin.config import METABIN
    from metabin.data import store
    from metabin.report.inputs import ReportInputs
    from metabin.report.provenance import provenance

    domains, methods = tuple(config.protocol.domains), (*config.protocol.baselines, METABIN)
    records = {name: store.load_records(layout.PARTITION, name) for name in domains}
    digests = {name: store.load_manifest(layout.PARTITION, name)["domains"][name]["sha256"] for name in domains}
    return ReportInputs(
        title="MetaBIN, leave one domain out", note=NOTE, domains=domains, methods=methods, image_root=layout.RAW,
        scores=pd.concat([pd.read_csv(layout.results(fold) / "scores.csv") for fold in domains]),
        ranked=[entry for fold in domains for entry in json.loads((layout.results(fold) / "ranked.json").read_text())],
        **{name: read_trainings(config, methods, name) for name in ("losses", "rho", "rho_histograms")},
        samples={name: [f"{name}/{record.path}" for record in records[name][:16]] for name in domains},
        provenance=provenance(config.model_dump(), digests, layout.ROOT))


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


def track(config: Config, inputs: ReportInputs) -> None:
    """Put the matrix onto the experiment's own MLflow run: scalars to sort by, tables, figures, the page."""
    from metabin import tracking
    from metabin.protocol import matrix

    with tracking.open_run("parent") as run:
        run.params(config.model_dump())
        for method in inputs.rows:
            run.table(f"matrix/{method}", matrix.matrix(inputs.scores, method, "mAP", inputs.domains))
        run.metrics({f"{method}.{role}/{metric}": value for method, roles in matrix.summary(inputs.scores, inputs.rows).items()
                     for role, metrics in roles.items() for metric, value in metrics.items() if value is not None})
        run.note((layout.REPORTS / "report.md").read_text())
        for path in sorted((layout.REPORTS / "figures").glob("*.png")):
            run.file(path, "figures")
        run.file(layout.REPORTS / "index.html")


if __name__ == "__main__":
    cli.run(main)
