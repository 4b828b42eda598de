"""`metabin evaluate`: the scores of a model on data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from metabin.commands.data_options import (
    as_csv,
    as_json,
    data_options,
    evaluate_with_progress,
    find_data,
)

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("model")
@data_options
def command(model: str, device: str, output_format: str, **choice: Any) -> None:
    """Score a model on data sets.

    The scores are those of the pipeline: mAP, mINP, rank-1, rank-5 and rank-10 by cosine distance
    and the Market-1501 rule. The role of a data set is `seen` if the model trained on it.

    \b
    metabin evaluate models/night/metabin/seed-0
    metabin evaluate models/final/metabin/seed-0 --data datasets --domain market1501
    metabin evaluate model.onnx --domain datasets/my_site.csv --format csv
    """
    from metabin.inference.load import load

    loaded = load(model, device=device)
    data = find_data([loaded], **choice)
    evaluation = evaluate_with_progress(loaded, data)
    click.echo(FORMATS[output_format](evaluation.scores))


def as_text(scores: pd.DataFrame) -> str:
    """Return scores as a table in percent; scores of random splits are means over them."""
    from metabin.commands.text_tables import percent, text_table

    metrics = {
        "mAP": "mAP",
        "mINP": "mINP",
        "rank1": "rank-1",
        "rank5": "rank-5",
        "rank10": "rank-10",
    }
    rows = [
        [
            row["test_domain"],
            row["role"],
            f"{row['num_ids']:,}",
            f"{row['num_query']:,}",
            str(row["num_trials"]),
            *(percent(row[name]) for name in metrics),
        ]
        for row in scores.to_dict("records")
    ]
    header = ["data set", "role", "identities", "queries", "splits", *metrics.values()]
    return text_table(header, rows, num_names=2)


FORMATS = {"text": as_text, "csv": as_csv, "json": as_json}
