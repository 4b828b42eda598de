"""The models that trained on all domains: where they are, and what to expect of them at a new place."""

import pandas as pd
import pytest

from metabin.report.page import write_report
from metabin.report.sections import final
from metabin.results import tables

FOLDER = "models/final/metabin/seed-0"


def final_scores(**values):
    """Scores of a final model on two domains, as percentages of mAP by domain."""
    rows = [
        {"method": "metabin", "test_domain": name, "mAP": value, "mINP": value, "rank1": value + 0.1}
        for name, value in values.items()
    ]
    return pd.DataFrame(rows).assign(rank5=0.9, rank10=0.9)


def test_the_table_has_the_means_on_sources_and_over_the_folds(make_inputs):
    scores = final_scores(harbour=0.5, night=0.7)
    inputs = make_inputs(seeds=(0, 1), final_models={"metabin": FOLDER}, final_scores=scores)
    (row,) = final.final_table(inputs).rows
    assert (row.label, row.method) == ("MetaBIN", "metabin")
    means = tables.summary(inputs.scores, ["metabin"])["metabin"]["unseen"]
    unseen = [f"{100 * means[metric]:.1f}" for metric in ("mAP", "rank1")]
    assert [cell.text for cell in row.cells] == ["60.0", "70.0", *unseen]


def test_the_page_and_the_text_name_folder_and_domains(make_inputs, tmp_path):
    scores = final_scores(harbour=0.5, night=0.7)
    write_report(make_inputs(final_models={"metabin": FOLDER}, final_scores=scores), tmp_path / "out")
    for name in ("index.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert f"MetaBIN: {FOLDER}" in text
        assert "trains on all domains (harbour, market, night)" in text
    assert "| Method  | final model: seen mAP |" in (tmp_path / "out/report.md").read_text()


def test_without_held_out_identities_a_final_model_has_no_scores(make_inputs):
    inputs = make_inputs(final_models={"metabin": FOLDER})
    assert "All identities train, so the final model itself has no scores." in final.explanation(inputs)
    assert [cell.text for cell in final.final_table(inputs).rows[0].cells[:2]] == ["\u2013"] * 2


def test_without_a_final_model_there_is_no_section(make_inputs, text_of):
    inputs = make_inputs()
    assert final.section(inputs) is None
    assert "Final model" not in text_of(inputs)


def test_a_final_model_of_a_method_without_folds_is_refused(make_inputs):
    with pytest.raises(ValueError, match="final_models holds .*mldg"):
        make_inputs(final_models={"mldg": "models/final/mldg/seed-0"})
