"""The small decisions in gathering the inputs of the report."""

import numpy as np
import pandas as pd
import pytest

from metabin.rho_channels import FILE, RhoChannels, write_channels
from stages import gather, gather_records

CELLS = [("draw-0", "place-5"), ("draw-0", "place-5-far"), ("draw-1", "place-16"), ("draw-1", "place-16-far")]


def test_far_random_sites_are_a_group_of_columns_beside_the_others() -> None:
    groups = {"near": [CELLS[0], CELLS[2]], "far": [CELLS[1], CELLS[3]]}
    assert gather.column_groups(CELLS) == groups


def test_each_style_distance_that_occurs_is_a_group_from_near_to_far() -> None:
    cells = [("draw-0", f"place-5{ending}") for ending in ("-far", "-step3", "", "-step1")]
    assert list(gather.column_groups(cells)) == ["near", "step 1", "step 3", "far"]
    assert gather.column_groups(cells)["step 3"] == [("draw-0", "place-5-step3")]


@pytest.mark.parametrize("cells", [[], CELLS[::2], CELLS[1::2], [("night", "night"), ("far-field", "far-field")]])
def test_with_one_style_distance_there_are_no_groups(cells: list[tuple[str, str]]) -> None:
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
    table = gather_records._concat(keys)
    assert table.to_dict("list") == {"value": [1.5, 2.5, 3.5], "fold": ["a", "a", "c"]}
    assert table.index.tolist() == [0, 1, 2]
    nothing = gather_records._concat({tmp_path / "b.csv": {}})
    assert nothing.empty
    assert list(nothing.columns) == ["value"]


def test_the_channels_are_those_of_the_first_seed_where_rho_is_learned(tmp_path) -> None:
    keys = [("metabin", 3), ("metabin", 4), ("bn", 3)]
    trainings = {
        tmp_path / f"{method}-{seed}": {"fold": "night", "method": method, "seed": seed} for method, seed in keys
    }
    for folder, key in trainings.items():
        layers = {} if key["method"] == "bn" else {"norm": np.full((2, 5), key["seed"] / 8, np.float16)}
        write_channels(folder / FILE, RhoChannels(np.array([0, 9]), layers))
    channels = gather_records.load_channels(trainings, 3)
    assert list(channels) == [("night", "metabin", 3)]
    assert channels["night", "metabin", 3].layers["norm"].tolist() == [[0.375] * 5] * 2
