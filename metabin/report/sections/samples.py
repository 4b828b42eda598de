"""Section "Sample images": a strip of images of each domain."""

from __future__ import annotations

from metabin.report.charts import slug
from metabin.report.inputs import ReportInputs
from metabin.report.section import Heading, Part, Photo, PhotoStrip, Section

TITLE = "Sample images"


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without samples."""
    parts: list[Part] = []
    for domain in inputs.pictured:
        paths = inputs.samples.get(domain, ())
        photos = [
            Photo(path, f"sample {number} of {domain}")
            for number, path in enumerate(paths, start=1)
        ]
        if photos:
            parts += [Heading(domain), PhotoStrip(f"samples_{slug(domain)}", photos)]
    return Section(TITLE, "samples", TITLE, parts, in_text=False) if parts else None
