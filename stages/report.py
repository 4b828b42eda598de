"""Turn the results into reports/: a self-contained page, tables and figures; and put the matrix into MLflow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stages import cli, layout, leftovers
from stages.gather import gather, is_synthetic

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.report.inputs import ReportInputs
    from metabin.report.page import ReportFiles
    from metabin.tracking import Run


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.report.page import write_report

    config = load_config()
    leftovers.remove_gathered(config)
    inputs = gather(config)
    files = write_report(inputs, layout.REPORTS)
    track(config, inputs, files)
    print((layout.REPORTS / "report.md").read_text())


def track(config: Config, inputs: ReportInputs, files: ReportFiles) -> None:
    """Record the matrix in the experiment's own MLflow run: scalars to sort by, tables, the report's files."""
    from metabin import tracking
    from metabin.results import comparisons, tables

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
                for pair, values in comparisons.summary(inputs.evidence).items()
                for name, value in values.items()
            }
        )
        run.note((layout.REPORTS / "report.md").read_text().partition("## mAP (rank-1)")[0])  # MLflow cuts long notes
        upload(run, config, files)


def upload(run: Run, config: Config, files: ReportFiles) -> None:
    """Record the report's files; images of the data only if they are synthetic or a parameter asks for it."""
    from metabin.data import store

    for path in files.charts:
        run.file(path, "figures")
    run.file(layout.REPORTS / "report.md")
    if not (config.tracking.upload_images or is_synthetic(store.load_image_roots(layout.PARTITION))):
        run.tags({"images": "not uploaded: tracking.upload_images is false"})
        return
    for path in files.pictures:
        run.file(path, "figures" if path.suffix == ".png" else None)


if __name__ == "__main__":
    cli.run(main)
