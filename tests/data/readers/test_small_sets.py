"""Tests of VIPeR, PRID2011, GRID and i-LIDS, in every layout."""

from __future__ import annotations

import pytest
import small_sets

from metabin.data.readers import grid, ilids, prid2011, viper
from metabin.errors import DatasetError

SETS = {
    viper: small_sets.viper,
    prid2011: small_sets.prid2011,
    grid: small_sets.grid,
    ilids: small_sets.ilids,
}


def rows(records):
    """Return (path, pid, camid, distractor) of every record."""
    return [(record.path, record.pid, record.camid, record.distractor) for record in records]


def each_set(function):
    return pytest.mark.parametrize(("reader", "build"), SETS.items(), ids=[reader.NAME for reader in SETS])(function)


def test_viper_pairs_people_by_their_numbers_with_any_gaps_and_angles(tmp_path):
    assert rows(viper.read(small_sets.viper(tmp_path / "VIPeR"))) == [
        ("cam_a/000_45.bmp", 0, 0, False),
        ("cam_a/001_0.bmp", 1, 0, False),
        ("cam_a/045_180.bmp", 45, 0, False),
        ("cam_a/873_90.bmp", 873, 0, False),
        ("cam_b/000_90.bmp", 0, 1, False),
        ("cam_b/001_90.BMP", 1, 1, False),
        ("cam_b/045_0.bmp", 45, 1, False),
        ("cam_b/873_0.bmp", 873, 1, False),
    ]


def test_viper_in_the_references_split_folders_is_read_from_the_first_of_them(tmp_path):
    root = small_sets.viper_splits(tmp_path / "viper")
    assert viper.find_root(root) == (root, "splits")
    assert rows(viper.read(root)) == [
        ("split_1a/gallery/p001_c2_d090.png", 1, 1, False),
        ("split_1a/gallery/p873_c2_d000.png", 873, 1, False),
        ("split_1a/query/p001_c1_d000.png", 1, 0, False),
        ("split_1a/query/p873_c1_d090.png", 873, 0, False),
        ("split_1a/train/p000_c1_d045.png", 0, 0, False),
        ("split_1a/train/p000_c2_d090.png", 0, 1, False),
        ("split_1a/train/p045_c1_d180.png", 45, 0, False),
        ("split_1a/train/p045_c2_d000.png", 45, 1, False),
    ]
    small_sets.viper(root)
    assert viper.find_root(root) == (root, "cameras")


def test_prid_separates_person_201_of_camera_a_from_person_201_of_camera_b(tmp_path):
    assert rows(prid2011.read(small_sets.prid2011(tmp_path / "prid_2011"))) == [
        ("single_shot/cam_a/person_0001.png", 1, 0, False),
        ("single_shot/cam_a/person_0002.png", 2, 0, False),
        ("single_shot/cam_a/person_0200.png", 200, 0, False),
        ("single_shot/cam_a/person_0201.png", 201, 0, False),
        ("single_shot/cam_b/person_0001.png", 1, 1, False),
        ("single_shot/cam_b/person_0002.PNG", 2, 1, False),
        ("single_shot/cam_b/person_0200.png", 200, 1, False),
        ("single_shot/cam_b/person_0201.png", 1201, 1, True),
        ("single_shot/cam_b/person_0749.png", 1749, 1, True),
    ]


def test_prid_is_also_found_as_the_single_shot_folder_itself(tmp_path):
    root = small_sets.prid2011(tmp_path / "prid_2011")
    assert prid2011.find_root(root) == (root, "single_shot")
    assert prid2011.find_root(root / "single_shot") == (root / "single_shot", "cameras")
    assert prid2011.read(root / "single_shot")[0].path == "cam_a/person_0001.png"


def test_grid_gives_every_distractor_another_pid(tmp_path):
    assert rows(grid.read(small_sets.grid(tmp_path / "underground_reid"))) == [
        ("gallery/0000_1_25101_1_2_3_4.jpeg", 1000, 0, True),
        ("gallery/0000_1_25102_1_2_3_4.jpeg", 1001, 0, True),
        ("gallery/0000_8_25000_1_2_3_4.jpeg", 1002, 7, True),
        ("gallery/0001_2_25028_84_73_103_216.jpeg", 1, 1, False),
        ("gallery/0002_1_25049_47_19_91_185.JPEG", 2, 0, False),
        ("gallery/0004_5_1_2_3_4_5.jpeg", 4, 4, False),
        ("gallery/0250_3_9_1_3_4_5.jpeg", 250, 2, False),
        ("probe/0001_1_25004_107_32_106_221.jpeg", 1, 0, False),
        ("probe/0002_2_25023_116_134_128_330.jpeg", 2, 1, False),
        ("probe/0004_8_1_2_3_4_5.jpeg", 4, 7, False),
        ("probe/0250_6_9_-1_3_4_5.jpeg", 250, 5, False),
    ]


def test_the_official_partition_of_grid_is_the_third_field_of_each_struct(tmp_path):
    train = [(1, 4), (2, 250), (1, 2), (4, 250), (1, 250), (2, 4), (1, 4), (2, 250), (1, 2), (250, 4)]
    root = small_sets.grid(tmp_path / "GRID", train)
    assert grid.read_partition(root) == (*train[:-1], (4, 250))


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize("content", [None, b"", b"no matlab", b"MATLAB 5.0 MAT-file" + bytes(200), "other", "nine"])
def test_a_partition_that_is_missing_damaged_or_something_else_is_a_dataset_error(tmp_path, content):
    root = small_sets.grid(tmp_path / "GRID")
    path = root / grid.PARTITION
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        from scipy.io import savemat

        savemat(path, {"trainIdxAll": [[1, 2, 3]]})
    elif content == "nine":
        small_sets.grid_partition(path, [(1, 4)] * 9)
    with pytest.raises(DatasetError, match="features_and_partitions.mat"):
        grid.read_partition(root)


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize(
    ("train", "message"),
    [
        ([(1, 4)] * 11, "has 11 splits; expected 10"),
        ([()] * 10, "has 0 splits; expected 10"),
        ([(1.5, 4)] * 10, "found 1.5, expected whole numbers"),
        ([(float("nan"), 4)] * 10, "cannot convert float NaN"),
        ([(1, 1)] * 10, "a person is twice in a split"),
    ],
)
def test_official_splits_of_impossible_people_are_refused(tmp_path, train, message):
    root = small_sets.grid(tmp_path / "GRID")
    small_sets.grid_partition(root / grid.PARTITION, train)
    with pytest.raises(DatasetError, match=f"features_and_partitions.mat .*{message}"):
        grid.read_partition(root)


def test_ilids_gives_every_image_of_a_person_another_camera(tmp_path):
    assert rows(ilids.read(small_sets.ilids(tmp_path / "i-LIDS_Pedestrian"))) == [
        ("Persons/0001001.jpg", 1, 0, False),
        ("Persons/0001002.jpg", 1, 1, False),
        ("Persons/0002001.jpg", 2, 0, False),
        ("Persons/0002003.JPG", 2, 2, False),
        ("Persons/0002004.jpg", 2, 3, False),
        ("Persons/0119001.jpg", 119, 0, False),
        ("Persons/0119002.jpg", 119, 1, False),
        ("Persons/0119003.jpg", 119, 2, False),
        ("Persons/0119004.jpg", 119, 3, False),
    ]


def test_ilids_is_found_in_the_bundles_folder_and_as_the_folder_of_images(tmp_path):
    root = small_sets.ilids(tmp_path / "QMUL-iLIDS", "images")
    assert ilids.find_root(root) == (root, "bundle")
    assert ilids.find_root(root / "images") == (root / "images", "flat")


@pytest.mark.parametrize(
    ("reader", "ids", "images"), [(viper, 632, 1264), (prid2011, 934, 1134), (grid, 1025, 1275), (ilids, 119, 476)]
)
def test_counts_add_up_to_the_published_people_and_images(reader, ids, images):
    assert tuple(map(sum, zip(*reader.COUNTS.values(), strict=True))) == (ids, images)


@each_set
def test_a_folder_above_is_enough_and_other_data_sets_beside_it_do_not_matter(tmp_path, reader, build):
    for other, build_other in SETS.items():
        build_other(tmp_path / f"{other.NAME}-run-1_c2")
    root = tmp_path / f"{reader.NAME}-run-1_c2"
    assert reader.find_root(tmp_path)[0] == root
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
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty holds nothing; expected .*http"):
        reader.read(tmp_path / "empty")
    archive = tmp_path / "empty" / "VIPeR.v1.0.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(DatasetError, match="unpack 'VIPeR.v1.0.zip'"):
        reader.read(tmp_path / "empty")
    with pytest.raises(DatasetError, match="is a file; expected a folder .*unpack it"):
        reader.read(archive)


@pytest.mark.bad_input("folder of a data set")
@each_set
def test_wrong_names_are_counted_and_the_first_three_are_named(tmp_path, reader, build):
    root = build(tmp_path / "set")
    folder = (root / reader.read(root)[0].path).parent
    small_sets.write_images(folder, "a.jpg b.jpg c.jpg d.jpg")
    with pytest.raises(DatasetError, match=r"set/.*: 4 of \d+ images .*'a.jpg', 'b.jpg', 'c.jpg', \.\.\.; expected"):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize(
    ("reader", "build", "lost", "message"),
    [
        (viper, small_sets.viper, "cam_b/045_0.bmp", "1 people in one camera only: '045'"),
        (viper, small_sets.viper_splits, "split_1a/query/p001_c1_d000.png", "1 people in one camera only: '001'"),
        (prid2011, small_sets.prid2011, "single_shot/cam_a/person_0002.png", "one camera only: '0002'"),
        (grid, small_sets.grid, "probe/0004_8_1_2_3_4_5.jpeg", "not in probe and gallery once each: '0004'"),
        (ilids, small_sets.ilids, "Persons/0001002.jpg", "1 people with a single image: '0001'"),
    ],
)
def test_an_incomplete_copy_is_detected_by_a_person_without_a_match(tmp_path, reader, build, lost, message):
    root = build(tmp_path / "set")
    (root / lost).unlink()
    with pytest.raises(DatasetError, match=message):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize(
    ("reader", "build", "folder", "message"),
    [
        (viper, small_sets.viper, "cam_b", "lacks cam_b; expected"),
        (viper, small_sets.viper_splits, "split_1a/gallery", "split_1a lacks gallery; expected"),
        (prid2011, small_sets.prid2011, "single_shot/cam_a", "single_shot lacks cam_a; expected"),
        (grid, small_sets.grid, "gallery", "lacks gallery; expected"),
    ],
)
def test_a_missing_folder_is_named(tmp_path, reader, build, folder, message):
    root = build(tmp_path / "set")
    (root / folder).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=message):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize(
    ("reader", "build", "extra", "message"),
    [
        (viper, small_sets.viper, "cam_a/000_90.bmp", "5 images of 4 people of cam_a"),
        (prid2011, small_sets.prid2011, "single_shot/cam_b/person_0749.PNG", "10 images of 9 persons"),
        (grid, small_sets.grid, "probe/0002_5_1_2.jpeg", "once each: '0002'"),
        (grid, small_sets.grid, "probe/0000_5_1_2.jpeg", "1 images of person 0000"),
        (ilids, small_sets.ilids, "Persons/0001002.JPG", "an image twice"),
    ],
)
def test_an_image_too_many_is_refused(tmp_path, reader, build, extra, message):
    root = build(tmp_path / "set")
    small_sets.write_images((root / extra).parent, (root / extra).name)
    with pytest.raises(DatasetError, match=message):
        reader.read(root)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize("reader", [viper, prid2011])
def test_folders_without_images_are_reported_as_empty(tmp_path, reader):
    for camera in ("cam_a", "cam_b"):
        small_sets.write_images(tmp_path / camera, "")
    with pytest.raises(DatasetError, match="cam_a and cam_b of .* have no images"):
        reader.read(tmp_path)
    small_sets.write_images(tmp_path / "cam_a", "000_45.bmp" if reader is viper else "person_0001.png")
    with pytest.raises(DatasetError, match="cam_b has no images; expected names like"):
        reader.read(tmp_path)
