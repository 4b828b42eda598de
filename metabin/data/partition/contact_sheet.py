"""Contact sheet of a data set: one row per identity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from metabin.files import write_bytes
from metabin.images import read_image
from metabin.types import ImageRecord

HEIGHT = 96  # pixels of an image on the sheet
WIDTH = 48
GUTTER = 3  # pixels between images
PAPER = (250, 250, 248)
JPEG_QUALITY = 92


def write_identity_sheet(path: Path, records: Sequence[ImageRecord], images: Path) -> None:
    """Write `identity_sheet` as a JPEG file."""
    content = io.BytesIO()
    identity_sheet(records, images).save(content, "JPEG", quality=JPEG_QUALITY)
    write_bytes(path, content.getvalue())


def identity_sheet(
    records: Sequence[ImageRecord], images: Path, *, num_ids: int = 8, num_images: int = 8
) -> Image.Image:
    """Render the first identities by pid, one row per identity, with their first images.

    Distractors are left out.

    Args:
        records: At least one.
        images: Folder that the records' paths are relative to.
        num_ids: Greatest number of rows.
        num_images: Number of columns; an identity with fewer images leaves some empty.
    """
    by_pid: dict[int, list[ImageRecord]] = {}
    for record in sorted(records, key=lambda record: (record.pid, record.camid, record.path)):
        if not record.distractor:
            by_pid.setdefault(record.pid, []).append(record)
    pids = sorted(by_pid)[:num_ids]
    width = num_images * (WIDTH + GUTTER) + GUTTER
    height = len(pids) * (HEIGHT + GUTTER) + GUTTER
    sheet = Image.new("RGB", (width, height), PAPER)
    for row, pid in enumerate(pids):
        for column, record in enumerate(by_pid[pid][:num_images]):
            left = GUTTER + column * (WIDTH + GUTTER)
            top = GUTTER + row * (HEIGHT + GUTTER)
            image = read_image(images / record.path).resize((WIDTH, HEIGHT))
            sheet.paste(image, (left, top))
    return sheet
