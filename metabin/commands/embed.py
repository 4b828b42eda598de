"""`metabin embed`: the embeddings of images, as Parquet files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metabin.commands import options
from metabin.errors import DatasetError

if TYPE_CHECKING:
    from metabin.commands.embedding_writer import ShardFolder
    from metabin.commands.image_lists import ImageList
    from metabin.inference.model import EmbeddedBatch
    from metabin.model.description import ModelDescription


@click.command()
@click.argument("model")
@click.argument("images", metavar="INPUT")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder for the Parquet files.",
)
@click.option(
    "--shard-size",
    default=10_000,
    show_default=True,
    type=click.IntRange(1, 10**8),
    help="Images per Parquet file. Their embeddings are in memory at a time.",
)
@options.batch_size
@click.option(
    "--workers",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1024),
    help="Processes that read images ahead. Useful with a GPU.",
)
@options.device
@click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Leave out images that cannot be read, and list them in _unreadable.csv.",
)
@click.option("--overwrite", is_flag=True, help="Delete the embeddings in FOLDER first.")
def command(
    model: str,
    images: str,
    output: Path,
    shard_size: int,
    batch_size: int,
    workers: int,
    device: str,
    skip_unreadable: bool,
    overwrite: bool,
) -> None:
    """Write the embeddings of images to Parquet files.

    INPUT is a folder of images, read with the folders in it; a CSV file with a column `path`; a
    text file with one path per line; or - for such lines on standard input. Paths in a file start
    from its folder.

    The columns are `path` and `embedding`. pandas.read_parquet(FOLDER) reads all files as one
    table. If the command is interrupted, run it again: it keeps the finished files.

    \b
    metabin embed models/final/metabin/seed-0 crops --output embeddings
    find crops -name '*.jpg' | metabin embed model.onnx - --output embeddings
    """
    from metabin.commands.image_lists import read_image_list
    from metabin.inference.load import load
    from metabin.progress import progress

    image_list = read_image_list(images)  # before the model, which takes seconds to load
    loaded = load(model, device=device)
    shards = open_shards(output, loaded.description, image_list, shard_size, overwrite)
    embed_batches = partial(
        loaded.embed_batches,
        batch_size=batch_size,
        workers=workers,
        skip_unreadable=skip_unreadable,
    )
    missing = shards.manifest.missing_shards(output)
    num_images = sum(len(shards.manifest.images_of(number)) for number in missing)
    if num_images < len(image_list):
        click.echo(f"{len(image_list) - num_images:,} images are finished already", err=True)
    with progress("embed", num_images, "image", lines=sys.stderr) as advance:
        for number in missing:
            embed_shard(embed_batches, image_list, shards, number, advance)
    report(shards)


def open_shards(
    output: Path,
    description: ModelDescription,
    images: ImageList,
    shard_size: int,
    overwrite: bool,
) -> ShardFolder:
    """Open the output folder, in which some shards may be finished already.

    Raises:
        DatasetError: The folder has other embeddings, or other files.
    """
    from metabin.commands.embedding_manifest import Manifest
    from metabin.commands.embedding_writer import ShardFolder

    manifest = Manifest(
        model=description.sha256,
        embedding_size=description.embedding_size,
        images=Path(os.path.relpath(images.root, output)).as_posix(),
        image_list=images.digest(),
        num_images=len(images),
        shard_size=shard_size,
    )
    shards = ShardFolder(output, manifest)
    shards.open(overwrite=overwrite)
    return shards


def embed_shard(
    embed_batches: Callable[[list[str]], Iterator[EmbeddedBatch]],
    images: ImageList,
    shards: ShardFolder,
    number: int,
    advance: Callable[[int], None],
) -> None:
    """Embed the images of a shard and write it.

    Raises:
        DatasetError: An image cannot be read.
    """
    import numpy as np

    # With positions from 0 in each shard, a resumed run embeds the same batches.
    positions = shards.manifest.images_of(number)
    paths = images.paths[positions.start : positions.stop]
    embeddings = np.empty((len(paths), shards.manifest.embedding_size), np.float32)
    readable: list[int] = []  # positions in `paths`
    unreadable: list[tuple[str, str]] = []
    try:
        for batch in embed_batches(images.files(positions.start, positions.stop)):
            stop = len(readable) + len(batch.index)
            embeddings[len(readable) : stop] = batch.embeddings
            readable += batch.index.tolist()
            unreadable += [(paths[i], reason) for i, reason in batch.unreadable.items()]
            advance(len(batch.index) + len(batch.unreadable))
    except DatasetError as error:
        raise DatasetError(f"{error}, or leave it out with --skip-unreadable") from None
    shards.write(number, [paths[i] for i in readable], embeddings[: len(readable)], unreadable)


def report(shards: ShardFolder) -> None:
    """Print the number of embeddings and of images that are left out."""
    from metabin.commands.embedding_writer import UNREADABLE

    manifest = shards.manifest
    unreadable = shards.finish()
    num_embeddings = manifest.num_images - len(unreadable)
    files = "file" if manifest.num_shards == 1 else "files"
    click.echo(
        f"{shards.folder}: {num_embeddings:,} embeddings of {manifest.embedding_size:,} values "
        f"in {manifest.num_shards:,} {files}"
    )
    if unreadable:
        click.echo(
            f"{len(unreadable):,} of {manifest.num_images:,} images cannot be read and are left "
            f"out; see {shards.folder / UNREADABLE}"
        )
