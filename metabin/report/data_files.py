"""The report's numbers as files: metrics and tables for `dvc`, and tables for notebooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from metabin.files import csv_text
from metabin.report.inputs import ReportInputs
from metabin.results import comparisons, rho_probe, tables

CHANGE_COLUMNS = [
    *("fold", "method", "kind", "group", "value", "test_domain", "role", "mAP", "change"),
]
LAYER_COLUMNS = ["fold", "method", "seed", "layer", "num_channels", "mean", "q10", "q90"]


def data_files(inputs: ReportInputs) -> dict[str, str]:
    """Return {file name: text}."""
    summary = dict(tables.summary(inputs.scores, inputs.trained))
    if inputs.comparisons:
        summary["differences"] = dict(comparisons.summary(inputs.comparisons))
    cells = tables.tidy_matrix(inputs.scores, inputs.rows, inputs.folds, inputs.tested)
    unseen = tables.unseen_means(inputs.scores, inputs.rows)
    return {
        # in this order in the tables of DVC: unseen before seen, methods as in the report
        "metrics.json": _json(tables.headline(inputs.scores, inputs.trained), sort_keys=False),
        "summary.json": _json(summary),
        "matrix.csv": csv_text(cells, float_format=None),
        "unseen.csv": csv_text(unseen, float_format=None),
        "rho_changes.csv": csv_text(rho_changes(inputs)),
        "rho_layers.csv": csv_text(rho_layers(inputs)),
    }


def rho_changes(inputs: ReportInputs) -> pd.DataFrame:
    """Return CHANGE_COLUMNS: the change of mAP in every test with every other rho."""
    if inputs.rho_probe.empty:
        return pd.DataFrame(columns=CHANGE_COLUMNS)
    return rho_probe.score_changes(inputs.rho_probe)[CHANGE_COLUMNS]


def rho_layers(inputs: ReportInputs) -> pd.DataFrame:
    """Return LAYER_COLUMNS: rho of every layer at the last step."""
    if inputs.rho.empty:
        return pd.DataFrame(columns=LAYER_COLUMNS)
    last = inputs.rho.groupby(rho_probe.RUN)["step"].transform("max")
    return inputs.rho[inputs.rho["step"] == last][LAYER_COLUMNS]


def _json(values: Mapping[str, Any], *, sort_keys: bool = True) -> str:
    return json.dumps(values, indent=2, sort_keys=sort_keys, allow_nan=False) + "\n"
