"""Turn the results into reports/: a self-contained page, tables and figures; and put the matrix into MLflow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers
from stages.gather import gather

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.report.inputs import ReportInputs


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.report.page import write_report

    config = load_config()
    leftovers.remove_gathered(config)
    inputs = gather(config)
    write_report(inputs, layout.REPORTS)
    track(config, inputs)
    print((layout.REPORTS / "report.md").read_text())


def track(config: Config, inputs: ReportInputs) -> None:
    """Put the matrix onto the experiment's own MLflow run: scalars to sort by, tables, figures, the page."""
    from metabin import tracking
    from metabin.protocol import evidence, tables

    with tracking.open_run("parent") as run:
        run.params(config.model_dump())
        for method in inputs.rows:
            run.table(f"matrix/{method}", tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested))
        run.metrics(
            {
                f"{method}.{role}/{metric}": value
                for method, roles in tables.summary(inputs.scores, inputs.rows).items()
                for role, metrics in roles.items()
                for metric, value in metrics.items()
                if value is not None
            }
        )
        run.metrics(
            {
                f"{pair}/{name}": value
                for pair, values in evidence.summary(inputs.evidence).items()
                for name, value in values.items()
            }
        )
        run.note((layout.REPORTS / "report.md").read_text().partition("## mAP (rank-1)")[0])  # MLflow cuts long notes
        for path in sorted((layout.REPORTS / "figures").glob("*.png")):
            run.file(path, "figures")
        run.file(layout.REPORTS / "index.html")


if __name__ == "__main__":
    cli.run(main)
