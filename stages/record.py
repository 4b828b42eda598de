"""Record the results of a run in MLflow: in its own run, and in those of its trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages import layout
from stages.gather import is_synthetic
from stages.run_description import describe
from stages.training_records import record_from_files

if TYPE_CHECKING:
    import pandas as pd

    from metabin.config import Config
    from metabin.report.inputs import ReportInputs
    from metabin.report.page import ReportFiles
    from metabin.tracking import Provenance, Run


def record(
    config: Config, inputs: ReportInputs, files: ReportFiles, source: Provenance | None = None
) -> str:
    """Record the results in the experiment's own run, and complete the runs of its trainings.

    Records of trainings that wait since an outage are delivered first.

    Args:
        source: the experiment, if another process made the results; this one by default.

    Returns:
        The name of the experiment's run; "" if nothing was recorded.
    """
    from metabin import tracking
    from metabin.report.style import styles_for
    from metabin.results import overview

    labels = {name: style.label for name, style in styles_for(inputs.rows).items()}
    with tracking.open_run("parent", source=source) as run:
        if not run.is_open:
            return ""
        changes = run.changes.values
        run.params({"changed": run.changes.name if changes else "nothing", **changes})
        run.document("params.yaml", config.model_dump(mode="json"))
        for metric in overview.METRICS:
            table = overview.by_held_out(inputs.scores, metric, labels, inputs.unseen)
            run.table(f"results/{metric}", table)
        run.table("results/all_cells", overview.all_cells(inputs.scores, labels))
        if not inputs.rho_probe.empty:
            run.table("results/rho_probe", inputs.rho_probe)
        run.metrics(overview.headline(inputs.scores, inputs.trained, inputs.comparisons))
        trainings = record_trainings(run, config, inputs.scores)
        run.table("trainings", trainings)
        has_page = upload(run, config, files)
        describe(run, inputs, labels, trainings, has_page=has_page)
        return run.name if run.is_open else ""


def record_trainings(run: Run, config: Config, scores: pd.DataFrame) -> pd.DataFrame:
    """Add the scores to the runs of the trainings, and return which run each training has.

    A training without a run, as after `dvc pull` or with tracking off, is recorded from its files.
    If another experiment made the same weights, its run counts.
    """
    import pandas as pd

    from metabin import tracking
    from metabin.model.description import read_description
    from metabin.results import overview

    known = tracking.find_trainings(run)
    keys = layout.trainings(config.protocol)
    digests = {key: read_description(layout.training(*key) / "config.json").sha256 for key in keys}
    missing = [key for key in keys if digests[key] not in known]
    for key in missing:
        if run.is_open:
            record_from_files(config, *key)
            tracking.deliver(run)
    if missing:
        known = tracking.find_trainings(run)
    rows = []
    for key in keys:
        is_row = (scores[["fold", "method", "seed"]] == list(key)).all(axis=1)
        values = overview.of_training(scores[is_row])
        training = known.get(digests[key])
        if training:
            tracking.add_metrics(run, training, values)
        row = dict(zip(("held_out", "method", "seed"), key, strict=True))
        of_run = {
            "run": training.name if training else "",
            "run_id": training.run_id if training else "",
            "is_below": bool(training and training.is_below),
        }
        rows.append({**row, "unseen_mAP": values.get("unseen_mAP"), **of_run})
    return pd.DataFrame(rows)


def upload(run: Run, config: Config, files: ReportFiles) -> bool:
    """Record the report's files, and return whether its page is among them.

    Images of local data sets are recorded only if tracking.upload_images asks for it.
    """
    from metabin.data import store

    for path in files.charts:
        run.file(path, "figures" if path.suffix == ".png" else None)
    for name in ("report.md", "model_card.md"):
        run.file(layout.REPORTS / name)
    roots = store.load_image_roots(layout.PARTITION)
    if not (config.tracking.upload_images or is_synthetic(roots)):
        run.tags({"images": "not uploaded: tracking.upload_images is false"})
        return False
    for path in files.pictures:
        run.file(path, "figures" if path.suffix == ".png" else None)
    return True
