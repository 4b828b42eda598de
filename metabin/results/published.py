"""Published results: the data file with its check, and the comparison of a run with them."""

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
CONFIDENCE = {  # how a number is known, with its meaning; `source` names the place
    "verified": "read where those who measured it print it",
    "secondary": "read where another publication repeats it, which may copy errors",
    "memory": "written from memory and not looked up, so it may be wrong",
    "derived": "computed from numbers that were read",
}
# Each query has one match, so AP is 1 / rank, and 1 where rank-1 is a hit: mAP >= rank-1.
ONE_MATCH = ("p1", "p1-duke")
ROUNDING = 0.1  # points: tolerance for a rounded average of rounded numbers
KNOWN_FAULT = "known fault:"  # in a remark: explains an error in the publication itself
TOLERANCE = 1e-6  # of binary fractions
METABIN = "MetaBIN"  # in the table
METABIN_IN_RUN = "metabin"  # in the scores of a run
ENTRIES = ("run_metabin", "published_metabin", "run_best", "best_without_extra_data", "best")
FACTS = (
    *("method", "venue", "year", "backbone", "extra_data"),
    *(*NUMBERS, "source", "confidence", "remark"),
)
COMPARISON = ("protocol", "target", "entry", *FACTS, "mAP_gap", "rank1_gap")


def load(path: Path) -> pd.DataFrame:
    """Read the published results: COLUMNS, one row per protocol, method, backbone and target.

    Numbers are in percent and NaN where nothing was published; year is Int64, NA where not
    recorded; other columns are text.

    Raises:
        DatasetError: the file is missing or no CSV; a wrong header, target, confidence, year or
            number; no number; no source; a duplicate key. The message names the line.
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
                    problem = f"the same {', '.join(KEY)} as in line {first}; keep one"
                    raise _error(path, reader.line_num, problem)
                rows.append(row)
    except (OSError, ValueError, csv.Error) as error:
        message = f"{path} cannot be read: {error}; expected a CSV file in UTF-8"
        raise DatasetError(message) from None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in NUMBERS:
        table[column] = pd.to_numeric(table[column]).astype(float)
    return table.assign(year=pd.to_numeric(table["year"]).astype("Int64"))


def lint(table: pd.DataFrame) -> list[str]:
    """Return the errors in a table of `load`, one line per finding; empty if there is none.

    Checks that every number is in [0, 100]; that mAP >= rank-1 with one match per query; that an
    average is the mean of its targets within ROUNDING, if all targets are present; and that no two
    methods of a protocol have the same numbers. Findings in rows with a KNOWN_FAULT remark begin
    with "known: ", and every such remark is a finding itself.
    """
    findings = []
    for check in (_outside, _rank_above_map, _wrong_averages, _identical_methods):
        for index, problem in check(table):
            remarks = table.loc[index, "remark"]
            is_known = remarks.str.contains(KNOWN_FAULT, regex=False).any()
            findings.append(f"known: {problem}" if is_known else problem)
    explained = table[table["remark"].str.contains(KNOWN_FAULT, regex=False)]
    keys = ["protocol", "method", "backbone", "remark"]
    for (*_, remark), rows in explained.groupby(keys, sort=False):
        targets = ", ".join(rows["target"])
        fault = str(remark).partition(KNOWN_FAULT)[2].strip()
        findings.append(f"known: {_name(rows)}, {targets}: {fault}")
    return findings


def compare(
    scores: pd.DataFrame, table: pd.DataFrame, protocol: str, *, backbone: str = ""
) -> pd.DataFrame:
    """Compare a run with the results published under the same protocol; empty if there are none.

    Args:
        scores: as `ReportInputs.scores`, fractions. Unseen cells of trained methods count, as means
            over seeds.
        table: published results, from `load`.
        protocol: name of the run's protocol in the table.
        backbone: of the run's methods, by its name in params.yaml.

    Returns:
        COMPARISON, one row per target that the run tests (and the average, if it tests all and one
        was published) and entry of ENTRIES:
        run_metabin, run_best: MetaBIN in the run, and the run's method with the highest mAP.
        published_metabin: with the run's backbone if that was published, otherwise the one with the
        highest mAP.
        best_without_extra_data, best: the published method with the highest mAP; the first of
            equals.
        Numbers are in percent, NaN where there is none. Gaps are in points: run_metabin -
        published_metabin, run_best - best_without_extra_data and run_best - best.
    """
    published = table[table["protocol"] == protocol]
    targets = _targets(scores, set(published["target"]))
    run = _run_means(scores, targets).assign(backbone=backbone)
    rows = []
    for target in targets:
        of_run = run[run["target"] == target]
        of_others = published[published["target"] == target]
        entries = {
            "run_metabin": _best(of_run[of_run["method"] == METABIN_IN_RUN]),
            "published_metabin": _published_metabin(of_others, backbone),
            "run_best": _best(of_run),
            "best_without_extra_data": _best(of_others[of_others["extra_data"] == ""]),
            "best": _best(of_others),
        }
        for entry, row in entries.items():
            gaps = {}
            if not entry.startswith("run"):
                in_run = entries["run_metabin" if entry == "published_metabin" else "run_best"]
                gaps = {f"{name}_gap": in_run[name] - row[name] for name in NUMBERS}
            rows.append({"protocol": protocol, "target": target, "entry": entry, **row, **gaps})
    return pd.DataFrame(rows, columns=list(COMPARISON))


def _check_header(path: Path, header: list[str]) -> None:
    if missing := [column for column in COLUMNS if column not in header]:
        problem = f"lacks {', '.join(missing)}"
    elif unknown := [column for column in header if column not in COLUMNS]:
        problem = f"has {', '.join(map(ascii, unknown))}, which is not known"
    elif header != list(COLUMNS):
        problem = "has a column twice or another order"
    else:
        return
    raise _error(path, 1, f"the header {problem}; expected {','.join(COLUMNS)}")


def _row(path: Path, line: int, values: list[str]) -> dict[str, str]:
    if len(values) != len(COLUMNS):
        raise _error(path, line, f"has {len(values)} values; expected {len(COLUMNS)}")
    row = dict(zip(COLUMNS, values, strict=True))
    # By column: a test of the text, and the words for the values that pass it.
    expected: Mapping[str, tuple[Callable[[str], object], str]] = {
        "protocol": (bool, "a name"),
        "method": (bool, "a name"),
        "target": (TARGETS.__contains__, f"one of {', '.join(TARGETS)}"),
        "confidence": (CONFIDENCE.__contains__, f"one of {', '.join(CONFIDENCE)}"),
        "year": (re.compile("|[0-9]{4}").fullmatch, "four digits or nothing"),
        **dict.fromkeys(NUMBERS, (_is_percent, "a number from 0 to 100 or nothing")),
        "source": (bool, "the place where the number was read"),
    }
    for column, (accepts, values_in_words) in expected.items():
        if not accepts(row[column]):
            raise _error(path, line, f"{column} is {row[column]!a}; expected {values_in_words}")
    if not any(row[column] for column in NUMBERS):
        raise _error(path, line, f"neither {' nor '.join(NUMBERS)} has a number; remove the row")
    return row


def _is_percent(text: str) -> bool:
    """Return whether the text is empty or a number from 0 to 100."""
    is_number = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None
    return not text or (is_number and float(text) <= 100)


def _error(path: Path, line: int, problem: str) -> DatasetError:
    return DatasetError(f"{path}, line {line}: {problem}")


Findings = Iterator[tuple[pd.Index, str]]  # the rows with an error, and the error in words


def _name(rows: pd.DataFrame) -> str:
    """Return the name of a method for messages: "p1, MetaBIN (resnet50)"."""
    protocol, method, backbone = rows.iloc[0][["protocol", "method", "backbone"]]
    return f"{protocol}, {method}" + (f" ({backbone})" if backbone else "")


def _methods(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows of each method with one backbone under one protocol."""
    for _, rows in table.groupby(["protocol", "method", "backbone"], sort=False):
        yield rows


def _outside(table: pd.DataFrame) -> Findings:
    for column in NUMBERS:
        is_outside = ~table[column].between(0, 100) & table[column].notna()
        for index, row in table[is_outside].iterrows():
            cell = f"{_name(table.loc[[index]])}, {row['target']}"
            yield pd.Index([index]), f"{cell}: {column} is {row[column]:g}, not in [0, 100]"


def _rank_above_map(table: pd.DataFrame) -> Findings:
    is_above = table["protocol"].isin(ONE_MATCH) & (table["rank1"] > table["mAP"])
    for index, row in table[is_above].iterrows():
        cell = f"{_name(table.loc[[index]])}, {row['target']}"
        numbers = f"rank-1 {row['rank1']:g} is above mAP {row['mAP']:g}"
        yield (
            pd.Index([index]),
            f"{cell}: {numbers}, which is impossible with one match per query",
        )


def _wrong_averages(table: pd.DataFrame) -> Findings:
    tested = table[table["target"] != AVERAGE].groupby("protocol")["target"].agg(set)
    for rows in _methods(table):
        by_target = rows.set_index("target")[NUMBERS]
        targets = sorted(tested.get(rows.iloc[0]["protocol"], set()))
        if AVERAGE not in by_target.index or not set(targets) <= set(by_target.index):
            continue
        means = by_target.loc[targets].mean(skipna=False)
        printed = by_target.loc[AVERAGE]
        for column in NUMBERS:
            if abs(means[column] - printed[column]) > ROUNDING + TOLERANCE:
                average = f"the average {column} {printed[column]:g}"
                problem = f"{average} is not the mean {means[column]:.2f} of the targets"
                yield rows.index, f"{_name(rows)}: {problem}"


def _identical_methods(table: pd.DataFrame) -> Findings:
    first: dict[tuple[object, ...], pd.DataFrame] = {}  # by protocol and numbers
    for rows in _methods(table):
        targets = rows[rows["target"] != AVERAGE].sort_values("target")
        if len(targets) < 2:  # one pair of numbers may coincide by chance
            continue
        numbers = targets[["target", *NUMBERS]].astype(str).to_numpy().ravel()
        other = first.setdefault((rows.iloc[0]["protocol"], *numbers), rows)
        if other is not rows:
            yield (
                other.index.union(rows.index),
                f"{_name(rows)}: the same numbers as {_name(other)}",
            )


def _targets(scores: pd.DataFrame, published: set[str]) -> list[str]:
    """Return the published targets that the run tests; with the average if it tests all."""
    tested = set(scores.loc[scores["role"] == "unseen", "test_domain"])
    if published - {AVERAGE} <= tested:
        tested.add(AVERAGE)
    return [target for target in TARGETS if target in published & tested]


def _run_means(scores: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """Return method, target, mAP, rank1 in percent: means over seeds.

    Methods with every target also have a row for the average.
    """
    tests = [target for target in targets if target != AVERAGE]
    is_unseen = (scores["role"] == "unseen") & scores["test_domain"].isin(tests)
    trained = scores[is_unseen & (scores["seed"] >= 0)]
    means = trained.groupby(["method", "test_domain"])[NUMBERS].mean()
    means = means.rename_axis(["method", "target"]).reset_index()
    methods = list(trained["method"].unique())
    of_all = {column: tables.method_means(trained, "unseen", column, methods) for column in NUMBERS}
    is_complete = of_all["mAP"]["num_cells"] == len(tests)
    averages = pd.DataFrame({column: table["mean"] for column, table in of_all.items()})
    averages = averages[is_complete].rename_axis("method").reset_index().assign(target=AVERAGE)
    rows = pd.concat([means, averages], ignore_index=True)
    return rows.assign(**{column: 100 * rows[column] for column in NUMBERS})


def _published_metabin(rows: pd.DataFrame, backbone: str) -> dict[str, Any]:
    metabin = rows[rows["method"] == METABIN]
    same_backbone = metabin[metabin["backbone"] == backbone]
    return _best(metabin if same_backbone.empty else same_backbone)


def _best(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the row with the highest mAP, the first of equals.

    Without such a row, numbers are NaN and texts are empty.
    """
    known = rows[rows["mAP"].notna()]
    if known.empty:
        return {**dict.fromkeys(FACTS, ""), "year": pd.NA, **dict.fromkeys(NUMBERS, math.nan)}
    row = known.iloc[int(known["mAP"].argmax())]
    return {fact: row.get(fact, pd.NA if fact == "year" else "") for fact in FACTS}
