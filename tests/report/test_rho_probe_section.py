"""The section that explains rho: there where rho was explained, and no wider than what was scored."""

import pandas as pd

from metabin.report import markdown
from metabin.report.page import write_report
from metabin.report.sections import rho_probe


def fake_explained(inputs, methods):
    rows = []
    for method in methods:
        for fold in inputs.folds:
            for domain in inputs.domains:
                role = "unseen" if (fold, domain) in inputs.unseen else "seen"
                key = {"fold": fold, "method": method, "seed": 0, "test_domain": domain, "role": role, "num_ids": 40}
                rows += [
                    key | {"kind": "shift", "group": "all", "value": value, "mAP": 0.4 - 0.1 * value}
                    for value in (-0.3, 0.0, 0.3)
                ]
                rows += [
                    key | {"kind": "force", "group": group, "value": value, "mAP": 0.38}
                    for group in ("stem", "layer1", "all")
                    for value in (0.0, 0.5, 1.0)
                ]
    return pd.DataFrame(rows)


def test_the_section_says_what_each_domain_likes_best_and_what_forcing_costs(make_inputs, tmp_path):
    inputs = make_inputs()
    inputs = make_inputs(rho_probe=fake_explained(inputs, ("bin_joint", "metabin")))
    found = rho_probe.block(inputs)
    assert [label for label, _ in found.forced] == ["BIN joint", "MetaBIN"]
    table = found.forced[0][1]
    assert [row.label for row in table.rows] == ["stem", "layer1", "all layers"]
    assert {cell.text for row in table.rows for cell in row.cells} == {"\u22122.0"}
    assert {cell.text for row in found.preferences.rows for cell in row.cells} == {"-0.30"}
    assert "MetaBIN" in found.depth
    write_report(inputs, tmp_path / "out")
    assert 'id="rho_probe"' in (tmp_path / "out/index.html").read_text()
    assert (tmp_path / "out/figures/rho_shifts.png").is_file()
    assert rho_probe.TITLE in (tmp_path / "out/report.md").read_text()


def test_without_seen_tests_there_are_no_columns_of_them(make_inputs):
    inputs = make_inputs(folds={"small_sets": ("market", "night")}, seen=False)
    scores = fake_explained(inputs, ("metabin",))
    inputs = make_inputs(
        folds={"small_sets": ("market", "night")}, seen=False, rho_probe=scores[scores["role"] == "unseen"]
    )
    found = rho_probe.block(inputs)
    assert [group for group, _ in found.preferences.groups] == ["Unseen: the best shift"]
    assert len(found.forced[0][1].columns) == 3


def test_where_no_rho_was_learned_nothing_is_said(make_inputs):
    inputs = make_inputs(methods=("bn",))
    assert rho_probe.block(inputs) is None
    assert rho_probe.TITLE not in markdown.report_text(inputs)
