"""The view of the list of runs that `make ui` opens: its columns and their order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "metabin"  # of the view, in the address
TAG = f"mlflow.sharedViewState.{KEY}"  # of the experiment: what "Share" in the UI writes
# Column -> width in pixels. The methods are those that the paper compares; others are one click
# away, under "Columns". The last three are of trainings.
COLUMNS = {
    "attributes.`Created`": 140,
    "attributes.`Duration`": 100,
    "params.`changed`": 180,
    "metrics.`unseen_mAP/metabin`": 165,
    "metrics.`unseen_mAP/bin_joint`": 165,
    "metrics.`metabin_minus_bin_joint`": 190,
    "metrics.`unseen_mAP`": 110,
    "metrics.`seen_mAP`": 100,
    "metrics.`source_mAP`": 110,
}


def save_view(client: MlflowClient, experiment_id: str) -> None:
    """Save the view in the experiment, where the UI looks for it; newest runs first."""
    state = {
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "searchFilter": "tags.superseded = 'false'",
        "selectedColumns": list(COLUMNS),
        "columnOrder": list(COLUMNS),
        "columnWidths": COLUMNS,
    }
    text = json.dumps(state)
    if client.get_experiment(experiment_id).tags.get(TAG) != text:
        client.set_experiment_tag(experiment_id, TAG, text)
