"""The picture of an explanation: two images and the regions that matter for their similarity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from metabin.files import write_bytes
from metabin.inference.explanation import PairExplanation

HEIGHT = 448  # of an image in the picture, in pixels
MARGIN = 32
GAP = 8  # between an image and its regions
TITLE = 64
CAPTION = 40
SCALE = 84  # height of the scale of colours with its labels
BAR = 14
INK = "#22262b"
MUTED = "#6a7078"
RAISES = np.array([214, 72, 20])  # orange
LOWERS = np.array([38, 104, 168])  # blue
OPACITY = 0.8  # of the strongest colour
PALE = 0.5  # share of white in the grey image below the colours


def draw_regions(
    path: Path,
    explanation: PairExplanation,
    images: Sequence[Image.Image],
    names: Sequence[str],
    width: int,
) -> None:
    """Draw two images side by side, each beside its regions, with the same colours for both.

    Args:
        path: File to write, with the suffix .png or that of a JPEG.
        images: A and B, in RGB, of any size.
        names: Captions of A and B.
        width: Of an image in the picture, in pixels; its height is HEIGHT.
    """
    panel = 2 * width + GAP
    size = (2 * panel + 3 * MARGIN, TITLE + HEIGHT + CAPTION + SCALE)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    title = f"cosine similarity {explanation.similarity:.3f}"
    title_font = ImageFont.load_default(24)
    draw.text((MARGIN, TITLE / 2), title, INK, title_font, "lm")
    font = ImageFont.load_default(15)
    x = MARGIN + title_font.getlength(title) + 16
    draw.text((x, TITLE / 2 + 3), _subtitle(explanation.layer), MUTED, font, "lm")
    # One scale for both images, so that their colours can be compared.
    limit = float(np.abs(explanation.regions).max())
    for index, (image, name) in enumerate(zip(images, names, strict=True)):
        left = MARGIN + index * (panel + MARGIN)
        resized = image.resize((width, HEIGHT), Image.Resampling.BICUBIC)
        picture.paste(resized, (left, TITLE))
        regions = _resize(explanation.regions[index], width)
        picture.paste(_tint(resized, regions, limit), (left + width + GAP, TITLE))
        caption = _shorten(name, font, panel)
        draw.text((left, TITLE + HEIGHT + CAPTION / 2), caption, MUTED, font, "lm")
    _draw_scale(picture, size[1] - SCALE, limit)
    content = io.BytesIO()
    picture.save(content, "PNG" if path.suffix.lower() == ".png" else "JPEG", quality=92)
    write_bytes(path, content.getvalue())


def _subtitle(layer: str) -> str:
    return f"Grad-CAM of {layer}" if layer else "the sum over the regions of each image"


def _resize(regions: np.ndarray, width: int) -> np.ndarray:
    """Return regions (h, w) as (HEIGHT, width), linear between the middles of the regions."""
    image = Image.fromarray(regions.astype(np.float32))
    # Bicubic interpolation would overshoot, and give regions without an effect a sign.
    return np.asarray(image.resize((width, HEIGHT), Image.Resampling.BILINEAR))


def _tint(image: Image.Image, regions: np.ndarray, limit: float) -> Image.Image:
    """Return a pale grey image with the colours of regions, (H, W), over it."""
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    grey = PALE * 255 + (1 - PALE) * grey
    colours, opacity = _colours(regions, limit)
    mixed = opacity * colours + (1 - opacity) * grey
    return Image.fromarray(mixed.round().astype(np.uint8))


def _colours(values: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour of values, (..., 3), and its opacity, (..., 1), from 0 to OPACITY."""
    strength = np.clip(np.abs(values) / max(limit, np.finfo(np.float32).tiny), 0, 1)
    colours = np.where((values > 0)[..., None], RAISES, LOWERS)
    return colours, OPACITY * strength[..., None]


def _draw_scale(picture: Image.Image, top: int, limit: float) -> None:
    """Draw the scale of colours, from -limit to limit, with its meaning."""
    width = picture.width - 2 * MARGIN
    values = np.linspace(-limit, limit, width)
    colours, opacity = _colours(values, limit)
    bar = opacity * colours + (1 - opacity) * 255
    pixels = np.repeat(bar[None].round().astype(np.uint8), BAR, axis=0)
    picture.paste(Image.fromarray(pixels), (MARGIN, top + 12))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    y = top + 12 + BAR + 16
    for x, text, anchor in (
        (MARGIN, f"lowers the similarity ({-limit:.3f})", "lm"),
        (picture.width // 2, "0", "mm"),
        (picture.width - MARGIN, f"raises the similarity ({limit:+.3f})", "rm"),
    ):
        draw.text((x, y), text, MUTED, font, anchor)


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return the end of a text that fits a width in pixels."""
    short = text
    while font.getlength(short) > width and len(text) > 1:
        text = text[1:]
        short = f"\u2026{text}"
    return short
