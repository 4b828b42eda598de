"""The shipped table, faults planted into a small one, and comparisons worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metabin.data.acquisition.local_datasets import READERS
from metabin.errors import DatasetError
from metabin.results import published

SHIPPED = Path(__file__).parents[2] / "protocols" / "published.csv"
HEADER = ",".join(published.COLUMNS)
PROTOCOLS = {
    *("p1-duke", "p1", "p2", "p3", "leave-one-out-4", "leave-one-out-4-old"),
    *("single-market1501", "single-dukemtmcreid", "single-msmt17"),
}
GOOD = """\
p1,viper,Old,CVPR,2020,resnet50,,60.0,50.0,its table,verified,
p1,grid,Old,CVPR,2020,resnet50,,40.0,30.0,its table,verified,
p1,average,Old,CVPR,2020,resnet50,,50.0,40.0,its table,verified,
p1,viper,MetaBIN,CVPR,2021,mobilenetv2_1.4,,64.0,54.0,its table,verified,
p1,grid,MetaBIN,CVPR,2021,mobilenetv2_1.4,,50.0,41.0,its table,verified,
p1,viper,MetaBIN,CVPR,2021,resnet50,,62.0,55.0,not looked up,memory,
p1,viper,Large,,2024,vit_b,more images,80.0,70.0,its table,verified,
p1,grid,Large,,,vit_b,more images,,66.0,its table,verified,rerun
p2,market1501,Old,CVPR,2020,resnet50,,30.0,60.0,its table,verified,
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A table, with the first `old` replaced."""

    def written(old: str = "", new: str = "", text: str = GOOD) -> Path:
        path = tmp_path / "published.csv"
        assert old in text
        path.write_text(f"{HEADER}\n{text.replace(old, new, 1)}")
        return path

    return written


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return published.load(SHIPPED)


def test_the_shipped_table_has_no_fault_that_is_not_explained(shipped: pd.DataFrame) -> None:
    result = published.lint(shipped)
    assert [line for line in result if not line.startswith("known: ")] == []
    assert any("ISR" in line and "swapped" in line for line in result)
    assert any("GMN" in line and "the same as for LDA" in line for line in result)


def test_every_row_of_the_shipped_table_names_a_place_that_a_reader_can_open(shipped: pd.DataFrame) -> None:
    read = shipped[shipped["confidence"] != "memory"]
    assert read["source"].str.contains(r"github\.com/|, table [0-9]").all()
    assert shipped.loc[shipped["confidence"] == "memory", "source"].str.startswith("not looked up; expected in").all()


def test_the_shipped_table_names_protocols_and_data_sets_as_the_project_does(shipped: pd.DataFrame) -> None:
    assert set(shipped["protocol"]) == PROTOCOLS
    assert set(shipped["target"]) - {published.AVERAGE} <= set(READERS)
    assert set(published.TARGETS) - {published.AVERAGE} <= set(READERS)


def test_the_shipped_table_is_sorted_by_protocol_year_and_method(shipped: pd.DataFrame) -> None:
    order = shipped.assign(year=shipped["year"].fillna(9999).astype(int))
    order["target"] = order["target"].map(published.TARGETS.index)
    keys = ["protocol", "year", "method", "backbone", "target"]
    pd.testing.assert_frame_equal(order, order.sort_values(keys))


def test_a_source_never_trains_and_tests_in_one_single_source_protocol(shipped: pd.DataFrame) -> None:
    for source in ("market1501", "dukemtmcreid", "msmt17"):
        assert source not in set(shipped.loc[shipped["protocol"] == f"single-{source}", "target"])


def test_numbers_are_floats_and_unpublished_ones_are_missing(write: Write) -> None:
    table = published.load(write())
    assert list(table.columns) == list(published.COLUMNS)
    assert table["year"].dtype == "Int64"
    row = table[(table["method"] == "Large") & (table["target"] == "grid")].iloc[0]
    assert row["rank1"] == 66.0
    assert np.isnan(row["mAP"])
    assert pd.isna(row["year"])
    assert row["venue"] == ""


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("60.0", "101", r"line 2: mAP is '101'; expected a number from 0 to 100"),
        ("60.0", "-1", r"line 2: mAP is '-1'"),
        ("60.0", "nan", r"line 2: mAP is 'nan'"),
        (",30.0,its", ",3o.0,its", r"line 3: rank1 is '3o\.0'"),
        ("60.0,50.0", ",", r"line 2: neither mAP nor rank1 has a number"),
        ("p1,grid", "p1,viper", r"line 3: the same protocol, method, backbone, target as in line 2"),
        ("p1,viper", "p1,viper2", r"line 2: target is 'viper2'; expected one of viper, prid2011"),
        ("p1,viper,Old", ",viper,Old", r"line 2: protocol is ''"),
        ("viper,Old", "viper,", r"line 2: method is ''"),
        ("verified", "sure", r"line 2: confidence is 'sure'; expected one of verified, secondary, memory, derived"),
        ("2020", "20", r"line 2: year is '20'; expected four digits"),
        ("its table,verified", ",verified", r"line 2: source is ''; expected the place where the number was read"),
        ("verified,\n", "verified\n", r"line 2: has 11 values; expected 12"),
        ("verified,\n", 'verified,"\n', r"cannot be read"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(write: Write, old: str, new: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        published.load(write(old, new))


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace(",remark", ""), "lacks remark"),
        (f"{HEADER},mINP", "has 'mINP', which is not known"),
        (HEADER.replace("venue,year", "year,venue"), "another order"),
        (f"{HEADER},year", "a column twice"),
        ("", "lacks protocol"),
    ],
)
def test_a_bad_header_is_refused(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"{header}\n{GOOD}" if header else "")
    with pytest.raises(DatasetError, match=f"line 1: the header .*{message}"):
        published.load(path)


@pytest.mark.bad_input("list or table")
def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        published.load(tmp_path / "published.csv")
    (tmp_path / "published.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="UTF-8"):
        published.load(tmp_path / "published.csv")


def test_a_table_without_faults_gives_no_finding(write: Write) -> None:
    assert published.lint(published.load(write())) == []


def test_rank_1_above_map_is_a_fault_only_where_a_query_has_one_match(write: Write) -> None:
    table = published.load(write("60.0,50.0", "50.0,60.0"))
    assert published.lint(table[table["target"] != "average"]) == [
        "p1, Old (resnet50), viper: rank-1 60 is above mAP 50, which is impossible with one match per query"
    ]


def test_a_number_outside_0_to_100_is_a_fault(write: Write) -> None:
    table = published.load(write())
    table.loc[8, "rank1"] = 100.5
    assert published.lint(table) == ["p2, Old (resnet50), market1501: rank1 is 100.5, not in [0, 100]"]


@pytest.mark.parametrize(("average", "is_fault"), [("50.1", False), ("49.9", False), ("50.2", True)])
def test_an_average_is_the_mean_of_its_targets_within_rounding(write: Write, average: str, is_fault: bool) -> None:
    result = published.lint(published.load(write("50.0,40.0,its", f"{average},40.0,its")))
    assert result == (
        ["p1, Old (resnet50): the average mAP 50.2 is not the mean 50.00 of the targets"] if is_fault else []
    )


def test_an_average_without_all_targets_of_its_protocol_cannot_be_checked(write: Write) -> None:
    text = GOOD + "p1,ilids,Large,,2024,vit_b,more images,80.0,70.0,its table,verified,\n"
    assert published.lint(published.load(write("50.0,40.0,its", "59.0,40.0,its", text))) == []


def test_two_methods_with_the_same_numbers_are_a_copying_error(write: Write) -> None:
    copied = GOOD.splitlines()[0].replace("Old", "New"), GOOD.splitlines()[1].replace("Old", "New")
    table = published.load(write(text=f"{GOOD}{copied[0]}\n{copied[1]}\n"))
    assert published.lint(table) == ["p1, New (resnet50): the same numbers as p1, Old (resnet50)"]
    assert published.lint(table[table["target"] == "viper"]) == []  # one pair may be the same by chance
    other = table.assign(protocol=table["protocol"].where(table["method"] != "New", "p1-duke"))
    assert published.lint(other) == []


def test_a_fault_that_a_remark_explains_is_listed_as_known(write: Write) -> None:
    table = published.load(write("60.0,50.0,its table,verified,", "49.0,50.0,its table,verified,known fault: misprint"))
    assert published.lint(table[table["target"] != "average"]) == [
        "known: p1, Old (resnet50), viper: rank-1 50 is above mAP 49, which is impossible with one match per query",
        "known: p1, Old (resnet50), viper: misprint",
    ]


def scores(*rows: tuple[str, int, str, float, float], role: str = "unseen") -> pd.DataFrame:
    """(method, seed, test_domain, mAP, rank-1), fractions."""
    frame = pd.DataFrame(rows, columns=["method", "seed", "test_domain", "mAP", "rank1"])
    return frame.assign(fold="small", role=role)


RUN_SCORES = scores(
    ("metabin", 0, "viper", 0.60, 0.50), ("metabin", 1, "viper", 0.64, 0.52), ("metabin", 0, "grid", 0.40, 0.30),
    ("metabin", 1, "grid", 0.44, 0.34), ("bn", 0, "viper", 0.65, 0.51), ("stripes", -1, "viper", 0.99, 0.99),
)  # fmt: skip


@pytest.fixture
def result(write: Write) -> pd.DataFrame:
    """The comparison of RUN_SCORES with GOOD, by target and entry."""
    table = published.compare(RUN_SCORES, published.load(write()), "p1", backbone="resnet50")
    return table.set_index(["target", "entry"])


def test_every_target_has_every_entry_in_order(result: pd.DataFrame) -> None:
    targets = ("viper", "grid", "average")
    assert list(result.index) == [(target, entry) for target in targets for entry in published.ENTRIES]
    assert set(result["protocol"]) == {"p1"}


def numbers(result: pd.DataFrame, target: str, entry: str) -> list[float]:
    return [float(result.loc[(target, entry), name]) for name in ("mAP", "rank1", "mAP_gap", "rank1_gap")]


def test_the_run_has_means_over_seeds_of_trained_methods(result: pd.DataFrame) -> None:
    nan = np.nan
    np.testing.assert_allclose(numbers(result, "viper", "run_metabin"), [62, 51, nan, nan])
    np.testing.assert_allclose(numbers(result, "viper", "run_best"), [65, 51, nan, nan])
    assert result.loc[("viper", "run_best"), "method"] == "bn"
    assert result.loc[("grid", "run_best"), "method"] == "metabin"
    assert result.loc[("viper", "run_best"), "backbone"] == "resnet50"


def test_the_average_of_the_run_needs_every_target(result: pd.DataFrame) -> None:
    np.testing.assert_allclose(numbers(result, "average", "run_best")[:2], [52, 41.5])
    assert result.loc[("average", "run_best"), "method"] == "metabin"


def test_gaps_are_run_minus_published_in_points(result: pd.DataFrame) -> None:
    np.testing.assert_allclose(numbers(result, "viper", "best_without_extra_data"), [64, 54, 1, -3])
    np.testing.assert_allclose(numbers(result, "viper", "best"), [80, 70, -15, -19])
    np.testing.assert_allclose(numbers(result, "average", "best"), [50, 40, 2, 1.5])
    assert result.loc[("viper", "best"), "extra_data"] == "more images"


def test_published_metabin_is_the_one_with_the_same_backbone_or_the_best(result: pd.DataFrame, write: Write) -> None:
    np.testing.assert_allclose(numbers(result, "viper", "published_metabin"), [62, 55, 0, -4])
    assert result.loc[("viper", "published_metabin"), "confidence"] == "memory"
    assert result.loc[("grid", "published_metabin"), "backbone"] == "mobilenetv2_1.4"
    assert result.loc[("average", "published_metabin"), "method"] == ""
    other = published.compare(RUN_SCORES, published.load(write()), "p1", backbone="resnet_small")
    row = other[(other["target"] == "viper") & (other["entry"] == "published_metabin")].iloc[0]
    assert (row["backbone"], row["mAP"]) == ("mobilenetv2_1.4", 64.0)


def test_a_method_without_map_is_never_the_best(result: pd.DataFrame) -> None:
    assert result.loc[("grid", "best"), "method"] == "MetaBIN"


def test_scores_that_were_not_evaluated_are_missing_and_not_an_error(write: Write) -> None:
    table = published.compare(scores(("bn", 0, "viper", np.nan, np.nan)), published.load(write()), "p1")
    best = table[table["entry"] == "run_best"]
    assert best["mAP"].isna().all()
    assert set(best["method"]) == {""}


def test_seen_scores_and_other_domains_are_left_out(write: Write) -> None:
    table = published.load(write())
    seen = published.compare(scores(("bn", 0, "viper", 0.9, 0.9), role="seen"), table, "p1")
    other = published.compare(scores(("bn", 0, "night", 0.9, 0.9)), table, "p1")
    assert seen.empty
    assert other.empty


def test_a_run_of_some_targets_is_compared_on_these_alone(write: Write) -> None:
    one = published.compare(scores(("bn", 0, "grid", 0.4, 0.3)), published.load(write()), "p1")
    assert set(one["target"]) == {"grid"}  # no column for viper, and none for the average


def test_a_protocol_without_published_results_gives_an_empty_comparison(write: Write) -> None:
    table = published.compare(RUN_SCORES, published.load(write()), "embedded")
    assert table.empty
    assert list(table.columns) == list(published.COMPARISON)
