"""Tests of CUHK03: the re-pack, the raw .mat, and the images extracted from it."""

from __future__ import annotations

import h5py
import large_sets
import matlab_files
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from metabin.data.readers import cuhk03
from metabin.errors import DatasetError


@pytest.fixture
def extracted(tmp_path):
    """Return a folder with the images and the splits of a raw copy."""
    cuhk03.extract(matlab_files.cuhk03_raw(tmp_path / "cuhk03"), tmp_path / "images")
    return tmp_path / "images"


def rows(records):
    """Return (path, pid, camid, part) of every record."""
    return [(record.path, record.pid, record.camid, record.part) for record in records]


def test_the_re_pack_is_read_with_detected_boxes_and_test_people_apart_from_train_people(tmp_path):
    root = large_sets.cuhk03_np(tmp_path / "cuhk03-np")
    assert cuhk03.find_root(tmp_path) == (root, "np-detected")
    assert rows(cuhk03.read(root)) == [
        ("detected/bounding_box_test/0001_c2_7.png", 10_001, 1, "gallery"),
        ("detected/bounding_box_test/0700_c1_10.png", 10_700, 0, "gallery"),
        ("detected/bounding_box_train/0001_c1_1.png", 1, 0, "train"),
        ("detected/bounding_box_train/0001_c2_6.png", 1, 1, "train"),
        ("detected/bounding_box_train/0767_c1_2.png", 767, 0, "train"),
        ("detected/query/0001_c1_1.png", 10_001, 0, "query"),
        ("detected/query/0700_c2_6.png", 10_700, 1, "query"),
    ]


def test_the_labeled_boxes_are_read_when_their_folder_is_named(tmp_path):
    root = large_sets.cuhk03_np(tmp_path / "cuhk03-np")
    assert cuhk03.find_root(root / "labeled") == (root / "labeled", "np-labeled")
    records = cuhk03.read(root / "labeled")
    assert (len(records), records[0].path) == (6, "bounding_box_test/0001_c2_7.png")
    (root / "labeled").rename(tmp_path / "cuhk03_np_labeled")
    assert cuhk03.find_root(tmp_path / "cuhk03_np_labeled")[1] == "np-labeled"


@pytest.mark.bad_input("folder of a data set")
def test_a_folder_that_does_not_say_which_boxes_it_has_is_refused(tmp_path):
    large_sets.cuhk03_np(tmp_path / "np")
    (tmp_path / "np" / "labeled").rename(tmp_path / "cuhk03")
    with pytest.raises(
        DatasetError, match="the name of .*cuhk03 does not say which boxes it has; call it detected or labeled"
    ):
        cuhk03.read(tmp_path / "cuhk03")


@pytest.mark.bad_input("folder of a data set")
def test_raw_data_ask_for_extraction_with_the_command_that_does_it(tmp_path):
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    assert cuhk03.find_root(tmp_path) == (root, "raw")
    assert cuhk03.find_root(root / "cuhk03_release")[1] == "raw"
    with pytest.raises(
        DatasetError, match="raw data only; expected images: `python -m stages.download --domain cuhk03` writes"
    ):
        cuhk03.read(tmp_path)
    cuhk03.extract(root, root)
    assert len(cuhk03.read(tmp_path)) == 14


def test_extracted_images_have_the_pixels_of_the_mat_and_the_usual_names(tmp_path):
    steps = []
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    assert cuhk03.extract(root, tmp_path / "images", steps.append) == 14 + 13
    assert steps == [1] * 27
    for boxes, people in (("detected", matlab_files.DETECTED), ("labeled", matlab_files.LABELED)):
        folder = tmp_path / "images" / f"images_{boxes}"
        assert sorted(path.name for path in folder.iterdir()) == sorted(matlab_files.names_of(people))
    image = np.asarray(Image.open(tmp_path / "images" / "images_detected" / "1_002_2_10.png"))
    assert image.shape == (3, 2, 3)
    # 40 x pair 1 + 20 for person 2 + cell 10, then + 1 per row, + 3 per column, + 7 per channel
    assert image[0, 0].tolist() == [70, 77, 84]
    assert image[2, 1].tolist() == [75, 82, 89]


def test_extracted_images_take_their_parts_from_the_new_protocol(extracted):
    assert cuhk03.find_root(extracted) == (extracted, "png-detected")
    assert rows(cuhk03.read(extracted)) == [
        ("images_detected/1_001_1_01.png", 1001, 0, "train"),
        ("images_detected/1_001_1_05.png", 1001, 0, "train"),
        ("images_detected/1_001_2_06.png", 1001, 1, "train"),
        ("images_detected/1_002_1_02.png", 1002, 0, "query"),
        ("images_detected/1_002_2_10.png", 1002, 1, "gallery"),
        ("images_detected/2_001_1_01.png", 2001, 0, "train"),
        ("images_detected/2_001_2_06.png", 2001, 1, "train"),
        ("images_detected/3_001_1_01.png", 3001, 0, "query"),
        ("images_detected/3_001_2_07.png", 3001, 1, "gallery"),
        ("images_detected/4_001_1_03.png", 4001, 0, "train"),
        ("images_detected/4_001_2_06.png", 4001, 1, "train"),
        ("images_detected/5_001_1_01.png", 5001, 0, "query"),
        ("images_detected/5_001_1_02.png", 5001, 0, "gallery"),
        ("images_detected/5_001_2_08.png", 5001, 1, "gallery"),
    ]


def test_labeled_images_find_their_split_one_folder_above(extracted):
    records = cuhk03.read(extracted / "images_labeled")
    assert (len(records), records[7].path, records[7].part) == (13, "3_001_2_07.png", "query")
    assert cuhk03.find_root(extracted / "images_labeled")[1] == "png-labeled"


def test_images_are_extracted_once_and_completely_or_not_at_all(extracted, tmp_path):
    def fail(_):
        raise KeyboardInterrupt

    assert cuhk03.extract(tmp_path / "cuhk03", extracted, fail) == 27
    with pytest.raises(KeyboardInterrupt):
        cuhk03.extract(tmp_path / "cuhk03", tmp_path / "again", fail)
    assert list((tmp_path / "again").iterdir()) == []
    assert cuhk03.extract(tmp_path / "cuhk03", tmp_path / "again") == 27


@pytest.mark.bad_input("MATLAB file")
def test_a_damaged_mat_is_named_and_leaves_nothing(tmp_path):
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    file = root / "cuhk03_release" / "cuhk-03.mat"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DatasetError, match=r"cuhk-03.mat cannot be read \(OSError: .*; expected the cuhk-03.mat"):
        cuhk03.extract(root, tmp_path / "images")
    matlab_files.cuhk03_config(file.parent, "detected", matlab_files.DETECTED)
    (file.parent / "cuhk03_new_protocol_config_detected.mat").replace(file)
    with pytest.raises(DatasetError, match=r"cuhk-03.mat cannot be read \(OSError"):
        cuhk03.extract(root, tmp_path / "images")
    assert list((tmp_path / "images").iterdir()) == []


@pytest.mark.bad_input("MATLAB file")
def test_the_split_must_be_there_and_of_these_images(extracted):
    config = extracted / "cuhk03_new_protocol_config_detected.mat"
    (extracted / "images_detected" / "5_001_2_08.png").rename(extracted / "images_detected" / "5_001_2_09.png")
    with pytest.raises(DatasetError, match="1 images are missing, by cuhk03_new.*: '5_001_2_08.png'; expected"):
        cuhk03.read(extracted)
    (extracted / "images_detected" / "5_001_2_09.png").rename(extracted / "images_detected" / "5_001_2_08.PNG")
    assert cuhk03.read(extracted)[-1].part == "gallery"
    (extracted / "cuhk03_new_protocol_config_labeled.mat").replace(config)
    with pytest.raises(DatasetError, match="1 images are not in it, by cuhk03_new.*: '3_001_1_01.png'; expected"):
        cuhk03.read(extracted)
    config.write_bytes(config.read_bytes()[:300])
    with pytest.raises(DatasetError, match="config_detected.mat cannot be read"):
        cuhk03.read(extracted)
    config.unlink()
    with pytest.raises(DatasetError, match="no cuhk03_new_protocol_config_detected.mat in .*; get it from https"):
        cuhk03.read(extracted)


@pytest.mark.bad_input("folder of a data set")
def test_two_kinds_of_images_in_one_folder_are_refused(extracted):
    large_sets.cuhk03_np(extracted)
    with pytest.raises(DatasetError, match="holds np-detected and png-detected; name the folder of one of them"):
        cuhk03.read(extracted)
    assert cuhk03.read(extracted / "labeled")


CONFIG = "cuhk03_new_protocol_config_detected.mat"


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize("name", ["train_idx", "query_idx", "gallery_idx"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "cannot be read \\(KeyError: '{name}'\\)"),
        ([], "cannot be read \\(ValueError: {name} is empty\\)"),
        ([1.5], "cannot be read \\(ValueError: found 1.5, expected whole numbers\\)"),
        ([np.nan], "cannot be read \\(ValueError: cannot convert float NaN"),
        ([1 + 2j], "cannot be read \\(TypeError"),
        ("abc", "cannot be read \\(ValueError"),
        ({"a": 1}, "cannot be read \\(TypeError"),
        ([0], "{name} has 0, out of range or twice"),
        ([-1], "{name} has -1, out of range or twice"),
        ([99], "{name} has 99, out of range or twice"),
        ([11, 11], "{name} has 11, out of range or twice"),
    ],
)
def test_a_split_with_impossible_positions_is_refused(extracted, name, values, message):
    content = {key: value for key, value in loadmat(extracted / CONFIG).items() if not key.startswith("__")}
    content[name] = np.array([values]).T if isinstance(values, list) else values
    if values is None:
        del content[name]
    savemat(extracted / CONFIG, content)
    with pytest.raises(DatasetError, match=f"{CONFIG}:? {message.format(name=name)}"):
        cuhk03.read(extracted)


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: np.vstack([names, names[:1]]), "filelist has a name twice"),
        (lambda names: names[:3], "out of range or twice"),
        (lambda names: np.ones((14, 1)), "filelist has a name twice"),
        (lambda names: np.array([[f"{index}.png"] for index in range(14)], object), "images are missing"),
    ],
)
def test_a_split_of_other_names_is_refused(extracted, change, message):
    content = {key: value for key, value in loadmat(extracted / CONFIG).items() if not key.startswith("__")}
    savemat(extracted / CONFIG, content | {"filelist": change(content["filelist"])})
    with pytest.raises(DatasetError, match=message):
        cuhk03.read(extracted)


def replace(mat, name, value):
    del mat[name]
    mat[name] = value


def break_reference(mat):
    cell = mat[mat["detected"][0, 0]]
    references = cell[()]
    references[0, 0] = h5py.Reference()
    cell[...] = references


def with_float_pixels(mat):
    cell = mat[mat["detected"][0, 0]]
    references = cell[()]
    mat["pixels"] = mat[references[0, 0]][()].astype(float)
    references[0, 0] = mat["pixels"].ref
    cell[...] = references


CHANGES = {
    "no boxes": (lambda mat: mat.pop("labeled"), "KeyError"),
    "numbers": (lambda mat: replace(mat, "labeled", np.ones((1, 5))), "TypeError"),
    "no pairs": (lambda mat: replace(mat, "labeled", np.zeros((0, 0), h5py.ref_dtype)), "IndexError"),
    "one number": (lambda mat: replace(mat, "labeled", 3), "IndexError"),
    "no reference": (break_reference, "ValueError: Invalid HDF5 object reference"),
    "float pixels": (with_float_pixels, r"ValueError: image 1 of person 1 is float64 \(3, 2, 3\)"),
}


@pytest.mark.bad_input("MATLAB file")
@pytest.mark.parametrize("case", CHANGES)
def test_a_mat_with_other_content_is_named_and_leaves_no_half_folder(tmp_path, case):
    change, message = CHANGES[case]
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    with h5py.File(root / "cuhk03_release" / "cuhk-03.mat", "r+") as mat:
        change(mat)
    with pytest.raises(DatasetError, match=rf"cuhk-03.mat cannot be read \({message}.*; expected the cuhk-03.mat"):
        cuhk03.extract(root, tmp_path / "images")
    assert {path.name for path in (tmp_path / "images").iterdir()} <= {"images_detected"}  # they come first
