"""The table of checkpoints under three rules, one of which is not permitted."""

import pandas as pd

from metabin.report.page import write_report
from metabin.report.sections import selection


def candidates_of(inputs, sources=0.5):
    """Three checkpoints of every training; the second is best everywhere."""
    last = inputs.scores[(inputs.scores["role"] == "unseen") & inputs.scores["method"].isin(inputs.trained)]
    keys = ["fold", "method", "seed", "test_domain", "mAP", "rank1"]
    return pd.concat(
        last[keys].assign(step=step, mAP=last["mAP"] + gain, source_mAP=sources + gain)
        for step, gain in ((10, -0.1), (20, 0.02), (30, 0.0))
    )


def test_the_rule_that_reads_the_test_is_called_not_permitted(make_inputs, tmp_path):
    inputs = make_inputs(seeds=(0, 1))
    inputs = make_inputs(seeds=(0, 1), candidates=candidates_of(inputs))
    table = selection.selection_table(inputs)
    assert table.columns[4] == "selected on the test, NOT PERMITTED"
    row = next(row for row in table.rows if row.method == "metabin")
    assert [cell.text for cell in row.cells][2:4] == ["+2.0", "6 of 6"]  # three folds, two seeds
    write_report(inputs, tmp_path / "out")
    for name in ("index.html", "report.md"):
        assert "NOT PERMITTED" in (tmp_path / "out" / name).read_text()


def test_sources_without_held_out_identities_are_named(make_inputs):
    inputs = make_inputs()
    inputs = make_inputs(candidates=candidates_of(inputs, sources=float("nan")))
    assert "harbour, market, night: the sources have no held-out identities" in selection.explanation(inputs)
    cells = selection.selection_table(inputs).rows[0].cells
    assert [cell.text for cell in cells[1:4]] == ["\u2013"] * 3
    assert cells[4].text != "\u2013"


def test_the_row_of_a_ceiling_is_called_not_permitted(make_inputs):
    inputs = make_inputs(methods=("bin_joint", "top"), bases={"top": "bin_target"})
    assert "top learns on the test: nothing in its row is permitted" in selection.explanation(
        make_inputs(methods=("bin_joint", "top"), bases={"top": "bin_target"}, candidates=candidates_of(inputs))
    )


def test_with_one_checkpoint_of_each_training_there_is_no_section(make_inputs, text_of):
    inputs = make_inputs()
    only = candidates_of(inputs).query("step == 30")
    for candidates in (only, pd.DataFrame()):
        inputs = make_inputs(candidates=candidates)
        assert selection.section(inputs) is None
        assert selection.TITLE not in text_of(inputs)
