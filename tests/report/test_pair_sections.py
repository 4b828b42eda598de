"""Sections of pairs: cameras, verification; the map of embeddings; and the intervals of single scores."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from metabin.report.charts import encode_charts
from metabin.report.section import Chart, ChartGrid, walk
from metabin.report.sections import camera_pairs, embedding_map, matrices, verification
from metabin.results.intervals import interval_over_people

METHODS = ("bn", "bin_joint", "metabin")


def pairs_of(methods=METHODS, num_cameras=3, domains=("market", "night"), seeds=(0, 1)):
    """mAP 0.3 + 0.01 per query camera + 0.02 per gallery camera; seed 1 has 0.1 more."""
    rows = [
        (domain, method, seed, domain, query, gallery, 40, 0.3 + 0.01 * query + 0.02 * gallery + 0.1 * seed, 0.7)
        for domain in domains
        for method in methods
        for seed in seeds
        for query, gallery in permutations(range(num_cameras), 2)
    ]
    columns = ["fold", "method", "seed", "test_domain", "query_camid", "gallery_camid", "num_query", "mAP", "rank1"]
    return pd.DataFrame(rows, columns=columns)


def map_of(methods=("bn", "metabin"), folds=("market", "night")):
    """Two people of the held-out domain, one of a source; the second domain is a source."""
    rows = [
        (fold, method, 0, *place, pid, 0, x, 1.5)
        for fold in folds
        for method in methods
        for place, pid, x in (((fold, "unseen"), 4, 0.0), ((fold, "unseen"), 9, 1.0), (("other", "seen"), 4, 2.0))
    ]
    return pd.DataFrame(rows, columns=["fold", "method", "seed", "domain", "role", "pid", "camid", "x", "y"])


def rates_of(inputs, **values):
    unseen = inputs.scores[(inputs.scores["role"] == "unseen") & (inputs.scores["seed"] >= 0)]
    table = unseen[["fold", "method", "seed", "test_domain"]]
    return table.assign(**{"tpr_1e-4": np.nan, "tpr_1e-3": 0.2, "tpr_1e-2": 0.5, **values})


def test_heat_maps_of_few_cameras_compare_metabin_with_joint_training(make_inputs):
    inputs = make_inputs(domains=("market", "night"), methods=METHODS, camera_pairs=pairs_of())
    section = camera_pairs.section(inputs)
    (grid,) = [part for part in section.parts if isinstance(part, ChartGrid)]
    assert [chart.title for chart in grid.parts] == ["market", "night"]
    assert "The hardest pair of MetaBIN is 1 to 0 of market" in section.parts[0].text
    scores = camera_pairs.scores_by_cell(inputs)
    table = camera_pairs.extremes_table(inputs, scores)
    # Of seeds 0 and 1 the mean: 0.3 + 0.05 + ...
    assert [cell.text for cell in table.rows[0].cells] == ["1 to 0", "36.0", "36.0", "1 to 2", "40.0", "40.0"]
    panels = camera_pairs.matrices_figure(inputs, scores["market"]).axes
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == ["MetaBIN", "BIN joint"]
    assert [text.get_text() for text in panels[0].texts] == ["37.0", "39.0", "36.0", "40.0", "37.0", "39.0"]


def test_many_cameras_have_a_table_of_the_hardest_pairs(make_inputs):
    pairs = pairs_of(num_cameras=9, domains=("market",), methods=("bn", "bin_shared"), seeds=(0,))
    inputs = make_inputs(domains=("market", "night"), methods=("bn", "bin_shared"), camera_pairs=pairs)
    section = camera_pairs.section(inputs)
    assert camera_pairs.compared_methods(inputs) == ("bin_shared",)  # no meta-learned method, but one that learns rho
    assert not [part for part in section.parts if isinstance(part, ChartGrid)]
    table = section.parts[-1].table
    assert len(table.rows) == camera_pairs.NUM_HARDEST
    assert [row.label for row in table.rows[:2]] == ["1 to 0", "0 to 1"]
    assert [cell.text for cell in table.rows[0].cells] == ["40", "31.0", "70.0"]


def test_a_run_of_variants_of_baselines_alone_shows_the_first_of_them(make_inputs):
    pairs = pairs_of(methods=("start", "later"))
    inputs = make_inputs(
        domains=("market", "night"),
        methods=("start", "later"),
        bases={"start": "bn", "later": "bn"},
        camera_pairs=pairs,
    )
    assert camera_pairs.compared_methods(inputs) == ("start",)
    assert "The hardest pair of start is 1 to 0 of market" in camera_pairs.section(inputs).parts[0].text


def test_rates_are_means_over_held_out_domains_and_undefined_ones_are_dashes(make_inputs):
    inputs = make_inputs(methods=METHODS)
    rates = rates_of(inputs)
    rates.loc[(rates["method"] == "metabin") & (rates["test_domain"] == "night"), "tpr_1e-3"] = 0.5
    inputs = make_inputs(methods=METHODS, verification=rates)
    section = verification.section(inputs)
    table = section.parts[1].table
    assert table.columns == ("FPR 0.01 %", "FPR 0.1 %", "FPR 1 %", "harbour", "market", "night")
    assert [cell.text for cell in table.rows[-1].cells] == ["\u2013", "30.0", "50.0", "20.0", "20.0", "50.0"]
    assert "A dash: too few pairs" in section.parts[0].text
    nothing = rates_of(inputs, **{"tpr_1e-3": np.nan, "tpr_1e-2": np.nan})
    assert verification.section(make_inputs(methods=METHODS, verification=nothing)) is None


def test_a_map_colours_domains_on_the_left_and_people_of_the_held_out_domain_on_the_right(make_inputs):
    inputs = make_inputs(domains=("market", "night"), methods=METHODS, embedding_map=map_of())
    assert [part.summary for part in embedding_map.section(inputs).parts[1:]] == ["market, held out", "night, held out"]
    panels = embedding_map.maps_figure(inputs, "market").axes
    titles = ["MetaBIN: by domain", "MetaBIN: people of market", "BN: by domain", "BN: people of market"]
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == titles
    by_domain, by_person = [[mark.get_label() for mark in axes.collections] for axes in panels[:2]]
    assert by_domain == ["market, unseen", "other, seen"]
    assert by_person == ["person 4", "person 9", "all other images"]
    assert panels[1].collections[-1].get_offsets().tolist() == [[2.0, 1.5]]


def test_all_charts_are_drawn_and_empty_tables_leave_the_sections_out(make_inputs):
    inputs = make_inputs(domains=("market", "night"), methods=METHODS)
    tables = {"camera_pairs": pairs_of(), "verification": rates_of(inputs), "embedding_map": map_of(folds=("night",))}
    inputs = make_inputs(domains=("market", "night"), methods=METHODS, **tables)
    modules = (camera_pairs, verification, embedding_map)
    charts = encode_charts(
        part for module in modules for part in walk(module.section(inputs).parts) if isinstance(part, Chart)
    )
    assert set(charts) == {"camera_pairs_market", "camera_pairs_night", "embedding_map_night"}
    empty = make_inputs(domains=("market",), **{name: table.iloc[:0] for name, table in tables.items()})
    assert [module.section(empty) for module in modules] == [None] * 3


def test_unseen_map_has_the_interval_of_its_queries(make_inputs):
    inputs = make_inputs(methods=METHODS, seeds=(0, 1))
    cell = matrices.held_out_table(inputs, "bn").rows[2].cells[0]
    queries = inputs.queries[(inputs.queries["fold"] == "night") & (inputs.queries["method"] == "bn")]
    interval = interval_over_people(queries)
    assert interval is not None
    assert float(cell.text) == pytest.approx(100 * interval.mean, abs=0.05)
    assert cell.second == f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
    without = make_inputs(methods=METHODS, queries=pd.DataFrame())
    assert matrices.held_out_table(without, "bn").rows[0].cells[0].second == ""
