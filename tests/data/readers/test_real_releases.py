"""Tests of names and counts of the real releases, from the public sources in docs/data.md."""

from __future__ import annotations

import large_sets
import matlab_files
import pytest
import small_sets

from metabin.data.acquisition import check, local_datasets
from metabin.data.readers import (
    clonedperson,
    cuhk02,
    cuhk03,
    cuhk_sysu,
    dukemtmcreid,
    file_listing,
    grid,
    ilids,
    market1501,
    msmt17,
    personx,
    prid2011,
    randperson,
    unrealperson,
    viper,
)
from metabin.errors import DatasetError

REAL_NAMES = {
    market1501.NAMING: "0002_c1s1_000451_03.jpg 1499_c6s3_088642_04.jpg -1_c1s1_000401_03.jpg "
    "1488_c1s6_023021_00.jpg.jpg 0000_c1s6_023071_04.jpg.jpg -1_c4s6_022316_11.jpg.jpg",
    dukemtmcreid.NAMING: "0002_c1_f0044158.jpg 0002_c1_f0048718.jpg",
    msmt17.NAMING: "0000_045_12_0303morning_0006_2.jpg 0000_046_12_0303morning_0006_2_ex.jpg "
    "1040_167_07_0302morning_0340_3.jpg 1039_032_10_0113noon_0464_1.jpg 3050_070_07_0114afternoon_1701_0_ex.jpg",
    msmt17.REPACK_NAMING: "0000_c1_0000.jpg 0000_c14_0030.jpg 0000_002_01_0303morning_0009_0.jpg "
    "0000_003_01_0303morning_0009_0_ex.jpg",
    cuhk02.NAMING: "001_1.png",
    cuhk03.NAMING: "1_001_1_01.png 1_001_2_06.png",
    cuhk03.NP_NAMING: "0001_c1_1.png 0003_c1_22.png 0003_c2_27.png 0003_c1_21.jpg",
    cuhk_sysu.NAMINGS["metabin"]: "p00001_n01_s00001_hard0.png",
    cuhk_sysu.NAMINGS["torchreid"]: "p11422_s16929_1.jpg",
    viper.NAMING: "000_45.bmp 001_90.bmp 872_180.bmp 873_0.bmp",
    viper.SPLIT_NAMING: "p000_c1_d045.png",
    prid2011.NAMING: "person_0001.png person_0749.png",
    grid.NAMING: "0001_1_25004_107_32_106_221.jpeg 0038_1_25701_213_0_50_161.jpeg 0219_6_30395_0_184_91_203.jpeg "
    "0000_1_25698_101_16_87_246.jpeg",
    ilids.NAMING: "0001001.jpg",
    randperson.NAMING: "000000_s00_c01_f001632.jpg 000000_c01_s00_f001632.jpg",
    clonedperson.NAMING: "700000_s06_c00_f023413.jpg 705624_s12_c02_f002965.jpg",
    unrealperson.NAMING: "333_c001_78.jpg",
    personx.NAMING: "0001_c1s1_32.jpg 0004_c1s1_01.jpg",
}


@pytest.mark.parametrize("naming", REAL_NAMES, ids=lambda naming: naming.example)
def test_real_names_are_read(naming):
    assert [name for name in REAL_NAMES[naming].split() if not naming.pattern.fullmatch(name)] == []


def market_names():
    """Return as many names per folder and kind of person as the release; 24 end in .jpg.jpg."""

    def spread(people, total, num_odd=0):
        turns = [divmod(index, len(people)) for index in range(total)]
        names = [f"{people[person]}_c{turn % 6 + 1}s1_{turn:06d}_{turn % 100:02d}.jpg" for turn, person in turns]
        return [name + ".jpg" * (index < num_odd) for index, name in enumerate(names)]

    train = [f"{pid:04d}" for pid in range(1, 752)]
    test = [f"{pid:04d}" for pid in range(752, 1502)]
    return {
        "bounding_box_train": spread(train, 12_936),
        "query": spread(test, 3_368, 6),
        "bounding_box_test": [*spread(test, 13_115, 13), *spread(["0000"], 2_798, 3), *spread(["-1"], 3_819, 2)],
    }


def test_a_market_of_full_size_with_its_odd_names_has_the_published_counts(tmp_path, monkeypatch):
    names = market_names()
    every = [name for folder in names.values() for name in folder]
    assert (len(every), sum(name.endswith(".jpg.jpg") for name in every)) == (36_036, 24)
    for folder in names:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(file_listing, "image_files", lambda folder, suffixes=(): sorted(names.get(folder.name, ())))
    counts = check.count(market1501.read(tmp_path))
    assert {part: counts[part].images for part in ("train", "query", "gallery")} == {
        "train": 12_936,
        "query": 3_368,
        "gallery": 15_913,
    }
    assert counts["distractor"].images == 2_798
    assert len(every) - counts["all"].images - 2_798 == 3_819 == market1501.COUNTS["junk"][1]
    published = local_datasets.published_counts(market1501, "official")
    assert {part: (counts[part].ids, counts[part].images) for part in published} == published


def test_an_image_in_jpg_jpg_passes_the_check(tmp_path):
    large_sets.write_images(tmp_path / "bounding_box_train", "0002_c1s1_000451_03.jpg")
    large_sets.write_images(tmp_path / "query", "1488_c1s6_023021_00.jpg.jpg")
    large_sets.write_images(tmp_path / "bounding_box_test", "1488_c2s3_065527_02.jpg.jpg 0000_c1s6_023071_04.jpg.jpg")
    large_sets.write_images(tmp_path / "bounding_box_test", "-1_c4s6_022316_11.jpg.jpg")
    counts = {"train": (1, 1), "query": (1, 1), "gallery": (1, 2), "distractor": (0, 1), "all": (2, 3)}
    assert check.check_images("market1501", tmp_path, market1501.read(tmp_path), counts).problems == ()


def test_msmt17_re_packed_with_its_own_names_gives_people_and_cameras(tmp_path):
    root = tmp_path / "msmt17"
    large_sets.write_images(root / "bounding_box_train", "0000_002_01_0303morning_0009_0.jpg")
    large_sets.write_images(root / "query", "0000_003_15_0303morning_0009_0_ex.jpg")
    large_sets.write_images(root / "bounding_box_test", "3059_004_13_0113noon_1697_2.jpg")
    assert [(record.pid, record.camid, record.part) for record in msmt17.read(root)] == [
        (4100, 12, "gallery"),
        (0, 0, "train"),
        (1041, 14, "query"),
    ]


def test_the_new_protocols_pack_may_have_jpgs_and_capital_letters(tmp_path):
    root = large_sets.cuhk03_np(tmp_path / "cuhk03-np")
    for path in list(root.rglob("*.png")):
        path.rename(path.with_suffix(".jpg"))
    (root / "detected").rename(root / "Detected")
    assert cuhk03.find_root(tmp_path) == (root, "np-detected")
    assert cuhk03.read(tmp_path)[0].path == "cuhk03-np/Detected/bounding_box_test/0001_c2_7.jpg"


@pytest.mark.parametrize("name", ["cuhk03_{}", "{}"])
def test_images_extracted_by_the_splits_authors_are_read_from_their_folders(tmp_path, name):
    cuhk03.extract(matlab_files.cuhk03_raw(tmp_path / "raw"), tmp_path / "cuhk03")
    for boxes in cuhk03.BOXES:
        (tmp_path / "cuhk03" / f"images_{boxes}").rename(tmp_path / "cuhk03" / name.format(boxes))
    assert cuhk03.find_root(tmp_path / "cuhk03") == (tmp_path / "cuhk03", "png-detected")
    assert len(cuhk03.read(tmp_path / "cuhk03")) == 14
    assert len(cuhk03.read(tmp_path / "cuhk03" / name.format("labeled"))) == 13


def test_an_empty_folder_of_images_does_not_hide_the_raw_data(tmp_path):
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    (root / "images_detected").mkdir()
    assert cuhk03.find_root(root) == (root, "raw")
    cuhk03.extract(root, root)
    assert len(cuhk03.read(root)) == 14


def test_randpersons_first_release_has_scene_and_camera_in_the_other_order(tmp_path):
    small_sets.write_images(tmp_path, "000000_c01_s03_f000264.jpg 000001_s03_c01_f000264.jpg")
    assert [record.camid for record in randperson.read(tmp_path)] == [7, 7]


@pytest.mark.bad_input("folder of a data set")
def test_clonedperson_is_not_read_as_randperson(tmp_path):
    small_sets.clonedperson(tmp_path / "clonedperson")
    with pytest.raises(DatasetError, match="RandPerson: .* holds 'clonedperson'; expected images like"):
        randperson.read(tmp_path)


def test_personxs_subset_has_cameras_of_two_digits_and_other_counts(tmp_path):
    root = tmp_path / "subset1"
    small_sets.write_images(root / "bounding_box_train", "0001_c3s1_01.jpg 0001_c12s1_01.jpg")
    small_sets.write_images(root / "query", "0003_c10s1_01.jpg")
    small_sets.write_images(root / "bounding_box_test", "0003_c4s1_01.jpg")
    assert personx.find_root(tmp_path) == (root, "subset")
    cameras = {record.path.split("/")[-1][6:8]: record.camid for record in personx.read(tmp_path)}
    assert cameras == {"3s": 0, "4s": 1, "10": 2, "12": 3}
    assert local_datasets.published_counts(personx, "subset")["all"] == (1_266, 45_792)


def test_personx_is_counted_by_its_existing_backgrounds(tmp_path):
    root = small_sets.personx(tmp_path / "PersonX_v1", ["1", "4", "5"])
    _, layout = personx.find_root(root)
    # 36 sides of 410 + 856 people before each background, and a copy of one side of each of the 856.
    assert local_datasets.published_counts(personx, layout)["all"] == (410 + 856, 3 * (36 * (410 + 856) + 856))
    for counts in personx.COUNTS.values():
        assert counts["all"][1] == sum(counts[part][1] for part in ("train", "query", "gallery"))
