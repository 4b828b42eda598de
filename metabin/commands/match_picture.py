"""A picture of query images and their matches: one row per query, the best match on the left."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from metabin.commands.match_formats import QueryMatches
from metabin.errors import DatasetError
from metabin.files import write_bytes
from metabin.images import read_image

MAX_ROWS = 20
MAX_MATCHES = 10
# Sizes in pixels.
IMAGE = (96, 192)
GAP = 12
AFTER_QUERY = 28
MARGIN = 24
HEADING = 28
CAPTION = 38
FONT = 15
SMALL_FONT = 11
# Colours.
BACKGROUND = "white"
FRAME = "#f1f3f5"  # behind images of another shape
TEXT = "#212529"
GREY_TEXT = "#868e96"
LINE = "#ced4da"


def draw_matches(
    path: Path, results: list[QueryMatches], query_root: Path, gallery_root: Path
) -> None:
    """Draw at most 20 queries with at most 10 matches each.

    Args:
        path: File to write, with the suffix of a format of Pillow.
        query_root: Folder from which the paths of the queries start.
        gallery_root: Folder from which the paths of the matches start.

    Raises:
        DatasetError: An image is missing or cannot be read.
    """
    rows = results[:MAX_ROWS]
    num_columns = max(len(result.matches[:MAX_MATCHES]) for result in rows)
    row_height = IMAGE[1] + CAPTION
    width = _column(num_columns) - GAP + MARGIN
    height = MARGIN + HEADING + len(rows) * (row_height + GAP) - GAP + MARGIN
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    _draw_headings(draw, num_columns)
    for number, result in enumerate(rows):
        y = MARGIN + HEADING + number * (row_height + GAP)
        _paste(canvas, query_root / result.query, MARGIN, y)
        _caption(draw, MARGIN, y, "", result.query)
        for rank, match in enumerate(result.matches[:MAX_MATCHES]):
            x = _column(rank)
            _paste(canvas, gallery_root / match.path, x, y)
            _caption(draw, x, y, f"{match.score:.3f}", match.path)
    x = _column(0) - AFTER_QUERY // 2
    draw.line([(x, MARGIN), (x, height - MARGIN)], fill=LINE)
    _write(path, canvas)


def _column(rank: int) -> int:
    """Return the left edge of the match of a rank, from 0."""
    return MARGIN + IMAGE[0] + AFTER_QUERY + rank * (IMAGE[0] + GAP)


def _draw_headings(draw: ImageDraw.ImageDraw, num_columns: int) -> None:
    draw.text((MARGIN, MARGIN), "Query", TEXT, ImageFont.load_default(FONT))
    for rank in range(num_columns):
        draw.text((_column(rank), MARGIN), f"{rank + 1}", TEXT, ImageFont.load_default(FONT))


def _paste(canvas: Image.Image, path: Path, x: int, y: int) -> None:
    """Draw an image, scaled to fit, in the centre of its cell."""
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist, which --picture draws; if the images of the gallery were "
            "moved, pass their folder as --images"
        )
    cell = ImageOps.pad(read_image(path), IMAGE, Image.Resampling.LANCZOS, FRAME)
    canvas.paste(cell, (x, y))


def _caption(draw: ImageDraw.ImageDraw, x: int, y: int, score: str, path: str) -> None:
    """Write the score, if there is one, and the path below an image."""
    y += IMAGE[1] + 4
    if score:
        draw.text((x, y), score, TEXT, ImageFont.load_default(FONT))
        y += FONT + 4
    font = ImageFont.load_default(SMALL_FONT)
    draw.text((x, y), _shortened(path, font), GREY_TEXT, font)


def _shortened(path: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return the end of a path that fits below an image."""
    text = path
    while font.getlength(text) > IMAGE[0] and len(text) > 1:
        path = path[1:]
        text = f"\u2026{path}"
    return text


def _write(path: Path, canvas: Image.Image) -> None:
    content = io.BytesIO()
    canvas.save(content, "PNG" if path.suffix.lower() == ".png" else "JPEG", quality=92)
    write_bytes(path, content.getvalue())
