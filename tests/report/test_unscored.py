"""Reports of runs in which some tests, or all of them, have no score."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_overlap_section import with_pairs
from test_published_section import PUBLISHED
from test_rho_probe_section import fake_probe
from test_selection_section import candidates_of

from metabin.report import charts
from metabin.report.display import DASH
from metabin.report.inputs import METRICS, ReportInputs
from metabin.report.page import write_report
from metabin.results import published

Make = Callable[..., ReportInputs]
UNSCORED = {
    "one held-out domain": "role == 'unseen' and test_domain == 'night'",
    "every held-out domain": "role == 'unseen'",
    "one source's test": "role == 'seen' and test_domain == 'night'",
    "every source's test": "role == 'seen'",
    "all tests of one fold": "fold == 'night'",
    "all tests of one method": "method == 'bin_joint'",
    "every test": "role == role",
}
FAST: dict[str, Any] = {
    "methods": ("bin_joint", "metabin"),
    "domains": ("market", "night"),
    **dict.fromkeys(("losses", "rho", "rho_histograms"), pd.DataFrame()),  # they hold no scores
    "rho_channels": {},
    "samples": {},
}


@pytest.fixture(autouse=True)
def _small_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "DPI", 100)  # twice as fast


def without_scores(table: pd.DataFrame, rows: str) -> pd.DataFrame:
    """The table with the numbers of a test that has no query with a match in some rows."""
    unscored = table.index.isin(table.query(rows).index)
    changes: dict[str, Any] = {name: table[name].mask(unscored) for name in METRICS if name in table}
    changes |= {name: table[name].mask(unscored, 0) for name in ("num_ids", "num_query") if name in table}
    return table.assign(**changes)


def unscored_inputs(make_inputs: Make, rows: str, settings: dict[str, Any]) -> ReportInputs:
    """A run in which the tests that `rows` selects have no score anywhere: not in any table of the report."""
    complete = make_inputs(**settings)
    scores = without_scores(complete.scores.reset_index(drop=True), rows)
    rho_probe = fake_probe(complete, ("bin_joint", "metabin"))
    candidates = candidates_of(complete).reset_index(drop=True).assign(role="unseen")
    source_test = (
        scores[scores["role"] == "seen"].groupby(["fold", "method", "seed"])["mAP"].mean().rename("source_test")
    )
    candidates = candidates.join(source_test, on=["fold", "method", "seed"])
    candidates["source_mAP"] = candidates["source_mAP"].mask(candidates["source_test"].isna())
    queries = complete.queries.assign(role="unseen")
    return make_inputs(
        **settings,
        scores=scores,
        queries=queries.drop(index=queries.query(rows).index),
        rho_probe=without_scores(rho_probe, rows),
        candidates=without_scores(candidates, rows),
    )


@pytest.mark.parametrize("rows", UNSCORED.values(), ids=list(UNSCORED))
def test_a_report_is_written_whatever_has_no_score(rows: str, make_inputs: Make, tmp_path: Path) -> None:
    inputs = unscored_inputs(make_inputs, rows, FAST)
    write_report(inputs, tmp_path / "out")
    cells = pd.read_csv(tmp_path / "out/matrix.csv")
    expected = inputs.scores.groupby(["method", "fold", "test_domain"])["mAP"].mean()
    assert cells.set_index(["method", "held_out", "test_domain"])["mAP"].to_dict() == pytest.approx(
        expected.to_dict(), abs=1e-6, nan_ok=True
    )
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    unseen = expected["metabin"].unstack().to_numpy()[[0, 1], [0, 1]]
    mean = summary["metabin"]["unseen"]["mAP"]
    assert mean is None if np.isnan(unseen).all() else mean == pytest.approx(np.nanmean(unseen), abs=1e-6)
    assert DASH in (tmp_path / "out/index.html").read_text()


def test_one_fold_without_sources_tests_and_with_published_results_is_reported(
    make_inputs: Make, tmp_path: Path
) -> None:
    sets = FAST | {"domains": ("viper", "grid"), "folds": {"small_sets": ("viper", "grid")}, "seen": False}
    table = pd.DataFrame(PUBLISHED, columns=list(published.COLUMNS)).astype({"year": "Int64"})
    for rows in ("test_domain == 'grid'", "role == role"):
        inputs = unscored_inputs(make_inputs, rows, sets)
        compared = published.compare(inputs.scores, table, "p1", backbone="resnet50")
        of_run = compared[compared["entry"] == "run_metabin"].set_index("target")["mAP"]
        assert math.isnan(of_run["grid"])
        assert math.isnan(of_run["average"])  # of all targets or of none
        settings = {name: getattr(inputs, name) for name in ("scores", "queries", "rho_probe", "candidates")}
        write_report(make_inputs(**sets, **settings, published=compared), tmp_path / rows)
        assert "Best published" in (tmp_path / rows / "report.md").read_text()


def test_near_duplicates_without_a_score_have_a_dash(make_inputs: Make, tmp_path: Path) -> None:
    settings = FAST | {"domains": ("harbour", "market", "night"), "overlaps": [with_pairs()]}
    inputs = unscored_inputs(make_inputs, "test_domain == 'night'", settings)
    without = inputs.scores.query("fold == 'night' and test_domain == 'night'")
    write_report(make_inputs(**settings, scores=inputs.scores, without_overlap=without), tmp_path / "out")
    assert "night without" in (tmp_path / "out/report.md").read_text()
