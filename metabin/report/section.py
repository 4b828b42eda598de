"""A section of the report and its parts. `page` and `markdown` render every part by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metabin.report.display import Table


class Part(Protocol):
    """Anything that a section holds. `kind` is the name of its macro in template.html."""

    kind: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report.

    Args:
        title: the heading.
        anchor: id of the section, and target of its link in the contents.
        link: the text of that link, two or three words.
        parts: in the order of the page.
        in_text: whether report.md has the section. It has no charts and no images.
    """

    title: str
    anchor: str
    link: str
    parts: Sequence[Part]
    in_text: bool = True


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of prose. `file` is a file of the report: on the page, a link before the text."""

    kind: ClassVar[str] = "paragraph"
    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section. `method` adds the colour of a method."""

    kind: ClassVar[str] = "heading"
    text: str
    method: str = ""
    level: Literal[3, 4] = 3


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table. The caption names it for screen readers."""

    kind: ClassVar[str] = "data_table"
    table: Table
    caption: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, also written to figures/NAME.png.

    Args:
        name: file name without its suffix, unique in the report.
        alt: the text for readers who cannot see the chart.
        draw: makes the figure; called once, when the page is rendered.
        title: text above the chart; "" for none. `method` adds its colour.
    """

    kind: ClassVar[str] = "chart"
    name: str
    alt: str
    draw: Callable[[], Figure]
    title: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class CaptionedChart:
    """A chart with parts that explain it: below it, beside it, or a table beside it."""

    kind: ClassVar[str] = "captioned_chart"
    chart: Chart
    caption: Sequence[Part]
    layout: Literal["below", "beside", "table"] = "beside"

    @property
    def parts(self) -> Sequence[Part]:
        """The chart and the parts of its caption."""
        return (self.chart, *self.caption)


@dataclass(frozen=True, slots=True)
class ChartGrid:
    """Charts side by side, as many as fit: three, or two if `wide`."""

    kind: ClassVar[str] = "chart_grid"
    parts: Sequence[Chart]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """An entry of a glossary. `method` adds the colour of a method."""

    term: str
    text: str
    method: str = ""


@dataclass(frozen=True, slots=True)
class Glossary:
    """Terms with their meaning."""

    kind: ClassVar[str] = "glossary"
    terms: Sequence[Term]


@dataclass(frozen=True, slots=True)
class Facts:
    """Many short keys with their values."""

    kind: ClassVar[str] = "facts"
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Details:
    """Parts that are folded under a summary on the page. `is_minor` makes the summary small."""

    kind: ClassVar[str] = "details"
    summary: str
    parts: Sequence[Part]
    is_open: bool = False
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class Photo:
    """An image of a data set. `path` is relative to `ReportInputs.image_root`."""

    path: str
    alt: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class PhotoStrip:
    """Images in a row, also written to figures/NAME.png."""

    kind: ClassVar[str] = "photo_strip"
    name: str
    photos: Sequence[Photo]


@dataclass(frozen=True, slots=True)
class PhotoPairs:
    """Pairs of images with a label under each pair, a title above and a caption below."""

    kind: ClassVar[str] = "photo_pairs"
    title: str
    pairs: Sequence[tuple[Photo, Photo, str]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class RankedList:
    """A query and the nearest gallery images in order, each with whether it is a correct match.

    `only_here` says of each image whether the list of the other method lacks it.
    """

    kind: ClassVar[str] = "ranked_list"
    title: str
    method: str
    remark: str
    query: Photo
    gallery: Sequence[tuple[Photo, bool]]
    only_here: Sequence[bool] = ()


def walk(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield all parts, including those inside other parts, in the order of the page."""
    for part in parts:
        yield part
        yield from walk(getattr(part, "parts", ()))
