"""The section on the effect of changing rho after training."""

import pandas as pd

from metabin.report.page import write_report
from metabin.report.section import Heading
from metabin.report.sections import rho_probe


def fake_probe(inputs, methods):
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


def test_the_section_has_the_best_shift_per_domain_and_the_effect_of_forcing(make_inputs, tmp_path):
    inputs = make_inputs()
    inputs = make_inputs(rho_probe=fake_probe(inputs, ("bin_joint", "metabin")))
    headings = [part.text for part in rho_probe.forced_parts(inputs) if isinstance(part, Heading)]
    assert headings[1:] == ["BIN joint", "MetaBIN"]
    table = rho_probe.forced_table(inputs, "bin_joint")
    assert [row.label for row in table.rows] == ["stem", "layer1", "all layers"]
    assert {cell.text for row in table.rows for cell in row.cells} == {"\u22122.0"}
    shifts = rho_probe.best_shifts_table(inputs)
    assert {cell.text for row in shifts.rows for cell in row.cells} == {"\u22120.30"}
    assert "MetaBIN" in rho_probe.depth_correlation(inputs)
    write_report(inputs, tmp_path / "out")
    assert 'id="rho_probe"' in (tmp_path / "out/index.html").read_text()
    assert (tmp_path / "out/figures/rho_shifts.png").is_file()
    assert rho_probe.TITLE in (tmp_path / "out/report.md").read_text()


def test_without_seen_tests_there_are_no_columns_of_them(make_inputs):
    inputs = make_inputs(folds={"small_sets": ("market", "night")}, seen=False)
    scores = fake_probe(inputs, ("metabin",))
    inputs = make_inputs(
        folds={"small_sets": ("market", "night")}, seen=False, rho_probe=scores[scores["role"] == "unseen"]
    )
    assert [group for group, _ in rho_probe.best_shifts_table(inputs).groups] == ["Unseen: best shift"]
    assert len(rho_probe.forced_table(inputs, "metabin").columns) == 3


def test_without_learned_rho_there_is_no_section(make_inputs, text_of):
    inputs = make_inputs(methods=("bn",))
    assert rho_probe.section(inputs) is None
    assert rho_probe.TITLE not in text_of(inputs)
