"""The small decisions in gathering the inputs of the report."""

import pandas as pd
import pytest

from stages import gather

CELLS = [("draw-0", "place-5"), ("draw-0", "place-5-far"), ("draw-1", "place-16"), ("draw-1", "place-16-far")]


def test_far_random_sites_are_a_group_of_columns_beside_the_others() -> None:
    groups = {"near": [CELLS[0], CELLS[2]], "far": [CELLS[1], CELLS[3]]}
    assert gather.column_groups(CELLS) == groups


@pytest.mark.parametrize("cells", [[], CELLS[::2], CELLS[1::2], [("night", "night"), ("far-field", "far-field")]])
def test_without_both_near_and_far_sites_there_are_no_groups(cells: list[tuple[str, str]]) -> None:
    assert gather.column_groups(cells) == {}


@pytest.mark.parametrize(
    ("memberships", "name"),
    [
        ([("p1", []), ("p1", [])], "p1"),
        ([("p1", []), ("p2", [])], ""),
        ([("p1", []), ("", ["other splits"])], "p1"),
        ([("p1", ["other splits"])], ""),
        ([("", [])], ""),
    ],
)
def test_a_run_has_a_protocol_if_its_folds_without_deviations_agree(memberships, name) -> None:
    items = [{"name": name, "deviations": deviations} for name, deviations in memberships]
    assert gather.common_protocol(items) == name


def test_tables_are_concatenated_with_their_keys_and_empty_ones_are_left_out(tmp_path) -> None:
    for name, values in (("a", [1.5, 2.5]), ("b", []), ("c", [3.5])):
        pd.DataFrame({"value": values}).to_csv(tmp_path / f"{name}.csv", index=False)
    keys = {tmp_path / f"{name}.csv": {"fold": name} for name in "abc"}
    table = gather._concat(keys)
    assert table.to_dict("list") == {"value": [1.5, 2.5, 3.5], "fold": ["a", "a", "c"]}
    assert table.index.tolist() == [0, 1, 2]
    nothing = gather._concat({tmp_path / "b.csv": {}})
    assert nothing.empty
    assert list(nothing.columns) == ["value"]
