"""Section "Parameters, data and versions": the provenance of the run."""

from __future__ import annotations

from metabin.report.inputs import ReportInputs
from metabin.report.provenance import flatten_sections
from metabin.report.section import Details, Facts, Paragraph, Part, Section


def section(inputs: ReportInputs) -> Section:
    """Return the section: one folded block for each section of params.yaml."""
    parts: list[Part] = []
    for name, facts in flatten_sections(inputs.provenance).items():
        block = Facts(facts)
        parts.append(Details(name, [block]) if name else block)
    if not parts:
        parts.append(Paragraph("Nothing was recorded."))
    return Section("Parameters, data and versions", "run", "All parameters", parts, in_text=False)
