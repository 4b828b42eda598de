"""Section "Comparison with published results": the run beside results under the same protocol."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from metabin.report.display import DASH, MINUS, Cell, Row, Table, percent, points
from metabin.report.inputs import ReportInputs
from metabin.report.section import DataTable, Details, Glossary, Paragraph, Section, Term
from metabin.report.style import styles_for
from metabin.results.published import CONFIDENCE, NUMBERS

TITLE = "Comparison with published results"
# GRID has fixed splits, the large sets have one test.
RANDOM_SPLITS = ("viper", "prid2011", "ilids")
GAP = f"this run {MINUS} published, points"
MARKS = {
    "b": "another backbone than this run's, or none recorded",
    "d": "more training data than the protocol's sources; weights from ImageNet do not count",
    "s": f"secondary: {CONFIDENCE['secondary']}",
    "m": f"memory: {CONFIDENCE['memory']}",
    "c": f"derived: {CONFIDENCE['derived']}",
}
CAVEATS = (
    "Percent: mAP, then rank-1. Published numbers come from other code, trained by the authors or "
    f"by those of a later paper. Those without a letter are verified: {CONFIDENCE['verified']}. "
    "The best of a column is chosen by mAP on the target itself, in "
    "this run and among the published methods; the rank-1 is the same method's."
)


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without published results."""
    if inputs.published.empty:
        return None
    sources = [Term(method, facts) for method, facts in method_facts(inputs).items()]
    return Section(
        TITLE,
        "published",
        "Published results",
        (
            Paragraph(caveats(inputs)),
            DataTable(published_table(inputs), "This run beside published results"),
            Details("Sources of the published numbers", [Glossary(sources)], is_minor=True),
        ),
    )


def published_table(inputs: ReportInputs) -> Table:
    """Return targets by this run and published methods, with the difference under each."""
    targets = tuple(dict.fromkeys(inputs.published["target"]))
    entries = {
        str(name): rows.set_index("target") for name, rows in inputs.published.groupby("entry")
    }
    backbone = _run_backbone(inputs.published)

    # Every entry has one row per target, so that all rows have the same columns.
    def of_run(label: str, entry: str) -> Row:
        rows = [entries[entry].loc[target] for target in targets]
        return Row(label, tuple(_run_cell(inputs, row) for row in rows))

    def of_others(label: str, entry: str) -> tuple[Row, Row]:
        rows = [entries[entry].loc[target] for target in targets]
        cells = tuple(_published_cell(row, backbone) for row in rows)
        gaps = tuple(_cell(points, row, "_gap") for row in rows)
        return Row(label, cells), Row(GAP, gaps, is_minor=True)

    rows: list[Row] = []
    if (entries["run_metabin"]["method"] != "").any():
        rows.append(of_run("MetaBIN, this run", "run_metabin"))
    if (entries["published_metabin"]["method"] != "").any():
        rows += of_others("MetaBIN, published", "published_metabin")
    rows.append(of_run("Best of this run", "run_best"))
    # Both rows would be the same if no method with extra data is the best anywhere.
    if not entries["best"]["method"].equals(entries["best_without_extra_data"]["method"]):
        rows += of_others("Best without extra data", "best_without_extra_data")
    rows += of_others("Best published", "best")
    return Table("Percent", (("mAP, rank-1", len(targets)),), targets, tuple(rows))


def caveats(inputs: ReportInputs) -> str:
    """Return the limits of the comparison, and the meaning of the marks in the table."""
    targets = set(inputs.published["target"])
    backbone = _run_backbone(inputs.published)
    splits = [name for name in RANDOM_SPLITS if name in targets]
    rows = [row for _, row in _published_rows(inputs.published).iterrows()]
    used = {mark for row in rows for mark in _marks(row, backbone)}
    sentences = [CAVEATS]
    if splits:
        names = ", ".join(splits)
        sentences.append(f"The random splits of {names} differ between papers and from these.")
    sentences += [f"({mark}) {meaning}." for mark, meaning in MARKS.items() if mark in used]
    return " ".join(sentences)


def method_facts(inputs: ReportInputs) -> dict[str, str]:
    """Return {published method of the table: venue, year, backbone, data, source, remarks}."""
    return {
        str(name): "; ".join(filter(None, _facts(rows)))
        for name, rows in _published_rows(inputs.published).groupby("method", sort=False)
    }


def _facts(rows: pd.DataFrame) -> list[str]:
    first = rows.iloc[0]
    year = "" if pd.isna(first["year"]) else str(first["year"])
    backbones = [backbone or "backbone not recorded" for backbone in rows["backbone"]]
    sources = rows["confidence"] + ": " + rows["source"]
    facts = [f"{first['venue']} {year}".strip(), *backbones, *rows["extra_data"], *sources]
    for remark, group in rows.groupby("remark", sort=False):
        # A remark on some targets only names them.
        applies_to_all = len(group) == len(rows) or not remark
        targets = ", ".join(dict.fromkeys(group["target"]))
        facts.append(str(remark) if applies_to_all else f"{targets}: {remark}")
    return list(dict.fromkeys(facts))


def _published_rows(published: pd.DataFrame) -> pd.DataFrame:
    return published[~published["entry"].str.startswith("run") & (published["method"] != "")]


def _run_backbone(published: pd.DataFrame) -> str:
    rows = published[published["entry"].str.startswith("run") & (published["method"] != "")]
    return "" if rows.empty else str(rows.iloc[0]["backbone"])


def _run_cell(inputs: ReportInputs, row: pd.Series) -> Cell:
    is_named = row["method"] and row["entry"] == "run_best"
    label = styles_for(inputs.rows)[row["method"]].label if is_named else ""
    return _cell(percent, row, note=label)


def _published_cell(row: pd.Series, backbone: str) -> Cell:
    marks = ",".join(_marks(row, backbone))
    name = row["backbone" if row["entry"] == "published_metabin" else "method"]
    return _cell(percent, row, note=f"{name} ({marks})" if marks else name)


def _cell(show: Callable[[float], str], row: pd.Series, suffix: str = "", note: str = "") -> Cell:
    """Return mAP and rank-1 as a cell; one dash if both are missing."""
    texts = [show(row[f"{name}{suffix}"] / 100) for name in NUMBERS]
    return Cell(DASH) if set(texts) == {DASH} else Cell(texts[0], second=texts[1], note=note)


def _marks(row: pd.Series, backbone: str) -> list[str]:
    holds = {
        "b": row["backbone"] != backbone,
        "d": bool(row["extra_data"]),
        "s": row["confidence"] == "secondary",
        "m": row["confidence"] == "memory",
        "c": row["confidence"] == "derived",
    }
    return [mark for mark in MARKS if row["method"] and holds[mark]]
