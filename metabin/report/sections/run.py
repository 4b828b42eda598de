"""Section "Parameters, data and versions": the provenance of the run."""

from __future__ import annotations

from metabin.report.inputs import ReportInputs
from metabin.report.provenance import flatten_sections
from metabin.report.section import Facts, Heading, Paragraph, Part, Section


def section(inputs: ReportInputs) -> Section:
    """Return the section."""
    parts: list[Part] = []
    for name, facts in flatten_sections(inputs.provenance).items():
        if name:
            parts.append(Heading(name))
        parts.append(Facts(facts))
    if not parts:
        parts.append(Paragraph("Nothing was recorded."))
    return Section("Parameters, data and versions", "run", "Parameters", parts, in_text=False)
