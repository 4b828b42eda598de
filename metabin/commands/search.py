"""`metabin search`: the most similar images of a gallery for each query image."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metabin.commands import options
from metabin.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    import numpy as np

    from metabin.commands.match_formats import QueryMatches
    from metabin.commands.nearest import Gallery, NearestImages
    from metabin.inference.model import ReIDModel

FEW = 100_000  # embeddings that `--index auto` searches exactly


@dataclass(frozen=True, slots=True)
class Source:
    """Embedded images of an argument."""

    embeddings: Gallery
    root: Path  # folder from which the paths start
    paths: list[str]
    folder: Path | None = None  # of the embeddings, if the argument is the output of `embed`


@click.command()
@click.argument("model")
@click.argument("query")
@click.argument("gallery")
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(1), help="Matches per query."
)
@options.output_format
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also draw the queries and their matches, as a .png or .jpg file.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Where the gallery's images are now, for --picture, if they were moved.",
)
@click.option(
    "--index",
    default="exact",
    show_default=True,
    type=click.Choice(["exact", "faiss", "auto"]),
    help=f"exact compares all; faiss is approximate; auto is faiss above {FEW:,} embeddings.",
)
@options.batch_size
@options.device
def command(
    model: str,
    query: str,
    gallery: str,
    top: int,
    output_format: str,
    picture: Path | None,
    images: Path | None,
    index: str,
    batch_size: int,
    device: str,
) -> None:
    """Find the most similar images of a gallery for each query image.

    QUERY and GALLERY are an image, a folder of images, a list (as INPUT of `metabin embed`), or
    embeddings that `metabin embed` wrote with the same MODEL. The score is the cosine similarity of
    two embeddings, at most 1.

    --index faiss keeps its index beside the embeddings of the gallery, and reports how many of the
    exact matches it returns. Building it costs about as much as the exact search of 2,000 queries.
    Its scores have an error of about 0.001.

    \b
    metabin search models/final/metabin/seed-0 person.jpg crops --picture matches.png
    metabin search models/final/metabin/seed-0 queries embeddings --top 5 --format csv
    """
    from metabin.commands.match_formats import FORMATS
    from metabin.inference.load import load

    # Before the search, which may take minutes.
    if picture and picture.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"--picture is {picture}; expected is a name that ends with .png or .jpg")
    loaded = load(model, device=device)
    queries = open_source(loaded, query, batch_size, "query")
    candidates = open_source(loaded, gallery, batch_size, "gallery")
    matches = find_matches(all_embeddings(queries), candidates, top, index)
    results = named_matches(queries, candidates, matches)
    click.echo(FORMATS[output_format](results), nl=False)
    if picture:
        from metabin.commands.match_picture import draw_matches

        draw_matches(picture, results, queries.root, images or candidates.root)
        click.echo(f"wrote {picture}", err=True)


def open_source(model: ReIDModel, source: str, batch_size: int, title: str) -> Source:
    """Return the embeddings of an argument, computed if it names images.

    Raises:
        DatasetError: An image cannot be read, or the embeddings are of another model.
    """
    import numpy as np

    from metabin.commands import embedding_files
    from metabin.commands.image_lists import read_image_list
    from metabin.commands.nearest import InMemory
    from metabin.progress import progress

    if embedding_files.is_embeddings(source):
        files = embedding_files.open_embeddings(source)
        embedding_files.require_model(files, source, model.description)
        if not len(files):
            raise DatasetError(
                f"{source} has no embeddings: all of its images were left out as unreadable"
            )
        folder = Path(source) if Path(source).is_dir() else None
        return Source(files, files.images, files.paths(), folder)
    images = read_image_list(source)
    blocks = []
    with progress(f"embed {title}", len(images), "image", lines=sys.stderr) as advance:
        for batch in model.embed_batches(images.files(), batch_size=batch_size):
            blocks.append(batch.embeddings)
            advance(len(batch.index))
    return Source(InMemory(np.concatenate(blocks)), images.root, images.paths)


def all_embeddings(source: Source) -> np.ndarray:
    """Return the embeddings of a source in memory, (N, D)."""
    import numpy as np

    return np.concatenate(list(source.embeddings.blocks(len(source.embeddings))))


def find_matches(query: np.ndarray, gallery: Source, top: int, index: str) -> NearestImages:
    """Search the gallery, and report the agreement of an approximate search with the exact one."""
    import numpy as np

    from metabin.commands.nearest import search_exactly

    embeddings = gallery.embeddings
    if index == "exact" or (index == "auto" and len(embeddings) <= FEW):
        return search_exactly(query, embeddings, top)
    from metabin.commands import approximate
    from metabin.commands.embedding_files import INDEX

    stored = gallery.folder / INDEX if gallery.folder else None
    matches = approximate.search_approximately(query, embeddings, top, stored)
    share, count = approximate.agreement(query, embeddings, matches, np.random.default_rng(0))
    click.echo(
        f"FAISS returns {100 * share:.1f} % of the exact top {matches.index.shape[1]} "
        f"(mean of {count} queries)",
        err=True,
    )
    return matches


def named_matches(queries: Source, gallery: Source, matches: NearestImages) -> list[QueryMatches]:
    """Return the matches with the paths of the images."""
    from metabin.commands.match_formats import Match, QueryMatches

    return [
        QueryMatches(
            path, [Match(gallery.paths[position], score) for position, score in matches.of(row)]
        )
        for row, path in enumerate(queries.paths)
    ]
