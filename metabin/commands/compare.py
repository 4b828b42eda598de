"""`metabin compare`: the difference of two models on the same queries."""

from __future__ import annotations

import math
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

VERDICTS = {"A": "A is better", "B": "B is better", "": "the data do not tell which is better"}


@click.command()
@click.argument("model_a")
@click.argument("model_b")
@data_options
def command(model_a: str, model_b: str, device: str, output_format: str, **choice: Any) -> None:
    """Compare two models on the same queries.

    The difference is the mAP of MODEL_A minus that of MODEL_B, with a 95 % interval over the
    identities of the test. A model is better if the interval excludes 0. The interval does not
    cover other trainings of a method, nor other places: the report of the pipeline does.

    \b
    metabin compare models/night/metabin/seed-0 models/night/bn/seed-0 --domain night
    """
    from metabin.inference.comparison import compare_evaluations, fairness_remarks
    from metabin.inference.load import load

    first = load(model_a, device=device)
    second = load(model_b, device=device)
    data = find_data([first, second], **choice)
    comparison = compare_evaluations(
        evaluate_with_progress(first, data, "A"), evaluate_with_progress(second, data, "B")
    )
    for remark in fairness_remarks(comparison):
        click.echo(f"remark: {remark}", err=True)
    if output_format == "text":
        click.echo(f"A: {model_a}\nB: {model_b}\n")
    click.echo(FORMATS[output_format](comparison))


def as_text(comparison: pd.DataFrame) -> str:
    """Return scores in percent, their differences in points, and a verdict for each data set."""
    from metabin.commands.text_tables import percent, points, text_table

    rows = comparison.to_dict("records")
    header = ["data set", "identities", "queries", "mAP A", "mAP B", "A - B", "95 % interval"]
    lines = [
        [
            row["test_domain"],
            f"{row['num_ids']:,}",
            f"{row['num_query']:,}",
            percent(row["mAP_a"]),
            percent(row["mAP_b"]),
            points(row["difference"]),
            _interval(row["low"], row["high"]),
        ]
        for row in rows
    ]
    verdicts = [f"{row['test_domain']}: {VERDICTS[row['better']]}." for row in rows]
    return "\n".join([text_table(header, lines), "", *verdicts])


def _interval(low: float, high: float) -> str:
    from metabin.commands.text_tables import points

    return "none: one identity" if math.isnan(low) else f"{points(low)} to {points(high)}"


FORMATS = {"text": as_text, "csv": as_csv, "json": as_json}
