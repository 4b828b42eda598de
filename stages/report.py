"""Write reports/: a page that needs no other file, tables and figures. Record them in MLflow."""

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

NOT_IN_NOTE = (
    "matrices",
    "rho_probe",
)  # sections with long tables: MLflow cuts notes at 8000 signs


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from metabin.config import load_config
    from metabin.files import write_text
    from metabin.report.page import write_report

    config = load_config()
    leftovers.remove_gathered(config)
    inputs = gather(config)
    files = write_report(inputs, layout.REPORTS)
    write_text(layout.REPORTS / "model_card.md", model_card(config))
    track(config, inputs, files)
    print((layout.REPORTS / "report.md").read_text())


def model_card(config: Config) -> str:
    """Return the card of the first final model, with what its folds measured."""
    from metabin.card.results import complete_card
    from metabin.model.description import read_description

    if not config.protocol.final:
        return "There is no final model: protocol.final is empty.\n"
    folder = layout.final_training(config.protocol.final[0], config.protocol)
    return complete_card(folder, read_description(folder / "config.json"), layout.RESULTS)


def track(config: Config, inputs: ReportInputs, files: ReportFiles) -> None:
    """Record the results in the experiment's own MLflow run: scalars, tables and files."""
    from metabin import tracking
    from metabin.report.markdown import report_text
    from metabin.report.sections import build_sections
    from metabin.results import comparisons, tables

    with tracking.open_run("parent") as run:
        run.params(config.model_dump())
        for method in inputs.rows:
            matrix = tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested)
            run.table(f"matrix/{method}", matrix)
        means = tables.summary(inputs.scores, inputs.rows)
        run.metrics(
            {
                f"{method}.{role}/{metric}": value
                for method, roles in means.items()
                for role, metrics in roles.items()
                for metric, value in metrics.items()
                if value is not None
            }
        )
        run.metrics(
            {
                f"{pair}/{name}": value
                for pair, values in comparisons.summary(inputs.comparisons).items()
                for name, value in values.items()
            }
        )
        sections = build_sections(inputs)
        short = [section for section in sections if section.anchor not in NOT_IN_NOTE]
        run.note(report_text(inputs, short))
        upload(run, config, files)


def upload(run: Run, config: Config, files: ReportFiles) -> None:
    """Record the report's files.

    Images of local data sets are recorded only if tracking.upload_images asks for it.
    """
    from metabin.data import store

    for path in files.charts:
        run.file(path, "figures")
    for name in ("report.md", "model_card.md"):
        run.file(layout.REPORTS / name)
    roots = store.load_image_roots(layout.PARTITION)
    if not (config.tracking.upload_images or is_synthetic(roots)):
        run.tags({"images": "not uploaded: tracking.upload_images is false"})
        return
    for path in files.pictures:
        run.file(path, "figures" if path.suffix == ".png" else None)


if __name__ == "__main__":
    cli.run(main)
