"""The shipped splits, GRID's official ones and those of the reference."""

import json

import pytest
from data.readers import small_sets

from metabin.data.partition import fixed_splits
from metabin.data.partition.fixed_splits import Split
from metabin.data.partition.reference_splits import read_reference
from metabin.data.readers import grid, ilids, prid2011, viper
from metabin.errors import DatasetError
from metabin.types import ImageRecord

SIZES = {"viper": (632, 316), "prid2011": (200, 100), "ilids": (119, 60)}


def paths(parts):
    return tuple([record.path for record in part] for part in parts)


def all_of_viper():
    """632 people with gaps in their numbers, the largest first."""
    pids = range(872, -1, -1)
    return [ImageRecord(f"cam_{c}/{pid:03d}_0.bmp", pid, "ab".index(c), "viper") for pid in [*pids][:632] for c in "ab"]


def all_of_prid():
    """385 people of camera a, 749 of camera b, 200 of them the same."""
    first = [ImageRecord(f"cam_a/person_{pid:04d}.png", pid, 0, "prid2011") for pid in range(1, 386)]
    second = [
        ImageRecord(f"cam_b/person_{n:04d}.png", n + 1000 * (n > 200), 1, "prid2011", distractor=n > 200)
        for n in range(1, 750)
    ]
    return first + second


def all_of_ilids():
    """119 people with 3, 4, ..., 8, 2, 3, ... images, of which every other number is missing."""
    return [
        ImageRecord(f"Persons/{pid:04d}{2 * image + 1:03d}.jpg", pid, 2 * image, "ilids")
        for pid in range(1, 120)
        for image in range(2 + pid % 7)
    ]


@pytest.mark.parametrize("name", SIZES)
def test_the_shipped_files_have_the_bytes_that_the_seed_gives(name):
    splits = fixed_splits.generate(name)
    assert fixed_splits.to_text(splits).encode() == (fixed_splits.FOLDER / f"{name}.json").read_bytes()
    assert fixed_splits.load(name) == splits


@pytest.mark.parametrize(("name", "num_ids", "num_test"), [(name, *sizes) for name, sizes in SIZES.items()])
def test_ten_different_halves_are_tested(name, num_ids, num_test):
    splits = fixed_splits.load(name)
    assert [split.index for split in splits] == list(range(10))
    assert len({split.ids for split in splits}) == 10
    for split in splits:
        assert split.num_ids == num_ids
        assert len(split.ids) == len(split.order) == num_test
        assert list(split.ids) == sorted(set(split.ids))
        assert 0 <= split.ids[0] <= split.ids[-1] < num_ids


def test_everybody_is_tested_about_as_often_as_a_fair_draw_would():
    times = [sum(person in split.ids for split in fixed_splits.load("viper")) for person in range(632)]
    assert sum(times) == 3160
    assert abs(sum((n - 5) ** 2 for n in times) / 632 - 2.5) < 0.5  # binomial: 10 x 0.5 x 0.5


@pytest.mark.bad_input("list or table")
def test_a_changed_or_missing_file_is_refused(tmp_path, monkeypatch):
    text = (fixed_splits.FOLDER / "prid2011.json").read_text()
    monkeypatch.setattr(fixed_splits, "FOLDER", tmp_path)
    for content, message in (
        (text.replace('"ids": [0, ', '"ids": [1, ', 1), "was changed: its sha256 does not fit"),
        (text.replace('"num_ids": 200', '"num_ids": 201'), "was changed: its sha256 does not fit"),
        (text[:-20], "cannot be read"),
        ("[]", "cannot be read"),
    ):
        (tmp_path / "prid2011.json").write_text(content)
        with pytest.raises(DatasetError, match=message):
            fixed_splits.load("prid2011")
    with pytest.raises(DatasetError, match="viper.json cannot be read"):
        fixed_splits.load("viper")
    with pytest.raises(DatasetError, match="no splits of 'market1501' are shipped; there are those of viper, prid2011"):
        fixed_splits.load("market1501")


def test_a_split_uses_the_first_two_existing_images_of_the_order():
    records = [
        ImageRecord(f"{pid}_{camid}.jpg", pid, camid, "d") for pid in (30, 10, 20) for camid in range(pid // 10 + 1)
    ]
    others = [ImageRecord("x.jpg", 99, 0, "d", distractor=True), ImageRecord("alone.jpg", 15, 0, "d")]
    split = Split("d", 0, 3, (0, 2), ((7, 1, 3, 0, 2), (3, 7, 2, 0)))
    query, gallery = fixed_splits.apply(records + others, split)
    assert paths((query, gallery)) == (["10_1.jpg", "30_3.jpg"], ["10_0.jpg", "30_2.jpg", "x.jpg"])


def test_viper_searches_from_camera_a_in_camera_b():
    records = all_of_viper()
    pids = sorted({record.pid for record in records})
    for split in fixed_splits.load("viper"):
        query, gallery = fixed_splits.apply(records, split)
        assert [record.pid for record in query] == [record.pid for record in gallery] == [pids[i] for i in split.ids]
        assert {record.camid for record in query} == {0}
        assert {record.camid for record in gallery} == {1}


def test_prid_has_100_queries_in_a_gallery_of_649():
    for split in fixed_splits.load("prid2011"):
        query, gallery = fixed_splits.apply(all_of_prid(), split)
        assert [record.pid for record in query] == [position + 1 for position in split.ids]
        assert {record.pid for record in query} == {record.pid for record in gallery if not record.distractor}
        assert (len(query), len(gallery), sum(record.distractor for record in gallery)) == (100, 649, 549)


def test_ilids_draws_two_different_images_whatever_the_number_of_images():
    positions = []
    for split in fixed_splits.load("ilids"):
        query, gallery = fixed_splits.apply(all_of_ilids(), split)
        assert [record.pid for record in query] == [record.pid for record in gallery]
        assert len(query) == 60
        assert not {record.path for record in query} & {record.path for record in gallery}
        positions += [(q.camid // 2, g.camid // 2) for q, g in zip(query, gallery, strict=True) if q.pid % 7 == 6]
    assert {pair[0] for pair in positions} == {pair[1] for pair in positions} == set(range(8))


@pytest.mark.bad_input("list or table")
def test_an_incomplete_data_set_is_refused_as_positions_would_shift():
    with pytest.raises(DatasetError, match="viper: found 631 people with two images, expected 632"):
        fixed_splits.apply(all_of_viper()[2:], fixed_splits.load("viper")[0])


def test_grids_official_splits_test_who_does_not_train(tmp_path):
    train = [(1, 4), (2, 250)] + [(1, 2)] * 8
    root = small_sets.grid(tmp_path / "GRID", train)
    records = grid.read(root)
    splits = fixed_splits.grid_splits(root, records)
    distractors = [record.path for record in records if record.distractor]
    assert [split.ids for split in splits[:3]] == [(1, 3), (0, 2), (2, 3)]
    assert paths(fixed_splits.apply(records, splits[0])) == (
        ["probe/0002_2_25023_116_134_128_330.jpeg", "probe/0250_6_9_-1_3_4_5.jpeg"],
        [*distractors, "gallery/0002_1_25049_47_19_91_185.JPEG", "gallery/0250_3_9_1_3_4_5.jpeg"],
    )
    above = fixed_splits.apply(grid.read(tmp_path), fixed_splits.grid_splits(tmp_path, grid.read(tmp_path))[1])
    assert [record.pid for record in above[0]] == [1, 4]


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize("pid", [3, 0, -1, 1000])
def test_an_official_split_of_people_who_are_not_there_is_refused(tmp_path, pid):
    root = small_sets.grid(tmp_path / "GRID", [(1, pid)] * 10)
    with pytest.raises(DatasetError, match=f"lacks people of its own splits: '{pid}'"):
        fixed_splits.grid_splits(root, grid.read(root))


@pytest.mark.parametrize("layout", ["bundle", "original"])
def test_the_references_folders_of_viper_are_read_for_either_layout(tmp_path, layout):
    bundle = small_sets.viper_splits(tmp_path / "bundle", ["001 873", "000 045", "045 873"])
    records = viper.read(bundle if layout == "bundle" else small_sets.viper(tmp_path / "VIPeR"))
    splits = read_reference(bundle, records)
    assert [split.ids for split in splits] == [(1, 3), (0, 2), (2, 3)]
    query, gallery = fixed_splits.apply(records, splits[2])
    assert sorted((record.pid, record.camid) for record in query) == [(45, 0), (873, 0)]
    assert sorted((record.pid, record.camid) for record in gallery) == [(45, 1), (873, 1)]


def write_json(path, values):
    path.write_text(json.dumps(values, indent=4))
    return path


def test_the_references_file_of_prid_lists_people(tmp_path):
    records = prid2011.read(small_sets.prid2011(tmp_path / "prid_2011"))
    file = write_json(
        tmp_path / "splits_single_shot.json", [{"train": [1], "test": [200, 2]}, {"train": [], "test": [1]}]
    )
    splits = read_reference(file, records)
    assert [split.ids for split in splits] == [(1, 2), (0,)]
    query, gallery = fixed_splits.apply(records, splits[0])
    assert [record.pid for record in query] == [2, 200]
    assert [record.pid for record in gallery] == [2, 200, 1201, 1749]


def test_the_references_file_of_ilids_lists_names(tmp_path):
    records = ilids.read(small_sets.ilids(tmp_path / "QMUL-iLIDS", "images"))
    values = [{"train": [], "query": ["0119004.jpg", "0002003.JPG"], "gallery": ["0002001.jpg", "0119001.jpg"]}]
    (split,) = read_reference(write_json(tmp_path / "splits.json", values), records)
    assert (split.ids, split.order) == ((1, 2), ((1, 0), (3, 0)))
    assert paths(fixed_splits.apply(records, split)) == (
        ["images/0002003.JPG", "images/0119004.jpg"],
        ["images/0002001.jpg", "images/0119001.jpg"],
    )


def test_the_references_file_of_grid_lists_paths_of_another_machine(tmp_path):
    root = small_sets.grid(tmp_path / "GRID")
    records = grid.read(root)
    official = fixed_splits.grid_splits(root, records)
    values = []
    for split in official:
        query, gallery = fixed_splits.apply(records, split)
        elsewhere = [
            [["D:\\data\\GRID\\" + r.path.replace("/", "\\"), 1, 0] for r in part] for part in (query, gallery)
        ]
        values.append({"train": [], "query": elsewhere[0], "gallery": elsewhere[1], "num_query_pids": 2})
    assert read_reference(write_json(root / "splits.json", values), records) == official
    values[1]["gallery"].pop(0)
    with pytest.raises(DatasetError, match="split 2 has 2 distractors in gallery; expected all 3"):
        read_reference(write_json(root / "splits.json", values), records)


def test_torchreids_file_of_viper_searches_in_both_directions(tmp_path):
    records = viper.read(small_sets.viper(tmp_path / "VIPeR"))
    first, second = [["/x/cam_a/001_0.bmp", 0, 0]], [["/x/cam_b/001_90.BMP", 0, 1]]
    values = [{"query": first, "gallery": second}, {"query": second, "gallery": first}]
    splits = read_reference(write_json(tmp_path / "splits.json", values), records)
    assert [split.order for split in splits] == [((0, 1),), ((1, 0),)]


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        5,
        [1],
        ["query"],
        [{}],
        [{"test": 3}],
        [{"test": [[1]]}],
        [{"test": [7]}],
        [{"query": []}],
        [{"query": [[]], "gallery": []}],
        [{"query": [7], "gallery": []}],
        [{"query": ["nobody.png"], "gallery": []}],
        [{"query": ["cam_a/person_0001.png"], "gallery": ["cam_b/person_0201.png", "cam_b/person_0749.png"]}],
    ],
)
def test_a_file_that_is_no_split_of_the_data_set_is_a_dataset_error(tmp_path, values):
    records = prid2011.read(small_sets.prid2011(tmp_path / "prid_2011"))
    with pytest.raises(DatasetError):
        read_reference(write_json(tmp_path / "splits.json", values), records)


@pytest.mark.bad_input("list or table")
def test_a_missing_file_a_damaged_file_and_a_folder_without_splits_are_dataset_errors(tmp_path):
    records = viper.read(small_sets.viper(tmp_path / "VIPeR"))
    with pytest.raises(DatasetError, match="splits.json cannot be read"):
        read_reference(tmp_path / "splits.json", records)
    (tmp_path / "splits.json").write_bytes(b"\xff[")
    with pytest.raises(DatasetError, match="splits.json cannot be read"):
        read_reference(tmp_path / "splits.json", records)
    with pytest.raises(DatasetError, match="has no folders split_1a, split_2a"):
        read_reference(tmp_path / "VIPeR", records)
    small_sets.write_images(tmp_path / "bundle" / "split_1a" / "query", "p005_c1_d045.png")
    with pytest.raises(DatasetError, match="not in the data set: 'p005_c1_d045.png'"):
        read_reference(tmp_path / "bundle", records)
