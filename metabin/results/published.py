"""Published results: a data file of numbers that others printed, its check, and the comparison with a run."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from metabin.errors import DatasetError
from metabin.results import tables

KEY = ["protocol", "method", "backbone", "target"]
NUMBERS = ["mAP", "rank1"]
COLUMNS = (
    *("protocol", "target", "method", "venue", "year", "backbone", "extra_data"),
    *(*NUMBERS, "source", "confidence", "remark"),
)
AVERAGE = "average"
SMALL_SETS = ("viper", "prid2011", "grid", "ilids")
TARGETS = (*SMALL_SETS, "market1501", "dukemtmcreid", "msmt17", "cuhk03", AVERAGE)
CONFIDENCE = ("verified", "memory", "derived")  # read where `source` says; not looked up again; computed from read ones
ONE_MATCH = ("p1", "p1-duke")  # each query has one match, so that AP is 1 / rank, and 1 where rank-1 is a hit
ROUNDING = 0.1  # what an average of rounded numbers, rounded itself, may be off, in points
KNOWN_FAULT = "known fault:"  # in a remark: what is wrong where the number was read
TOLERANCE = 1e-6  # of binary fractions
METABIN = "MetaBIN"
OWN_METABIN = "metabin"
ENTRIES = ("own_metabin", "published_metabin", "own_best", "best_without_extra_data", "best")
FACTS = ("method", "venue", "year", "backbone", "extra_data", *NUMBERS, "source", "confidence", "remark")
COMPARISON = ("protocol", "target", "entry", *FACTS, "mAP_gap", "rank1_gap")


def load(path: Path) -> pd.DataFrame:
    """The published results: COLUMNS, a row for each protocol, method, backbone and target.

    Numbers are in percent and NaN where nothing was published; year is Int64, NA where not recorded; others are text.

    Raises:
        DatasetError: the file is missing or no CSV; a wrong header, target, confidence, year or number; no number, or
            no source (which a number from memory needs not have); a key twice. Says which line.
    """
    rows: list[dict[str, str]] = []
    lines: dict[tuple[str, ...], int] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            _check_header(path, next(reader, []))
            for values in filter(None, reader):
                row = _row(path, reader.line_num, values)
                first = lines.setdefault(tuple(row[column] for column in KEY), reader.line_num)
                if first != reader.line_num:
                    raise _wrong(path, reader.line_num, f"the same {', '.join(KEY)} as in line {first}; keep one")
                rows.append(row)
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}; wanted a CSV file in UTF-8") from None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in NUMBERS:
        table[column] = pd.to_numeric(table[column]).astype(float)
    return table.assign(year=pd.to_numeric(table["year"]).astype("Int64"))


def lint(table: pd.DataFrame) -> list[str]:
    """What cannot be right in a table of `load`: a line for each finding, empty where there is none.

    Every number is in [0, 100]; with one match per query mAP >= rank-1; an average is the mean of its targets within
    ROUNDING, where all are there; no two methods of a protocol have the same numbers. What a remark explains as a
    KNOWN_FAULT begins with "known: ", and so do findings in rows with such a remark.
    """
    found = []
    for check in (_outside, _rank_above_map, _wrong_averages, _identical_methods):
        for where, what in check(table):
            known = table.loc[where, "remark"].str.contains(KNOWN_FAULT, regex=False).any()
            found.append(f"{'known: ' if known else ''}{what}")
    explained = table[table["remark"].str.contains(KNOWN_FAULT, regex=False)]
    for (*_, remark), rows in explained.groupby(["protocol", "method", "backbone", "remark"], sort=False):
        targets = ", ".join(rows["target"])
        found.append(f"known: {_name(rows)}, {targets}: {str(remark).partition(KNOWN_FAULT)[2].strip()}")
    return found


def compare(ours: pd.DataFrame, table: pd.DataFrame, protocol: str, *, backbone: str = "") -> pd.DataFrame:
    """Our scores beside what was published under the same protocol; empty where nothing was.

    Args:
        ours: the scores of `ReportInputs`, fractions; the unseen cells of what was trained count, as means over seeds.
        table: of `load`. protocol: its name there. backbone: of our methods, by its name in params.yaml.

    Returns:
        COMPARISON, a row for each target (and the average, where one was published) and each of ENTRIES:
        own_metabin, own_best: our MetaBIN, and our method with the highest mAP; method is its name in the run.
        published_metabin: with our backbone where that was published, otherwise the one with the highest mAP.
        best_without_extra_data, best: the published method with the highest mAP, of equal ones the table's first.
        Numbers are in percent, NaN where there is none. Gaps are in points: own_metabin less published_metabin,
        own_best less either best. Our average needs every target of the protocol.
    """
    published = table[table["protocol"] == protocol]
    present = set(published["target"])
    targets = [target for target in TARGETS if target in present]
    own = _own_means(ours, targets).assign(backbone=backbone)
    rows = []
    for target in targets:
        mine, theirs = own[own["target"] == target], published[published["target"] == target]
        chosen = {
            "own_metabin": _best(mine[mine["method"] == OWN_METABIN]),
            "published_metabin": _published_metabin(theirs, backbone),
            "own_best": _best(mine),
            "best_without_extra_data": _best(theirs[theirs["extra_data"] == ""]),
            "best": _best(theirs),
        }
        for entry, row in chosen.items():
            against = chosen["own_metabin" if entry == "published_metabin" else "own_best"]
            gaps = {f"{name}_gap": against[name] - row[name] for name in NUMBERS if not entry.startswith("own")}
            rows.append({"protocol": protocol, "target": target, "entry": entry, **row, **gaps})
    return pd.DataFrame(rows, columns=list(COMPARISON))


def _check_header(path: Path, header: list[str]) -> None:
    if missing := [column for column in COLUMNS if column not in header]:
        what = f"lacks {', '.join(missing)}"
    elif unknown := [column for column in header if column not in COLUMNS]:
        what = f"has {', '.join(map(ascii, unknown))}, which is not known"
    elif header != list(COLUMNS):
        what = "has a column twice or another order"
    else:
        return
    raise _wrong(path, 1, f"the header {what}; wanted {','.join(COLUMNS)}")


def _row(path: Path, line: int, values: list[str]) -> dict[str, str]:
    if len(values) != len(COLUMNS):
        raise _wrong(path, line, f"has {len(values)} values; wanted {len(COLUMNS)}")
    row = dict(zip(COLUMNS, values, strict=True))
    wanted: Mapping[str, tuple[Callable[[str], object], str]] = {
        "protocol": (bool, "a name"),
        "method": (bool, "a name"),
        "target": (TARGETS.__contains__, f"one of {', '.join(TARGETS)}"),
        "confidence": (CONFIDENCE.__contains__, f"one of {', '.join(CONFIDENCE)}"),
        "year": (re.compile("|[0-9]{4}").fullmatch, "four digits or nothing"),
        **dict.fromkeys(NUMBERS, (_is_percent, "a number from 0 to 100 or nothing")),
        "source": (lambda text: text or row["confidence"] == "memory", "where the number was read"),
    }
    for column, (accepts, what) in wanted.items():
        if not accepts(row[column]):
            raise _wrong(path, line, f"{column} is {row[column]!a}; wanted {what}")
    if not any(row[column] for column in NUMBERS):
        raise _wrong(path, line, f"neither {' nor '.join(NUMBERS)} has a number; leave the row out")
    return row


def _is_percent(text: str) -> bool:
    return not text or (re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None and float(text) <= 100)


def _wrong(path: Path, line: int, what: str) -> DatasetError:
    return DatasetError(f"{path}, line {line}: {what}")


Findings = Iterator[tuple[pd.Index, str]]


def _name(rows: pd.DataFrame) -> str:
    """A method as messages name it: "p1, MetaBIN (resnet50)"."""
    protocol, method, backbone = rows.iloc[0][["protocol", "method", "backbone"]]
    return f"{protocol}, {method}" + (f" ({backbone})" if backbone else "")


def _methods(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each method with one backbone under one protocol."""
    for _, rows in table.groupby(["protocol", "method", "backbone"], sort=False):
        yield rows


def _outside(table: pd.DataFrame) -> Findings:
    for column in NUMBERS:
        for index, row in table[~table[column].between(0, 100) & table[column].notna()].iterrows():
            name = _name(table.loc[[index]])
            yield pd.Index([index]), f"{name}, {row['target']}: {column} is {row[column]:g}, not in [0, 100]"


def _rank_above_map(table: pd.DataFrame) -> Findings:
    for index, row in table[table["protocol"].isin(ONE_MATCH) & (table["rank1"] > table["mAP"])].iterrows():
        yield (
            pd.Index([index]),
            f"{_name(table.loc[[index]])}, {row['target']}: rank-1 {row['rank1']:g} is above mAP {row['mAP']:g}, which "
            "cannot be with one match per query",
        )


def _wrong_averages(table: pd.DataFrame) -> Findings:
    tested = table[table["target"] != AVERAGE].groupby("protocol")["target"].agg(set)
    for rows in _methods(table):
        by_target = rows.set_index("target")[NUMBERS]
        targets = sorted(tested.get(rows.iloc[0]["protocol"], set()))
        if AVERAGE not in by_target.index or not set(targets) <= set(by_target.index):
            continue
        means, printed = by_target.loc[targets].mean(skipna=False), by_target.loc[AVERAGE]
        for column in NUMBERS:
            if abs(means[column] - printed[column]) > ROUNDING + TOLERANCE:
                what = f"the average {column} {printed[column]:g} is not the mean {means[column]:.2f} of the targets"
                yield rows.index, f"{_name(rows)}: {what}"


def _identical_methods(table: pd.DataFrame) -> Findings:
    seen: dict[tuple[object, ...], pd.DataFrame] = {}
    for rows in _methods(table):
        targets = rows[rows["target"] != AVERAGE].sort_values("target")
        if len(targets) < 2:  # one pair of numbers may be the same by chance
            continue
        numbers = targets[["target", *NUMBERS]].astype(str).to_numpy().ravel()
        other = seen.setdefault((rows.iloc[0]["protocol"], *numbers), rows)
        if other is not rows:
            yield other.index.union(rows.index), f"{_name(rows)}: the same numbers as {_name(other)}"


def _own_means(ours: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """method, target, mAP, rank1 in percent: means over seeds, and the average of methods with every target."""
    tests = [target for target in targets if target != AVERAGE]
    trained = ours[(ours["role"] == "unseen") & (ours["seed"] >= 0) & ours["test_domain"].isin(tests)]
    means = trained.groupby(["method", "test_domain"])[NUMBERS].mean().rename_axis(["method", "target"]).reset_index()
    methods = list(trained["method"].unique())
    of_all = {column: tables.method_means(trained, "unseen", column, methods) for column in NUMBERS}
    counts = of_all["mAP"]["num_cells"]
    averages = pd.DataFrame({column: table["mean"] for column, table in of_all.items()})[counts == len(tests)]
    averages = averages.rename_axis("method").reset_index().assign(target=AVERAGE)
    found = pd.concat([means, averages], ignore_index=True)
    return found.assign(**{column: 100 * found[column] for column in NUMBERS})


def _published_metabin(rows: pd.DataFrame, backbone: str) -> dict[str, Any]:
    mine = rows[rows["method"] == METABIN]
    same = mine[mine["backbone"] == backbone]
    return _best(mine if same.empty else same)


def _best(rows: pd.DataFrame) -> dict[str, Any]:
    """The row with the highest mAP, of equal ones the first; without one, NaN numbers and empty text."""
    known = rows[rows["mAP"].notna()]
    if known.empty:
        return {**dict.fromkeys(FACTS, ""), "year": pd.NA, **dict.fromkeys(NUMBERS, math.nan)}
    row = known.iloc[int(known["mAP"].argmax())]
    return {fact: row.get(fact, pd.NA if fact == "year" else "") for fact in FACTS}
