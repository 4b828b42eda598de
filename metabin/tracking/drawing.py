"""Pictures of simple charts, drawn with PIL in a seventh of the time that matplotlib takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True, slots=True)
class Area:
    """The rectangle of a chart, whose axes go from 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def x(self, value: float) -> float:
        return self.left + value * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - value * (self.bottom - self.top)


class Drawing:
    """A picture. All positions are (x, y) from the top left, in units.

    Args:
        width, height: in units.
        scale: pixels per unit.
    """

    def __init__(self, width: int, height: int, scale: int) -> None:
        self.image = Image.new("RGB", (width * scale, height * scale), "white")
        self._scale = scale
        self._draw = ImageDraw.Draw(self.image)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1) -> None:
        """Draw a line from point to point."""
        self._draw.line(self._pixels(points), colour, round(width * self._scale), joint="curve")

    def dots(self, points: Sequence[tuple[float, float]], colour: str, radius: float) -> None:
        """Draw a dot at every point."""
        for point in self._pixels(points):
            self._draw.circle(point, radius * self._scale, colour)

    def bars(self, areas: Iterable[Area], colour: str) -> None:
        """Fill rectangles."""
        for area in areas:
            left, top, right, bottom = self._box(area)
            if right > left and bottom > top:
                self._draw.rectangle((left, top, right - 1, bottom - 1), colour)

    def grid(self, area: Area, colours: np.ndarray) -> None:
        """Fill an area with cells, (rows, columns, 3) uint8, the first row at the top."""
        left, top, right, bottom = self._box(area)
        cells = Image.fromarray(colours).resize((right - left, bottom - top), Image.Resampling.BOX)
        self.image.paste(cells, (left, top))

    def text(
        self,
        text: str,
        position: tuple[float, float],
        size: float,
        anchor: str = "mm",
        colour: str = "black",
    ) -> None:
        """Write text.

        Args:
            anchor: the point of the text at the position, as PIL names it: "lm" is left middle.
        """
        ((x, y),) = self._pixels([position])
        self._draw.text((x, y), text, colour, _font(size * self._scale), anchor)

    def _box(self, area: Area) -> tuple[int, int, int, int]:
        (left, top), (right, bottom) = self._pixels(
            [(area.left, area.top), (area.right, area.bottom)]
        )
        return round(left), round(top), round(right), round(bottom)

    def _pixels(self, points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * self._scale, y * self._scale) for x, y in points]


def text_width(text: str, size: float) -> float:
    """Return the width of a text, in units."""
    return _font(100).getlength(text) * size / 100


def fit(text: str, size: float, width: float) -> str:
    """Return the text, with its middle left out if it is wider than `width` units."""
    short = text
    length = len(text)
    while length > 1 and text_width(short, size) > width:
        length -= 1
        short = f"{text[: (length + 1) // 2]}…{text[len(text) - length // 2 :]}"
    return short


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
