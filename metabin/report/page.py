"""The report's files: pages that need no other file, a text, figures, and tables for `dvc`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from metabin.files import write_bytes, write_text
from metabin.report.charts import css_size, encode_charts
from metabin.report.data_files import data_files
from metabin.report.inputs import ReportInputs
from metabin.report.markdown import report_text
from metabin.report.pictures import Thumbnails, data_uri
from metabin.report.rho_page import render as rho
from metabin.report.section import Chart, Part, PhotoStrip, Section, walk
from metabin.report.sections import build_sections
from metabin.report.style import styles_for

TEMPLATE = Path(__file__).with_name("template.html")


@dataclass(frozen=True, slots=True)
class EncodedChart:
    """A chart in the page: its data URI, and its size in CSS pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The figures and the pages: `charts` have numbers, `pictures` have images of the data sets."""

    charts: tuple[Path, ...]
    pictures: tuple[Path, ...]


def write_report(inputs: ReportInputs, directory: Path) -> ReportFiles:
    """Write index.html, rho.html, report.md, figures/*.png and the files of `data_files`.

    Each file is replaced in one step; the same inputs give the same bytes. Nothing is written if an
    image is missing.

    Returns:
        The figures and the pages.

    Raises:
        DatasetError: an image of `ranked_lists`, `overlaps` or `samples` is missing.
        ValueError: two figures have the same file name.
    """
    # Everything is encoded before anything is written: images first, as they may be missing.
    sections = build_sections(inputs)
    thumbnails = Thumbnails(inputs.image_root, inputs.image_folders)
    strips = encode_strips(sections, thumbnails)
    charts = encode_charts(part for part in _parts(sections) if isinstance(part, Chart))
    texts = {
        "index.html": render_page(inputs, sections, charts, thumbnails),
        rho.FILE: rho.rho_page(inputs),
        "report.md": report_text(inputs, sections),
        **data_files(inputs),
    }
    figures = directory / "figures"
    for name, content in (charts | strips).items():
        write_bytes(figures / f"{name}.png", content)
    for name, text in texts.items():
        write_text(directory / name, text)
    return ReportFiles(
        charts=(*(figures / f"{name}.png" for name in charts), directory / rho.FILE),
        pictures=(*(figures / f"{name}.png" for name in strips), directory / "index.html"),
    )


def render_page(
    inputs: ReportInputs,
    sections: Sequence[Section],
    charts: Mapping[str, bytes],
    thumbnails: Thumbnails,
) -> str:
    """Return the page as HTML; every name and value from the inputs is escaped.

    Args:
        charts: name -> PNG of every chart in the sections.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    # The template looks charts up by name, as parts hold no bytes.
    encoded = {
        name: EncodedChart(data_uri(content, "png"), *css_size(content))
        for name, content in charts.items()
    }
    return template.render(
        title=inputs.title,
        lede=lede(inputs),
        note=inputs.note,
        sections=sections,
        styles=styles_for(inputs.rows),
        charts=encoded,
        thumbnail=thumbnails.uri,
    )


def lede(inputs: ReportInputs) -> str:
    """Return the first paragraph: the task, and the domains that are held out."""
    count = len({domain for _, domain in inputs.unseen})
    if count == 1:
        held_out = "One domain is held out"
    elif len(inputs.folds) == 1:
        held_out = f"{count} domains are held out"
    elif inputs.named_by_target:
        held_out = f"Each of {count} domains is held out in turn"
    else:
        held_out = f"{count} domains are held out, in {len(inputs.folds)} folds"
    return (
        "Re-identification: given a picture of a person, find the same person in pictures from "
        f"other cameras. {held_out}: every method is trained on other domains, then tested there, "
        "on people and a place it has never seen."
    )


def encode_strips(sections: Sequence[Section], thumbnails: Thumbnails) -> dict[str, bytes]:
    """Return {name: PNG} of the strips of images.

    Raises:
        ValueError: two strips have the same name.
    """
    content: dict[str, bytes] = {}
    for part in _parts(sections):
        if isinstance(part, PhotoStrip):
            if part.name in content:
                raise ValueError(f"two strips have the file name {part.name!r}; rename a domain")
            content[part.name] = thumbnails.strip([photo.path for photo in part.photos])
    return content


def _parts(sections: Sequence[Section]) -> Iterator[Part]:
    for section in sections:
        yield from walk(section.parts)
