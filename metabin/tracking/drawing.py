"""Pictures of simple charts, drawn with PIL in a seventh of the time that matplotlib takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TICK = 4  # pixels
ANCHORS = {0.0: "lt", 1.0: "rt"}  # the first and the last label stay within the width of the axis
SCALE = 2  # drawn twice as large and reduced, since PIL draws lines with hard edges


@dataclass(frozen=True, slots=True)
class Area:
    """The rectangle of a chart in pixels, whose axes go from 0 to 1."""

    left: int
    top: int
    right: int
    bottom: int

    def x(self, value: float) -> float:
        return self.left + value * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - value * (self.bottom - self.top)


class Drawing:
    """A picture of a width and a height in pixels. All positions are (x, y) from the top left."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)

    def pixels(self) -> np.ndarray:
        """Return the picture, (height, width, 3) uint8."""
        return np.asarray(self._image.reduce(SCALE))

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: int = 1) -> None:
        """Draw a line from point to point."""
        self._draw.line(_scaled(points), colour, width * SCALE, joint="curve")

    def dots(self, points: Sequence[tuple[float, float]], colour: str, radius: float) -> None:
        """Draw a dot at every point."""
        for point in _scaled(points):
            self._draw.circle(point, radius * SCALE, colour)

    def bar(self, corner: tuple[float, float], opposite: tuple[float, float], colour: str) -> None:
        """Fill a rectangle."""
        self._draw.rectangle(_scaled([corner, opposite]), colour)

    def grid(self, area: Area, colours: np.ndarray) -> None:
        """Fill an area with cells, (rows, columns, 3) uint8, the first row at the top."""
        left, top, right, bottom = (
            value * SCALE for value in (area.left, area.top, area.right, area.bottom)
        )
        cells = Image.fromarray(colours).resize((right - left, bottom - top), Image.Resampling.BOX)
        self._image.paste(cells, (left, top))

    def text(
        self,
        text: str,
        position: tuple[float, float],
        size: float,
        anchor: str = "mm",
        *,
        upwards: bool = False,
    ) -> None:
        """Write text.

        Args:
            anchor: the point of the text at the position, as PIL names it: "lm" is left middle.
            upwards: rotate the text by 90 degrees. The anchor is then the middle of its end ("rm")
                or of its length ("mm").
        """
        font = ImageFont.load_default(size * SCALE)
        ((x, y),) = _scaled([position])
        if not upwards:
            self._draw.text((x, y), text, "black", font, anchor)
            return
        left, top, right, bottom = map(round, font.getbbox(text))
        label = Image.new("RGB", (right, bottom + top), "white")
        ImageDraw.Draw(label).text((0, 0), text, "black", font)
        label = label.rotate(90, expand=True)
        end = y if anchor == "rm" else y - label.height / 2
        self._image.paste(label, (round(x - label.width / 2), round(end)))

    def frame(
        self, area: Area, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], size: float
    ) -> None:
        """Draw the border of an area, and ticks with labels below and on the left.

        Args:
            x_ticks, y_ticks: place on the axis, 0 to 1 -> label.
            size: of the labels.
        """
        corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
        self.line([(area.x(x), area.y(y)) for x, y in corners], "black")
        for place, label in x_ticks.items():
            x = area.x(place)
            self.line([(x, area.bottom), (x, area.bottom + TICK)], "black")
            self.text(label, (x, area.bottom + 2 * TICK), size, ANCHORS.get(place, "mt"))
        for place, label in y_ticks.items():
            y = area.y(place)
            self.line([(area.left - TICK, y), (area.left, y)], "black")
            self.text(label, (area.left - 2 * TICK, y), size, "rm")


def _scaled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * SCALE, y * SCALE) for x, y in points]
