"""Tests of Market-1501, DukeMTMC-reID, MSMT17 and CUHK02, in every layout."""

from __future__ import annotations

import large_sets
import pytest

from metabin.data.readers import cuhk02, dukemtmcreid, market1501, msmt17
from metabin.errors import DatasetError
from metabin.types import ImageRecord


def rows(records):
    """Return (path, pid, camid, part) of every record."""
    return [(record.path, record.pid, record.camid, record.part) for record in records]


def test_market_is_read_by_path_without_junk_and_with_its_distractors_in_the_gallery(tmp_path):
    records = market1501.read(large_sets.market1501(tmp_path / "Market-1501-v15.09.15"))
    assert rows(records) == [
        ("bounding_box_test/0000_c1s1_000151_01.jpg", 0, 0, "gallery"),
        ("bounding_box_test/0000_c5s3_999999_99.jpg", 0, 4, "gallery"),
        ("bounding_box_test/0001_c2s1_000301_00.jpg", 1, 1, "gallery"),
        ("bounding_box_test/1501_c1s6_000126_01.jpg", 1501, 0, "gallery"),
        ("bounding_box_test/1501_c2s6_000126_01.jpg", 1501, 1, "gallery"),
        ("bounding_box_train/0002_c1s1_000451_03.jpg", 2, 0, "train"),
        ("bounding_box_train/0002_c6s2_000001_00.jpg", 2, 5, "train"),
        ("bounding_box_train/0007_c3s3_077419_03.JPG", 7, 2, "train"),
        ("query/0001_c1s1_001051_00.jpg", 1, 0, "query"),
        ("query/1501_c6s4_001877_00.jpg", 1501, 5, "query"),
    ]
    assert [record.path for record in records if record.distractor] == [row[0] for row in rows(records)[:2]]
    assert {record.domain for record in records} == {"market1501"}


def test_a_folder_above_the_data_set_is_enough_and_paths_are_relative_to_it(tmp_path):
    root = large_sets.market1501(tmp_path / "run-1_c2" / "Market-1501-v15.09.15")
    assert market1501.find_root(root.parent) == (root, "official")
    first = market1501.read(root.parent)[0]
    assert first == ImageRecord(
        "Market-1501-v15.09.15/bounding_box_test/0000_c1s1_000151_01.jpg", 0, 0, "market1501", "gallery", True
    )


def test_other_data_sets_beside_the_requested_one_do_not_matter(tmp_path):
    roots = {
        market1501: large_sets.market1501(tmp_path / "market"),
        dukemtmcreid: large_sets.dukemtmcreid(tmp_path / "duke"),
        msmt17: large_sets.msmt17_repack(tmp_path / "msmt17"),
        cuhk02: large_sets.cuhk02(tmp_path / "cuhk02" / "Dataset").parent,
    }
    for reader, root in roots.items():
        assert reader.find_root(tmp_path)[0] == root


@pytest.mark.bad_input("folder of a data set")
def test_a_distractor_outside_the_gallery_and_a_person_in_train_and_test_are_refused(tmp_path):
    root = large_sets.market1501(tmp_path / "market")
    large_sets.write_image(root / "query" / "0000_c1s1_000001_01.jpg")
    with pytest.raises(DatasetError, match="query/0000_c1s1_000001_01.jpg'; expected distractors"):
        market1501.read(root)
    (root / "query" / "0000_c1s1_000001_01.jpg").unlink()
    large_sets.write_image(root / "query" / "0007_c1s1_000001_01.jpg")
    with pytest.raises(DatasetError, match="1 identities both in train and in the test: '7'; two copies were mixed"):
        market1501.read(root)


@pytest.mark.bad_input("folder of a data set")
def test_wrong_names_are_counted_and_the_first_three_are_named(tmp_path):
    root = large_sets.market1501(tmp_path / "market")
    large_sets.write_images(root / "query", "a.jpg b.png c.JPG d.jpg 0001_c7s1_001051_00.jpg 00001_c1s1_001051_00.jpg")
    with pytest.raises(DatasetError) as error:
        market1501.read(root)
    assert "query: 6 of 8 images do not belong there" in str(error.value)
    assert "'00001_c1s1_001051_00.jpg', '0001_c7s1_001051_00.jpg', 'a.jpg', ...;" in str(error.value)
    assert "expected names like 0002_c1s1_000451_03.jpg" in str(error.value)


@pytest.mark.bad_input("folder of a data set")
def test_duke_refuses_to_be_read_unless_its_withdrawal_is_acknowledged(tmp_path):
    root = large_sets.dukemtmcreid(tmp_path / "DukeMTMC-reID")
    with pytest.raises(DatasetError, match="withdrawn in June 2019.*consent.*data.acknowledge_withdrawn: true"):
        dukemtmcreid.read(root)
    assert rows(dukemtmcreid.read(root, acknowledged=True)) == [
        ("bounding_box_test/0005_c5_f0051341.jpg", 5, 4, "gallery"),
        ("bounding_box_test/7140_c1_f0133441.jpg", 7140, 0, "gallery"),
        ("bounding_box_train/0001_c2_f0046182.jpg", 1, 1, "train"),
        ("bounding_box_train/0001_c8_f0046302.jpg", 1, 7, "train"),
        ("query/0005_c2_f0046985.jpg", 5, 1, "query"),
    ]


def test_people_of_dukes_gallery_only_are_no_distractors(tmp_path):
    records = dukemtmcreid.read(large_sets.dukemtmcreid(tmp_path / "duke"), acknowledged=True)
    assert not any(record.distractor for record in records)


@pytest.mark.parametrize(
    ("version", "train", "test"), [("V1", "train", "test"), ("V2", "mask_train_v2", "mask_test_v2")]
)
def test_msmt17_is_read_by_its_lists_and_numbers_test_people_from_1041(tmp_path, version, train, test):
    root = large_sets.msmt17(tmp_path / f"MSMT17_{version}", version)
    assert msmt17.find_root(tmp_path) == (root, version)
    assert rows(msmt17.read(root)) == sorted(
        [
            (f"{test}/0000/0000_000_05_0114morning_0001_0.jpg", 1041, 4, "query"),
            (f"{test}/0000/0000_001_10_0114noon_0002_0.jpg", 1041, 9, "gallery"),
            (f"{test}/3059/3059_000_09_0113noon_0007_2.jpg", 4100, 8, "gallery"),
            (f"{train}/0000/0000_000_01_0303morning_0015_0.jpg", 0, 0, "train"),
            (f"{train}/0000/0000_001_15_0303noon_0032_1_ex.jpg", 0, 14, "train"),
            (f"{train}/1040/1040_008_13_0302afternoon_0119_0.jpg", 1040, 12, "train"),
        ]
    )


def test_msmt17_re_packed_keeps_cameras_of_two_digits(tmp_path):
    root = large_sets.msmt17_repack(tmp_path / "MSMT17")
    assert msmt17.find_root(root) == (root, "bounding_box")
    assert rows(msmt17.read(root)) == [
        ("bounding_box_test/0000_c14_0030.jpg", 1041, 13, "gallery"),
        ("bounding_box_test/3059_c10_0001.jpg", 4100, 9, "gallery"),
        ("bounding_box_train/0000_c15_0001.jpg", 0, 14, "train"),
        ("bounding_box_train/0000_c1_0000.jpg", 0, 0, "train"),
        ("bounding_box_train/1040_c9_0007.jpg", 1040, 8, "train"),
        ("query/0000_c1_0000.jpg", 1041, 0, "query"),
    ]


@pytest.mark.bad_input("folder of a data set")
def test_two_versions_of_msmt17_are_not_mixed(tmp_path):
    large_sets.msmt17(tmp_path / "MSMT17_V1", "V1")
    large_sets.msmt17(tmp_path / "MSMT17_V2", "V2")
    with pytest.raises(DatasetError, match=r"more than one copy: MSMT17_V1 \(V1\), MSMT17_V2 \(V2\); keep only"):
        msmt17.read(tmp_path)
    (tmp_path / "MSMT17_V2" / "mask_test_v2").rename(tmp_path / "MSMT17_V1" / "mask_test_v2")
    with pytest.raises(DatasetError, match="holds V1 and V2; keep only one of them"):
        msmt17.read(tmp_path / "MSMT17_V1")


@pytest.mark.bad_input("folder of a data set")
def test_msmt17s_lists_must_be_complete_and_of_existing_images(tmp_path):
    root = large_sets.msmt17(tmp_path / "MSMT17_V1", "V1")
    (root / "list_val.txt").write_text("")
    with pytest.raises(DatasetError, match="list_val.txt is empty"):
        msmt17.read(root)
    (root / "list_val.txt").write_text("1040/1040_008_13_0302afternoon_0119_0.jpg\n")
    with pytest.raises(DatasetError, match="1 of 1 lines are not a path and a pid"):
        msmt17.read(root)
    (root / "list_val.txt").write_text("1040/1040_009_13_0302noon_0119_0.jpg 1040\r\n")
    with pytest.raises(DatasetError, match="train lacks 1 of 1 images of list_val.txt: '1040/1040_009"):
        msmt17.read(root)
    (root / "list_val.txt").write_text("1040/1040_008_13_0302afternoon_0119_0.jpg 1041\n")
    with pytest.raises(DatasetError, match="has pid 1041; expected train pids below 1041"):
        msmt17.read(root)
    (root / "list_val.txt").write_text((root / "list_train.txt").read_text())
    with pytest.raises(DatasetError, match="is listed twice"):
        msmt17.read(root)
    (root / "list_val.txt").unlink()
    with pytest.raises(DatasetError, match="MSMT17_V1 lacks list_val.txt; copy MSMT17_V1 again"):
        msmt17.read(root)


@pytest.mark.parametrize(("nested", "layout"), [(False, "flat"), (True, "dataset")])
def test_cuhk02_separates_the_people_and_the_cameras_of_its_pairs(tmp_path, nested, layout):
    stem = "Dataset/" if nested else ""
    large_sets.cuhk02(tmp_path / "cuhk02" / stem)
    assert cuhk02.find_root(tmp_path / "cuhk02") == (tmp_path / "cuhk02", layout)
    records = cuhk02.read(tmp_path / "cuhk02")
    assert rows(records)[:5] == [
        (f"{stem}P1/cam1/001_1.png", 10_001, 0, ""),
        (f"{stem}P1/cam1/001_2.png", 10_001, 0, ""),
        (f"{stem}P1/cam1/971_1.png", 10_971, 0, ""),
        (f"{stem}P1/cam1/971_2.PNG", 10_971, 0, ""),
        (f"{stem}P1/cam2/001_3.png", 10_001, 1, ""),
    ]
    assert rows(records)[-1] == (f"{stem}P5/cam2/001_4.png", 50_001, 9, "")
    assert (len(records), len({record.pid for record in records})) == (24, 6)


@pytest.mark.bad_input("folder of a data set")
def test_cuhk02_needs_all_pairs_once(tmp_path):
    large_sets.cuhk02(tmp_path / "cuhk02")
    (tmp_path / "cuhk02" / "P4").rename(tmp_path / "cuhk02" / "P6")
    with pytest.raises(DatasetError, match="lacks P4 with cam1 and cam2; copy all five pairs again"):
        cuhk02.read(tmp_path)
    large_sets.cuhk02(tmp_path / "cuhk02" / "Dataset")
    with pytest.raises(DatasetError, match="both there and in Dataset"):
        cuhk02.read(tmp_path / "cuhk02")
