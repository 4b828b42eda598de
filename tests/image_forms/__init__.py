"""Image files in all common forms, generated in memory, with the pixels that a viewer displays."""

from __future__ import annotations

from collections.abc import Iterator

from image_forms.base import Form
from image_forms.jpeg import jpeg_forms, orientation_forms
from image_forms.other import damaged_forms, gif_forms, other_forms, webp_avif_jp2_forms
from image_forms.png import png_forms, wide_png_forms
from image_forms.tiff import grey_tiff_forms, netpbm_forms, tiff_forms

__all__ = ["Form", "forms"]


GROUPS = (
    jpeg_forms,
    orientation_forms,
    png_forms,
    wide_png_forms,
    gif_forms,
    webp_avif_jp2_forms,
    tiff_forms,
    grey_tiff_forms,
    netpbm_forms,
    other_forms,
    damaged_forms,
)


def forms() -> Iterator[Form]:
    """Yield all forms."""
    for group in GROUPS:
        yield from group()
