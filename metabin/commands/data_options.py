"""The options and the output formats of `metabin evaluate` and `metabin compare`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metabin.commands import options

if TYPE_CHECKING:
    import pandas as pd

    from metabin.inference.evaluation import Evaluation
    from metabin.inference.evaluation_data import EvaluationData
    from metabin.inference.model import ReIDModel

OPTIONS = (
    click.option(
        "--domain",
        "domains",
        multiple=True,
        metavar="NAME",
        help="Data set to test on: one of the partition; or, with --data, one of that folder; or a "
        "CSV file. Can be repeated. Default: all that the model's fold tests.",
    ),
    click.option(
        "--partition",
        default="data/partition",
        show_default=True,
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Partition of a pipeline, with the tests of its folds.",
    ),
    click.option(
        "--fold",
        default="",
        metavar="FOLD",
        help="Fold of the partition. Default: the model's, or the first that tests the data set.",
    ),
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Folder of data sets without a partition, such as datasets.",
    ),
    click.option(
        "--acknowledge-withdrawn",
        is_flag=True,
        help="Use the withdrawn DukeMTMC-reID, which you have.",
    ),
    options.device,
    options.output_format,
)


def data_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(OPTIONS):  # the option that is added last is the first of the help
        function = option(function)
    return function


def find_data(models: Sequence[ReIDModel], **choice: Any) -> list[EvaluationData]:
    """Return the data sets that the options choose, in the order of the options.

    Args:
        models: Models that will be tested. Their folds of the partition are preferred.
        options: Values of OPTIONS; others are ignored.

    Raises:
        ConfigError: A name is unknown, or options exclude each other.
        DatasetError: Data are missing.
    """
    from metabin.errors import ConfigError
    from metabin.inference.evaluation_folder import from_folder
    from metabin.inference.evaluation_partition import from_partition

    names = list(dict.fromkeys(choice["domains"]))
    files = [name for name in names if name.lower().endswith(".csv")]
    folder = choice["data"]
    if folder is None and not files:
        preferred = [model.description.fold for model in models]
        return from_partition(choice["partition"], names, fold=choice["fold"], preferred=preferred)
    if not names:
        raise ConfigError(
            f"--data {folder} needs --domain with the name of a data set in it, such as market1501"
        )
    if choice["fold"]:
        raise ConfigError("--fold is of a partition; leave out --fold, or --data and CSV files")
    if folder is None and len(files) < len(names):
        raise ConfigError(
            "--domain names CSV files and data sets of the partition; evaluate them one by one"
        )
    acknowledged = choice["acknowledge_withdrawn"]
    return [from_folder(name, folder or Path(), acknowledged=acknowledged) for name in names]


def evaluate_with_progress(
    model: ReIDModel, data: Sequence[EvaluationData], label: str = ""
) -> Evaluation:
    """Score a model; report progress and remarks on standard error.

    Args:
        label: Name of the model in these lines, if there are several.
    """
    from metabin.inference.evaluation import evaluate, num_images
    from metabin.progress import progress

    title = f"evaluate {label}".rstrip()
    with progress(title, num_images(data), "image", lines=sys.stderr) as advance:
        evaluation = evaluate(model, data, advance)
    for remark in evaluation.remarks:
        click.echo(f"remark: {label}: {remark}" if label else f"remark: {remark}", err=True)
    return evaluation


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, with the digits of the pipeline's tables."""
    from metabin.files import csv_text

    return csv_text(table).removesuffix("\n")


def as_json(table: pd.DataFrame) -> str:
    """Return a table as a JSON list with one object per row; a missing number is null."""
    return table.to_json(orient="records", indent=1, double_precision=6)
