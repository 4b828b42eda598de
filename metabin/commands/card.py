"""`metabin card`: the model card of a model."""

from __future__ import annotations

from pathlib import Path

import click

RESULTS = "results"


@click.command()
@click.argument("model")
@click.option("--results", metavar="FOLDER", help=f"Scores of the folds. [default: {RESULTS}]")
def command(model: str, results: str | None) -> None:
    """Print the model card of MODEL: data, training, intended use, limits and scores.

    In a project, the card also has the scores on unseen data sets and the worst queries.
    """
    from metabin.card.results import complete_card
    from metabin.errors import ConfigError
    from metabin.inference.load import find_folder
    from metabin.model.description import read_description

    folder = find_folder(model)
    description = read_description(folder / "config.json")
    if results and not any(Path(results).glob("*/scores.csv")):
        raise ConfigError(
            f"{results} has no folder of a fold with scores.csv; pass the folder `results` of the "
            "project that trained the model"
        )
    click.echo(complete_card(folder, description, Path(results or RESULTS)), nl=False)
