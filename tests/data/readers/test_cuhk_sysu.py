"""Tests of CUHK-SYSU: both packs of crops, and the crops cut out of the scenes."""

from __future__ import annotations

import large_sets
import matlab_files
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from metabin.data.readers import cuhk_sysu
from metabin.errors import DatasetError

PEOPLE = [
    ("p1", [("s1.jpg", [8, 8, 1, 1], 0), ("s18184.jpg", [1, 1, 31, 23], 1)]),
    ("p11934", [("s1.jpg", [32, 24, 0, 0], 0)]),
]


def rows(records):
    """Return (path, pid, camid, part) of every record."""
    return [(record.path, record.pid, record.camid, record.part) for record in records]


def test_the_crops_of_the_papers_script_are_read(tmp_path):
    root = large_sets.cuhk_sysu_metabin(tmp_path / "CUHK-SYSU")
    assert cuhk_sysu.find_root(tmp_path) == (root / "cropped_image", "metabin")
    assert rows(cuhk_sysu.read(tmp_path)) == [
        ("CUHK-SYSU/cropped_image/p00001_n01_s00001_hard0.png", 1, 0, "train"),
        ("CUHK-SYSU/cropped_image/p00001_n02_s16929_hard1.png", 1, 0, "train"),
        ("CUHK-SYSU/cropped_image/p11934_n01_s18184_hard0.png", 11934, 0, "train"),
    ]


def test_the_pack_of_torchreid_is_read_with_scenes_of_any_number_of_digits(tmp_path):
    root = large_sets.cuhk_sysu_torchreid(tmp_path / "cuhk_sysu")
    assert cuhk_sysu.find_root(root) == (root / "cropped_images", "torchreid")
    assert rows(cuhk_sysu.read(root / "cropped_images")) == [
        ("p11422_s16929_1.jpg", 11422, 0, "train"),
        ("p7_s1_1.jpg", 7, 0, "train"),
        ("p7_s23_2.JPG", 7, 0, "train"),
    ]


@pytest.mark.bad_input("folder of a data set")
def test_two_packs_and_foreign_images_are_refused(tmp_path):
    root = large_sets.cuhk_sysu_torchreid(large_sets.cuhk_sysu_metabin(tmp_path / "cuhk_sysu"))
    with pytest.raises(DatasetError, match=r"cropped_image \(metabin\) and cropped_images \(torchreid\); name the"):
        cuhk_sysu.read(root)
    large_sets.write_image(root / "cropped_image" / "p7_s1_1.jpg")
    with pytest.raises(DatasetError, match=r"two kinds of crops, cropped_image \(metabin\) and cropped_image \(torc"):
        cuhk_sysu.read(root / "cropped_image")
    (root / "cropped_image" / "p7_s1_1.jpg").rename(root / "cropped_image" / "0001_c1_1.jpg")
    with pytest.raises(DatasetError, match="1 of 4 images .* '0001_c1_1.jpg'; expected names like p00001_n01_s00001"):
        cuhk_sysu.read(root / "cropped_image")


@pytest.mark.bad_input("folder of a data set")
def test_scenes_alone_ask_for_extraction_with_the_command_that_does_it(tmp_path):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", PEOPLE)
    assert cuhk_sysu.find_root(tmp_path) == (root, "raw")
    with pytest.raises(
        DatasetError, match="raw data only; expected images: `python -m stages.download --domain cuhk_sysu` writes"
    ):
        cuhk_sysu.read(tmp_path)
    cuhk_sysu.extract(root, root)
    assert len(cuhk_sysu.read(tmp_path)) == 3


def test_a_crop_has_exactly_the_pixels_of_matlabs_inclusive_ranges(tmp_path):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", PEOPLE)
    steps = []
    assert cuhk_sysu.extract(tmp_path, tmp_path / "out", steps.append) == 3 == sum(steps)
    paths = (tmp_path / "out" / "cropped_image").iterdir()
    crop = {path.name: np.asarray(Image.open(path)) for path in paths}
    # x = y = 8 and w = h = 1, counted from 1: the 2 x 2 pixels where four blocks of 8 x 8 meet
    assert crop["p00001_n01_s00001_hard0.png"].tolist() == [[[10] * 3, [20] * 3], [[50] * 3, [60] * 3]]
    # the complete scene of 32 x 24, including its borders
    scene = np.asarray(Image.open(root / "Image" / "SSM" / "s18184.jpg"))
    assert crop["p00001_n02_s18184_hard1.png"].shape == (24, 32, 3)
    assert np.array_equal(crop["p00001_n02_s18184_hard1.png"], scene)
    assert scene[0, 0].tolist() == [110] * 3
    # the last pixel only
    assert crop["p11934_n01_s00001_hard0.png"].tolist() == [[[120] * 3]]


def test_crops_are_made_once_and_then_read(tmp_path):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", PEOPLE)
    assert cuhk_sysu.extract(root, root) == cuhk_sysu.extract(root, root) == 3
    assert [path for path, *_ in rows(cuhk_sysu.read(root))] == [
        "cropped_image/p00001_n01_s00001_hard0.png",
        "cropped_image/p00001_n02_s18184_hard1.png",
        "cropped_image/p11934_n01_s00001_hard0.png",
    ]


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize("box", [[0, 1, 5, 5], [1, 0, 5, 5], [1, 1, 32, 5], [1, 1, 5, 24]])
def test_a_box_that_leaves_its_scene_is_an_error_as_in_matlab(tmp_path, box):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", [("p1", [("s1.jpg", box, 0)])])
    with pytest.raises(DatasetError, match="s1.jpg is 32 x 24 pixels; expected one with columns"):
        cuhk_sysu.extract(root, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([("p1", [("s2.jpg", [1, 1, 5, 5], 0)])], "s2.jpg cannot be read as an image"),
        ([("p1", [("../../s1.jpg", [1, 1, 5, 5], 0)])], "in scene '../../s1.jpg', expected names like"),
        ([("../1", [("s1.jpg", [1, 1, 5, 5], 0)])], "person '../1' in scene 's1.jpg', expected names like"),
        ([("p1", [("s1.jpg", [1, 1, 5], 0)])], "Person.mat cannot be read"),
        (
            [("p1", [("s1.jpg", [1, 1, 5, 5], 0)]), ("p01", [("s1.jpg", [2, 1, 5, 5], 0)])],
            "two images are called p00001",
        ),
        ([("p1", [("s1.jpg", [1, 1, 5, 5, 5], 0)])], "too many values to unpack"),
        ([("p1", [("s1.jpg", np.array([1.5, 1, 5, 5]), 0)])], "found 1.5, expected whole numbers"),
        ([("p1", [("s1.jpg", np.array([np.nan, 1, 5, 5]), 0)])], "cannot convert float NaN"),
        ([("p1", [("s1.jpg", np.array([9, 9, -2, 5]), 0)])], "expected one with columns 9 to 7"),
        ([(5, [("s1.jpg", [1, 1, 5, 5], 0)])], "Person.mat cannot be read .*expected string"),
        ([("", [("s1.jpg", [1, 1, 5, 5], 0)])], "Person.mat cannot be read"),
        ([("p1", [])], "no images to extract"),
        ([], "no images to extract"),
    ],
)
def test_a_wrong_annotation_is_an_error(tmp_path, people, message):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", people)
    with pytest.raises(DatasetError, match=message):
        cuhk_sysu.extract(root, tmp_path / "out")


@pytest.mark.bad_input("MATLAB file")
def test_incomplete_raw_data_are_refused(tmp_path):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", PEOPLE)
    (root / "annotation" / "Person.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(DatasetError, match="Person.mat cannot be read"):
        cuhk_sysu.extract(root, tmp_path / "out")
    (root / "annotation" / "Person.mat").unlink()
    with pytest.raises(DatasetError, match="has Image/SSM but not annotation/Person.mat; copy the data set again"):
        cuhk_sysu.read(root)


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"People": 1}, "KeyError: 'Person'"),
        ({"Person": 1}, "has no attribute"),
        ({"Person": "p1"}, "has no attribute"),
        ({"Person": {"idname": "p1", "nAppear": 2, "scene": {"imname": "s1.jpg"}}}, "p1 has 1 of 2 scenes"),
        ({"Person": {"idname": "p1", "nAppear": 1, "scene": {"imname": "s1.jpg"}}}, "no attribute 'idlocate'"),
        ({"Person": {"idname": "p1", "scene": {"imname": "s1.jpg"}}}, "no attribute 'nAppear'"),
    ],
)
def test_an_annotation_of_another_form_is_refused(tmp_path, content, message):
    root = matlab_files.cuhk_sysu_raw(tmp_path / "CUHK-SYSU", PEOPLE)
    savemat(root / "annotation" / "Person.mat", content)
    with pytest.raises(DatasetError, match=f"Person.mat cannot be read .*{message}.*expected Person, with idname"):
        cuhk_sysu.extract(root, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
