"""Tests of RandPerson, ClonedPerson, UnrealPerson and PersonX."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import small_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from metabin.data.readers import clonedperson, grid, ilids, personx, prid2011, randperson, unrealperson, viper
from metabin.errors import DatasetError

SETS = {
    randperson: small_sets.randperson,
    clonedperson: small_sets.clonedperson,
    unrealperson: small_sets.unrealperson,
    personx: small_sets.personx,
}
FOLDERS = {  # where each reader looks for images
    viper: ("cam_a", "cam_b"),
    prid2011: ("single_shot/cam_a", "single_shot/cam_b"),
    grid: ("probe", "gallery"),
    ilids: ("Persons",),
    randperson: (".",),
    clonedperson: ("train", "test/query", "test/gallery"),
    unrealperson: ("unreal_v1.1/images", "unreal_v2.1/images"),
    personx: ("1/bounding_box_train", "1/query", "1/bounding_box_test"),
}


def rows(records):
    """Return (path, pid, camid, part) of every record."""
    assert not any(record.distractor for record in records)
    return [(record.path, record.pid, record.camid, record.part) for record in records]


def each_set(function):
    return pytest.mark.parametrize(("reader", "build"), SETS.items(), ids=[reader.NAME for reader in SETS])(function)


def test_randperson_counts_the_cameras_over_all_scenes(tmp_path):
    assert rows(randperson.read(small_sets.randperson(tmp_path / "randperson_subset"))) == [
        ("000000_s00_c00_f000264.jpg", 0, 0, ""),
        ("000000_s03_c01_f001032.jpg", 0, 7, ""),
        ("007999_s10_c03_f001632.JPG", 7999, 18, ""),
    ]
    assert randperson.FIRST_CAMID == (0, 2, 4, 6, 8, 9, 10, 12, 13, 14, 15)
    assert sum(randperson.NUM_CAMS) == 19


@pytest.mark.bad_input("folder of a data set")
def test_randperson_refuses_a_scene_or_camera_that_it_does_not_have(tmp_path):
    root = small_sets.randperson(tmp_path / "randperson_subset")
    small_sets.write_images(root, "000001_s04_c01_f000001.jpg 000001_s11_c00_f000001.jpg")
    message = r"2 of 5 .*'000001_s04_c01_f000001.jpg', '000001_s11_c00_f000001.jpg'; expected scenes 0 to 10"
    with pytest.raises(DatasetError, match=message):
        randperson.read(root)


def test_clonedperson_numbers_the_pairs_of_scene_and_camera(tmp_path):
    assert rows(clonedperson.read(small_sets.clonedperson(tmp_path / "clonedperson"))) == [
        ("test/gallery/705228_s06_c02_f005521.jpg", 705228, 3, "gallery"),
        ("test/gallery/705228_s12_c02_f002965.JPG", 705228, 4, "gallery"),
        ("test/query/705228_s02_c02_f001117.jpg", 705228, 1, "query"),
        ("train/700000_s02_c00_f023389.jpg", 700000, 0, "train"),
        ("train/700000_s06_c00_f023413.jpg", 700000, 2, "train"),
    ]


def test_unrealperson_separates_people_of_two_versions_and_cameras_of_two_environments(tmp_path):
    assert rows(unrealperson.read(small_sets.unrealperson(tmp_path / "unreal"))) == [
        ("unreal_v1.1/images/333_c001_78.jpg", 100333, 0, ""),
        ("unreal_v3.1/images/333_c001_78.jpg", 100333, 1, ""),
        ("unreal_v3.1/images/333_c002_5.jpg", 100333, 2, ""),
        ("unreal_v3.2/images/333_c002_78.JPG", 200333, 2, ""),
    ]


def test_personx_joins_its_backgrounds_and_drops_person_zero(tmp_path):
    root = small_sets.personx(tmp_path / "PersonX_v1")
    assert personx.find_root(root) == (root, "backgrounds-2")
    assert rows(personx.read(root)) == [
        ("1/bounding_box_test/0003_c1s1_02.jpg", 3, 0, "gallery"),
        ("1/bounding_box_test/0003_c1s1_03.JPG", 3, 0, "gallery"),
        ("1/bounding_box_train/0001_c1s1_36.jpg", 1, 0, "train"),
        ("1/query/0003_c1s1_01.jpg", 3, 0, "query"),
        ("5/bounding_box_test/0003_c5s1_02.jpg", 3, 1, "gallery"),
        ("5/bounding_box_test/0003_c5s1_03.JPG", 3, 1, "gallery"),
        ("5/bounding_box_train/0001_c5s1_36.jpg", 1, 1, "train"),
        ("5/query/0003_c5s1_01.jpg", 3, 1, "query"),
    ]


def test_personx_is_also_read_without_folders_of_backgrounds(tmp_path):
    root = small_sets.personx(tmp_path / "personx", ["."])
    assert personx.find_root(tmp_path) == (root, "flat-1")
    assert rows(personx.read(tmp_path))[-1] == ("personx/query/0003_c1s1_01.jpg", 3, 0, "query")


@pytest.mark.bad_input("folder of a data set")
def test_personx_refuses_a_person_in_train_and_test(tmp_path):
    root = small_sets.personx(tmp_path / "personx")
    small_sets.write_images(root / "5" / "query", "0001_c5s1_01.jpg")
    with pytest.raises(DatasetError, match="1 identities both in train and in the test: '1'"):
        personx.read(root)


@each_set
def test_a_folder_above_is_enough_and_other_data_sets_beside_it_do_not_matter(tmp_path, reader, build):
    for other, build_other in SETS.items():
        build_other(tmp_path / f"{other.NAME}-run-1_c2")
    root = tmp_path / f"{reader.NAME}-run-1_c2"
    records = reader.read(root)
    above = reader.read(tmp_path)
    assert [record.path for record in above] == [f"{root.name}/{record.path}" for record in records]
    values = [(record.pid, record.camid, reader.NAME) for record in records]
    assert [(record.pid, record.camid, record.domain) for record in above] == values


@pytest.mark.bad_input("folder of a data set")
@each_set
def test_an_archive_an_empty_folder_and_no_folder_have_different_messages(tmp_path, reader, build):
    with pytest.raises(DatasetError, match="no folder .*/nowhere; expected"):
        reader.read(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds nothing; expected .*Get "):
        reader.read(tmp_path)
    (tmp_path / "data.tar.gz").write_bytes(b"")
    with pytest.raises(DatasetError, match="unpack 'data.tar.gz'"):
        reader.read(tmp_path)
    with pytest.raises(DatasetError, match="is a file; expected a folder"):
        reader.read(tmp_path / "data.tar.gz")


@pytest.mark.bad_input("folder of a data set")
@each_set
def test_wrong_names_are_counted_and_the_first_three_are_named(tmp_path, reader, build):
    root = build(tmp_path / "set")
    small_sets.write_images((root / reader.read(root)[0].path).parent, "a.jpg b.png c.bmp d.jpeg")
    with pytest.raises(DatasetError, match=r"set.*: 4 of \d+ images .*'a.jpg', 'b.png', 'c.bmp', \.\.\.; expected"):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize(
    ("reader", "build", "folder", "message"),
    [
        (clonedperson, small_sets.clonedperson, "test/gallery", "lacks test/gallery; expected"),
        (clonedperson, small_sets.clonedperson, "train", "lacks train; expected"),
        (unrealperson, small_sets.unrealperson, "unreal_v3.1/images", "unreal_v3.1 of .* have no folder images"),
        (personx, small_sets.personx, "5/query", "5 lacks query; expected"),
    ],
)
def test_a_missing_folder_is_named(tmp_path, reader, build, folder, message):
    root = build(tmp_path / "set")
    (root / folder).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=message):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
def test_an_empty_background_is_named(tmp_path):
    root = small_sets.personx(tmp_path / "PersonX_v1")
    (root / "4").mkdir()
    with pytest.raises(DatasetError, match="4 of .* lack bounding_box_train, query and bounding_box_test"):
        personx.read(root)


GOOD_NAMES = {
    viper: ["000_45.bmp", "000_0.bmp", "873_90.BMP"],
    prid2011: ["person_0001.png", "person_0201.png", "person_0000.PNG"],
    grid: ["0001_1_1_2.jpeg", "0001_2_1_2.jpeg", "0000_8_1_2.JPEG"],
    ilids: ["0001001.jpg", "0001002.JPG", "0002001.jpg", "0002000.jpg"],
    randperson: ["000000_s00_c00_f000264.jpg", "000000_s00_c02_f000264.jpg", "007999_s99_c00_f000000.jpg"],
    clonedperson: ["700000_s02_c00_f023389.jpg", "700000_s99_c99_f000000.JPG"],
    unrealperson: ["333_c001_78.jpg", "0_c0_0.JPG", "99999_c1_1.jpg", "100000_c1_1.jpg"],
    personx: ["0001_c1s1_01.jpg", "0002_c1s1_01.jpg", "0000_c9s9_99.JPG"],
}
PIECES = ["000", "0001", "p001", "person_0001", "_c1", "_c1s1", "_s00", "_c00", "_f000001", "_1_2", "45", "_", "\u0663"]
STEMS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=5).map("".join)
NAMES = st.builds("".join, st.tuples(STEMS, st.sampled_from([".jpg", ".JPG", ".bmp", ".png", ".jpeg", ".db", ""])))


@pytest.mark.parametrize("reader", FOLDERS, ids=[reader.NAME for reader in FOLDERS])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_for_any_names_a_reader_returns_records_or_raises_a_dataset_error(reader, data):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for folder in FOLDERS[reader]:
            (root / folder).mkdir(parents=True, exist_ok=True)
            good = st.lists(st.sampled_from(GOOD_NAMES[reader]), min_size=1, max_size=3)
            for name in data.draw(good | good | good | st.lists(NAMES, max_size=4)):
                try:
                    (root / folder / name).write_bytes(b"")
                except (OSError, ValueError):  # no file can be called so
                    continue
        try:
            records = reader.read(root)
        except DatasetError:
            return
        assert records == tuple(sorted(records, key=lambda record: record.path))
        assert all((root / record.path).is_file() and record.camid >= 0 <= record.pid for record in records)
