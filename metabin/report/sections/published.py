"""The run beside published results: a table, and what of it is not comparable."""

from collections.abc import Callable

import pandas as pd

from metabin.report.display import DASH, Cell, Row, Table, percent, points
from metabin.report.inputs import ReportInputs
from metabin.report.style import styles_for
from metabin.results.published import NUMBERS

RANDOM_SPLITS = ("viper", "prid2011", "ilids")  # GRID comes with its splits, the large sets with one test
GAP = "this run less that, points"
MARKS = {
    "b": "another backbone than this run's, or none recorded",
    "d": "more training data than the protocol's sources; a start from ImageNet does not count",
    "m": "quoted from memory, not looked up",
}
ALWAYS = (
    "Published numbers come from other code, trained by the authors or by those of a later paper. The best of a column "
    "is chosen by mAP on the target itself, in this run and among the published ones; the rank-1 is the same method's."
)


def table(inputs: ReportInputs) -> Table | None:
    """Targets by this run and what was published, the gap under each; None where there is nothing to compare with."""
    if inputs.published.empty:
        return None
    targets = tuple(dict.fromkeys(inputs.published["target"]))
    entries = {str(name): rows.set_index("target") for name, rows in inputs.published.groupby("entry")}
    backbone = _own_backbone(inputs.published)

    def own(label: str, entry: str) -> Row:
        return Row(label, tuple(_own_cell(inputs, entries[entry].loc[target]) for target in targets))

    def published(label: str, entry: str) -> tuple[Row, Row]:
        rows = [entries[entry].loc[target] for target in targets]
        gaps = tuple(_cell(points, row, "_gap") for row in rows)
        return Row(label, tuple(_published_cell(row, backbone) for row in rows)), Row(GAP, gaps, baseline=True)

    rows: list[Row] = []
    if (entries["own_metabin"]["method"] != "").any():
        rows.append(own("MetaBIN, this run", "own_metabin"))
    if (entries["published_metabin"]["method"] != "").any():
        rows += published("MetaBIN, published", "published_metabin")
    rows.append(own("Best of this run", "own_best"))
    if not entries["best"]["method"].equals(entries["best_without_extra_data"]["method"]):
        rows += published("Best without extra data", "best_without_extra_data")
    rows += published("Best published", "best")
    return Table("Percent", (("mAP, rank-1 under it", len(targets)),), targets, tuple(rows))


def caveats(inputs: ReportInputs) -> str:
    """What is not comparable in all published numbers, and what the marks in the table mean."""
    targets, backbone = set(inputs.published["target"]), _own_backbone(inputs.published)
    splits = [name for name in RANDOM_SPLITS if name in targets]
    used = {mark for _, row in _theirs(inputs.published).iterrows() for mark in _marks(row, backbone)}
    sentences = [
        ALWAYS,
        f"The random splits of {', '.join(splits)} differ between papers and from these." if splits else "",
        *(f"({mark}) {meaning}." for mark, meaning in MARKS.items() if mark in used),
    ]
    return " ".join(filter(None, sentences))


def methods(inputs: ReportInputs) -> dict[str, str]:
    """{published method in the table: venue and year, backbone, extra data, where it was read, what was remarked}."""
    return {
        str(name): "; ".join(filter(None, _facts(rows)))
        for name, rows in _theirs(inputs.published).groupby("method", sort=False)
    }


def _facts(rows: pd.DataFrame) -> list[str]:
    first = rows.iloc[0]
    year = "" if pd.isna(first["year"]) else str(first["year"])
    backbones = [backbone or "backbone not recorded" for backbone in rows["backbone"]]
    facts = [f"{first['venue']} {year}".strip(), *backbones, *rows["extra_data"], *rows["source"]]
    for remark, of in rows.groupby("remark", sort=False):
        whole = len(of) == len(rows) or not remark
        facts.append(str(remark) if whole else f"{', '.join(dict.fromkeys(of['target']))}: {remark}")
    return list(dict.fromkeys(facts))


def _theirs(published: pd.DataFrame) -> pd.DataFrame:
    return published[~published["entry"].str.startswith("own") & (published["method"] != "")]


def _own_backbone(published: pd.DataFrame) -> str:
    own = published[published["entry"].str.startswith("own") & (published["method"] != "")]
    return "" if own.empty else str(own.iloc[0]["backbone"])


def _own_cell(inputs: ReportInputs, row: pd.Series) -> Cell:
    named = row["method"] and row["entry"] == "own_best"
    return _cell(percent, row, note=styles_for(inputs.rows)[row["method"]].label if named else "")


def _published_cell(row: pd.Series, backbone: str) -> Cell:
    marks = ",".join(_marks(row, backbone))
    name = row["backbone" if row["entry"] == "published_metabin" else "method"]
    return _cell(percent, row, note=f"{name} ({marks})" if marks else name)


def _cell(show: Callable[[float], str], row: pd.Series, suffix: str = "", note: str = "") -> Cell:
    """mAP with rank-1 under it, both in percent; one dash where there is neither."""
    texts = [show(row[f"{name}{suffix}"] / 100) for name in NUMBERS]
    return Cell(DASH) if set(texts) == {DASH} else Cell(texts[0], texts[1], note=note)


def _marks(row: pd.Series, backbone: str) -> list[str]:
    holds = {"b": row["backbone"] != backbone, "d": bool(row["extra_data"]), "m": row["confidence"] == "memory"}
    return [mark for mark in MARKS if row["method"] and holds[mark]]
