"""Result files: written from a finished run, and turned into tables and figures."""

import io
import shlex

import documented
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML
from stages_in_clone import ROOT

from metabin.config.editing import overlay
from metabin.errors import UserError
from metabin.report.inputs import SCORE_COLUMNS

FOLD = ["place-5", "place-6", "place-5-step2", "place-5-far"]
PARAMS = {
    "protocol.domains": ["draw-0"],
    "protocol.groups": {"draw-0": FOLD},
    "protocol.sources_of": {"draw-0": ["place-0", "place-1"]},
    "protocol.sources": [],
    "protocol.baselines": ["bn"],
    "protocol.meta_learned": ["metabin"],
    "protocol.final": [],
    "protocol.seeds": [0, 1],
}


def write_scores(folder, rows):
    """Write scores of fold draw-0: method, seed, test domain, role, mAP; rank-1 and mINP follow from it."""
    table = pd.DataFrame(rows, columns=["method", "seed", "test_domain", "role", "mAP"])
    table = table.assign(fold="draw-0", rank1=table["mAP"] + 0.1, mINP=table["mAP"] - 0.1)
    path = folder / "results/draw-0/scores.csv"
    path.parent.mkdir(parents=True)
    table.reindex(columns=list(SCORE_COLUMNS)).to_csv(path, index=False, float_format="%.6f")


def all_scores():
    """Rows of two methods and seeds, and of an untrained one; the metrics of a seed differ by 0.01."""
    levels = {"place-5": 0.6, "place-6": 0.5, "place-5-step2": 0.4, "place-5-far": 0.3, "place-0": 0.7, "place-1": 0.8}
    for method in ("metabin", "bn", "stripes"):
        for seed in (0, 1) if method != "stripes" else (-1,):
            for domain, level in levels.items():
                role = "unseen" if domain in FOLD else "seen"
                yield method, seed, domain, role, level + 0.01 * seed + 0.1 * (method == "metabin")


@pytest.fixture
def collect(call, params, tmp_path):
    """A function that collects the result file of a run with some scores."""

    def run(rows, **changes):
        values = overlay(params, PARAMS | {key.replace("__", "."): value for key, value in changes.items()})
        YAML().dump(values, tmp_path / "params.yaml")
        write_scores(tmp_path, rows)
        call("tools.evidence", "collect", "means.csv")
        return pd.read_csv(tmp_path / "means.csv")

    return run


def test_a_result_file_has_the_means_of_each_style_distance_from_near_to_far(collect, tmp_path):
    table = collect(list(all_scores()))
    assert (tmp_path / "means.csv").read_text().startswith(
        "fold,sources,method,seed,tests,mAP,rank1,mINP\n"
        "draw-0,2,bn,0,near,55.0,65.0,45.0\n"
        "draw-0,2,bn,0,step 2,40.0,50.0,30.0\n"
        "draw-0,2,bn,0,far,30.0,40.0,20.0\n"
        "draw-0,2,bn,0,seen,75.0,85.0,65.0\n"
        "draw-0,2,bn,1,near,56.0,"
    )  # fmt: skip
    assert list(table["method"].unique()) == ["bn", "metabin"]
    assert len(table) == 16


def test_a_run_that_lacks_a_training_has_no_result_file(collect, tmp_path):
    with pytest.raises(UserError, match="no scores of metabin with the seed 1"):
        collect([row for row in all_scores() if row[:2] != ("metabin", 1)])
    assert not (tmp_path / "means.csv").exists()


def test_real_data_have_no_style_distance(collect):
    rows = [(*row[:2], row[2].replace("place-6", "grid"), *row[3:]) for row in all_scores()]
    with pytest.raises(UserError, match="grid has no style distance"):
        collect(rows, protocol__groups={"draw-0": ["place-5", "grid"]}, data__local=["grid"])


def table_of(text):
    """The rows of a Markdown table by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows}


def test_the_tables_of_the_first_runs_have_the_numbers_of_their_reports(call, capsys):
    files = [str(ROOT / f"docs/{name}.csv") for name in ("significance", "confirmation")]
    call("tools.evidence", "table", *files, "--against", "bin_joint", "bn,in")
    three, five = capsys.readouterr().out.split("5 sources, 8 folds, 2 seeds.")
    assert three.startswith("3 sources, 12 folds, 2 seeds.")
    rows = table_of(three)
    assert rows["Method"] == ["mean", "near", "far", "difference to BIN joint", "difference to max(BN, IN)"]
    assert rows["BIN joint"] == ["54.5 (61.1)", "62.1 (69.4)", "46.9 (52.8)", "", "+9.5 [+8.0, +11.0]"]
    assert rows["MetaBIN"][0] == "55.8 (62.3)"
    assert rows["MetaBIN"][3:] == ["+1.3 [+0.3, +2.3]", "+10.8 [+9.6, +12.0]"]
    assert rows["fixed-0.75"][3:] == ["+2.3 [+0.8, +3.8]", "+11.8 [+10.2, +13.4]"]
    assert table_of(five)["metabin-one-out"][3:] == ["0.0 [-0.4, +0.5]", "+10.9 [+8.6, +13.1]"]

    call("tools.evidence", "table", files[0], "--against", "fixed-0.75", "--distances", "far")
    assert table_of(capsys.readouterr().out)["MetaBIN"][1:] == ["48.5 (54.4)", "-2.4 [-3.6, -1.2]"]


def test_seen_scores_have_a_column_only_if_they_are_asked_for(call, capsys):
    path = str(ROOT / "docs/ceilings.csv")
    call("tools.evidence", "table", path)
    assert "seen" not in capsys.readouterr().out
    call("tools.evidence", "table", path, "--distances", "seen", "--methods", "metabin-1.3")
    two_sources = table_of(capsys.readouterr().out.split("3 sources")[0])
    assert two_sources["Method"] == ["mean", "seen"]
    assert two_sources["metabin-1.3"] == ["76.6 (80.5)", "76.6 (80.5)"]


PAGE = ROOT / "docs/evidence.md"


def commands_of_page(kind):
    """The commands of docs/evidence.md that print its tables or draw its figures."""
    texts = [command.text for command in documented.commands(PAGE)]
    found = [text for text in texts if text.startswith(f"python -m stages.tools.evidence {kind} docs/")]
    assert len(found) > 1
    return found


def test_the_tables_of_the_page_on_evidence_are_what_the_commands_above_them_print(call, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    for command in commands_of_page("table"):
        call("tools.evidence", *shlex.split(command)[3:])
        printed = capsys.readouterr().out.strip()
        assert f"`{command}`:\n\n{printed}\n" in PAGE.read_text(), command


def test_the_figures_of_the_page_on_evidence_are_what_the_commands_beside_them_draw(call, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    for command in commands_of_page("figure"):
        drawing, output = command.split(" --output ")
        call("tools.evidence", *shlex.split(drawing)[3:], "--output", str(tmp_path / "figure.png"))
        assert f"]({output.removeprefix('docs/')})\n" in PAGE.read_text(), command
        paths = (tmp_path / "figure.png", output)
        drawn, committed = (np.asarray(Image.open(path).convert("L"), float) for path in paths)
        assert drawn.shape == committed.shape, command
        assert np.abs(drawn - committed).mean() < 0.5, command  # of 255; fonts may differ a little between versions


def test_a_name_that_no_file_has_is_refused_with_those_that_are_there(call):
    path = str(ROOT / "docs/confirmation.csv")
    with pytest.raises(
        UserError, match=r"confirmation\.csv has no joint; it has bn, in, bin_fixed, bin_joint, metabin"
    ):
        call("tools.evidence", "table", path, "--against", "bn,joint")
    with pytest.raises(UserError, match=r"confirmation\.csv has no step 1; it has near, far"):
        call("tools.evidence", "figure", path, "--distances", "step 1", "--output", "figure.png")


def test_the_figure_of_a_run_is_900_css_pixels_wide(collect, call, tmp_path):
    collect(list(all_scores()))
    call("tools.evidence", "figure", "means.csv", "--output", "figure.png")
    image = Image.open(io.BytesIO((tmp_path / "figure.png").read_bytes()))
    assert (image.format, image.width) == ("PNG", 1800)
