"""A look at a data set: some identities, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from metabin.images import read_image
from metabin.types import ImageRecord

HEIGHT, WIDTH, GUTTER = 96, 48, 3
PAPER = (250, 250, 248)


def identity_sheet(
    records: Sequence[ImageRecord], images: Path, *, num_ids: int = 8, num_images: int = 8
) -> Image.Image:
    """The first identities by pid, a row each, with their first images; distractors are not shown.

    Args:
        records: at least one. images: what their paths are relative to.
    """
    rows: dict[int, list[ImageRecord]] = {}
    for record in sorted(records, key=lambda record: (record.pid, record.camid, record.path)):
        if not record.distractor:
            rows.setdefault(record.pid, []).append(record)
    shown = [rows[pid][:num_images] for pid in sorted(rows)[:num_ids]]
    size = (num_images * (WIDTH + GUTTER) + GUTTER, len(shown) * (HEIGHT + GUTTER) + GUTTER)
    sheet = Image.new("RGB", size, PAPER)
    for row, found in enumerate(shown):
        for column, record in enumerate(found):
            place = (GUTTER + column * (WIDTH + GUTTER), GUTTER + row * (HEIGHT + GUTTER))
            sheet.paste(read_image(images / record.path).resize((WIDTH, HEIGHT)), place)
    return sheet
