"""`metabin explain`: the regions of a pair of images, and the rho of the layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from metabin.commands import options

if TYPE_CHECKING:
    import pandas as pd

    from metabin.inference.model import ReIDModel


@click.command()
@click.argument("model")
@click.argument("images", nargs=-1, metavar="[IMAGE_A IMAGE_B]")
@click.option(
    "--picture",
    "-p",
    default="explanation.png",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File for the picture of the regions.",
)
@click.option(
    "--layer",
    default="",
    metavar="NAME",
    help="Layer of the backbone whose maps are explained, such as block2. Default: the last maps.",
)
@click.option("--rho", is_flag=True, help="Print the rho of every layer.")
@options.device
def command(
    model: str, images: tuple[str, ...], picture: Path, layer: str, rho: bool, device: str
) -> None:
    """Show which image regions decide how similar two images are, and which norm each layer uses.

    The regions are Grad-CAM of the cosine similarity. Those of the last maps sum to the similarity.
    rho is the share of batch normalisation in a channel; 1 - rho is that of instance
    normalisation.

    \b
    metabin explain models/final/metabin/seed-0 query.jpg gallery.jpg --picture regions.png
    metabin explain models/final/metabin/seed-0 --rho
    """
    from metabin.errors import ConfigError

    if len(images) not in (0, 2) or not (images or rho):
        raise ConfigError(f"found {len(images)} images; expected are two images, or --rho, or both")
    if picture.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"--picture is {picture}; expected is a name that ends with .png or .jpg")
    from metabin.inference.load import load

    loaded = load(model, device=device)
    if rho:
        print_rho(loaded)
    if images:
        draw_pair(loaded, images[0], images[1], picture, layer)


def print_rho(model: ReIDModel) -> None:
    """Print the table of rho by layer."""
    from metabin.inference.explanation import torch_network
    from metabin.inference.rho_table import rho_table

    click.echo(as_text(rho_table(torch_network(model))))


def draw_pair(model: ReIDModel, image_a: str, image_b: str, picture: Path, layer: str) -> None:
    """Print the similarity of two images, and write the picture of their regions."""
    from metabin.commands.region_picture import HEIGHT, draw_regions
    from metabin.images import read_image
    from metabin.inference.explanation import explain_pair

    explanation = explain_pair(model, image_a, image_b, layer=layer)
    names = (image_a, image_b)
    images = [read_image(Path(name)) for name in names]
    width = round(HEIGHT * model.description.width / model.description.height)
    draw_regions(picture, explanation, images, names, width)
    click.echo(f"cosine similarity {explanation.similarity:.4f}")
    click.echo(f"wrote {picture}")


def as_text(table: pd.DataFrame) -> str:
    """Return the table of rho with shares in percent."""
    from metabin.commands.text_tables import percent, text_table
    from metabin.inference.rho_table import NEAR

    rows = [
        [
            row["layer"],
            f"{row['num_rho']:,}",
            *(f"{row[name]:.2f}" for name in ("mean", "q10", "q90")),
            percent(row["near_0"]),
            percent(row["near_1"]),
        ]
        for row in table.to_dict("records")
    ]
    shares = (f"% <= {NEAR:g}", f"% >= {1 - NEAR:g}")
    header = ["layer", "channels", "mean rho", "10 % below", "90 % below", *shares]
    return text_table(header, rows)
