"""The sections of the report, in the order of the page: one file and one line each."""

from __future__ import annotations

from metabin.report.inputs import ReportInputs
from metabin.report.section import Section
from metabin.report.sections import (
    camera_pairs,
    comparisons,
    differences,
    embedding_map,
    final,
    losses,
    matrices,
    overlap,
    published,
    ranked_lists,
    results,
    rho,
    rho_probe,
    run,
    samples,
    selection,
    verification,
)

SECTIONS = (
    results.section,
    differences.section,
    comparisons.section,
    selection.section,
    final.section,
    published.section,
    overlap.section,
    matrices.section,
    camera_pairs.section,
    verification.section,
    losses.section,
    rho_probe.section,
    rho.section,
    embedding_map.section,
    ranked_lists.section,
    samples.section,
    run.section,
)


def build_sections(inputs: ReportInputs) -> list[Section]:
    """Return the sections for which there are inputs, in the order of the page."""
    sections = [section(inputs) for section in SECTIONS]
    return [section for section in sections if section is not None]
