"""Files that a folder reader leaves out are counted, with the reason."""

import json
from pathlib import Path

import large_sets
import pytest
from image_forms.base import RGB, jpeg, saved
from PIL import Image

from metabin.data.acquisition import local_datasets
from metabin.data.acquisition.check import DataCheck, check_images
from metabin.data.acquisition.local_datasets import report, verdict
from metabin.data.readers.unused_files import count_unused, describe
from metabin.errors import DatasetError
from metabin.images import SUFFIXES

HEIC = ".heic files (not readable: save them as JPEG or PNG)"
TEXT = ".txt files (no images)"
NESTED = "images in folders below the images (not read)"
UNLISTED = "images (junk, or not listed for this data set)"


def write(folder, **files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def datasets(tmp_path):
    """A folder like Market-1501's with the data of a phone: two people, two cameras."""
    files = {
        "bounding_box_train/0003_c1_1.jpg": jpeg(RGB),
        "query/0001_c1_1.jpg": jpeg(RGB),
        "query/0002_c1_1.webp": saved(RGB, "WEBP"),
        "bounding_box_test/0001_c2_1.TIF": saved(RGB, "TIFF"),
        "bounding_box_test/0002_c2_1.png": saved(RGB, "PNG"),
    }
    write(tmp_path / "phone", **files)
    large_sets.litter(tmp_path / "phone/query")
    return tmp_path


def check(folder, name):
    dataset = local_datasets.find_local_dataset(name, folder, acknowledged=False)
    return dataset, check_images(name, dataset.images, dataset.records, dataset.expected_counts)


def test_custom_images_of_every_readable_suffix_are_read(datasets):
    dataset, result = check(datasets, "phone")
    assert [record.path for record in dataset.records] == [
        "bounding_box_test/0001_c2_1.TIF", "bounding_box_test/0002_c2_1.png", "bounding_box_train/0003_c1_1.jpg",
        "query/0001_c1_1.jpg", "query/0002_c1_1.webp",
    ]  # fmt: skip
    assert (result.problems, result.left_out) == ((), {})
    for index, suffix in enumerate(SUFFIXES):
        write(datasets / "phone", **{f"bounding_box_train/0003_c{index + 1}_2{suffix}": jpeg(RGB)})
    assert len(check(datasets, "phone")[0].records) == 5 + len(SUFFIXES)


def test_unreadable_files_are_left_out_and_counted_with_the_reason(datasets):
    write(datasets / "phone", **{f"query/0002_c1_{index}.HEIC": b"\0" for index in range(12)})
    write(datasets / "phone", **{f"bounding_box_test/{index}.txt": b"0 0.5 0.5" for index in range(3)})
    write(datasets / "phone", **{"query/0001_c1_2.jpg_original": jpeg(RGB), "query/0001_c1_3": saved(RGB, "PNG")})
    write(datasets / "phone", **{"query/0001_c1_4.dat": saved(RGB, "GIF"), "query/-1_c1_1.jpg": jpeg(RGB)})
    write(datasets / "phone", **{"query/more/0001_c1_9.jpg": jpeg(RGB), "query/more/0001_c1_9.heic": b"\0"})
    write(datasets / "phone", **{"query/.hidden.jpg": b"", "readme.txt": b"beside the folders, not beside the images"})
    dataset, result = check(datasets, "phone")
    advice = "(images: rename them to the suffix of their format)"
    assert result.left_out == {
        HEIC: 12, TEXT: 3, f"files without a usual suffix {advice}": 2, NESTED: 2,
        f".dat files {advice}": 1, UNLISTED: 1,
    }  # fmt: skip
    assert list(result.left_out.values()) == [12, 3, 2, 2, 1, 1]
    assert f"  left out: 12 {HEIC}\n  left out: 3 {TEXT}\n" in report(dataset, result)
    assert describe({HEIC: 1_200, TEXT: 3}) == f"1,200 {HEIC}, 3 {TEXT}"


def test_the_findings_have_the_files_that_were_left_out(datasets):
    write(datasets / "phone", **{"query/0002_c1_2.heic": b"\0"})
    local_datasets.save_local_dataset(datasets / "raw", *check(datasets, "phone"), images=datasets, trials="")
    assert json.loads((datasets / "raw/findings.json").read_text())["left_out"] == {HEIC: 1}


@pytest.mark.bad_input("folder of a data set")
def test_a_folder_without_an_image_that_is_read_says_what_it_holds(datasets):
    for path in (datasets / "phone/query").iterdir():
        path.rename(path.with_suffix(".heic")) if path.suffix in (".jpg", ".webp") else path.unlink()
    with pytest.raises(
        DatasetError, match="query has no images but 2 .heic files .not readable: save them as JPEG or PNG"
    ):
        check(datasets, "phone")
    for folder in ("bounding_box_train", "bounding_box_test"):
        for path in (datasets / "phone" / folder).iterdir():
            path.rename(path.with_suffix(".heic"))
    with pytest.raises(DatasetError, match="have no images but 1 .heic files"):
        check(datasets, "phone")


def test_images_that_a_list_does_not_name_are_counted_too(tmp_path):
    write(tmp_path, **{f"shop/{name}": jpeg(RGB) for name in ("a.jpg", "b.jpg", "c.jpg")})
    write(tmp_path, **{"shop/d.webp": saved(RGB, "WEBP"), "shop/below/e.jpg": jpeg(RGB), "elsewhere/f.jpg": jpeg(RGB)})
    (tmp_path / "shop.csv").write_text("path,pid,camid,domain\nshop/a.jpg,0,0,shop\nshop/b.jpg,0,1,shop\n")
    _, result = check(tmp_path, "shop")
    assert result.left_out == {UNLISTED: 1, ".webp images (those of the data set are .jpg)": 1, NESTED: 1}
    assert count_unused(tmp_path, ["shop/below/e.jpg", "shop/a.jpg", "shop/b.jpg", "shop/c.jpg", "shop/d.webp"]) == {}


def test_of_published_data_sets_junk_and_other_suffixes_are_counted(tmp_path):
    root = large_sets.market1501(tmp_path / "market1501" / "Market-1501-v15.09.15")
    write(root, **{"query/0001_c1s1_001051_00.webp": saved(RGB, "WEBP"), "query/0001_c1s1_001051_01.heic": b"\0"})
    dataset, result = check(tmp_path, "market1501")
    assert len(dataset.records) == 10
    assert result.left_out == {UNLISTED: 1, ".webp images (those of the data set are .jpg)": 1, HEIC: 1}


def test_names_with_a_time_in_them_share_one_kind(tmp_path):
    write(tmp_path, **{f"a/{index}.jpg": jpeg(RGB) for index in range(2)})
    write(tmp_path, **{f"a/log.2020-01-01 10.00.{index:06}": b"text" for index in range(50)})
    assert count_unused(tmp_path, ["a/0.jpg", "a/1.jpg"]) == {"files without a usual suffix (no images)": 50}


@pytest.mark.parametrize(
    ("name", "expected_counts", "problems", "words"),
    [
        ("market1501", {"all": (1, 1)}, (), "good"),
        ("market1501", {"all": (1, 2)}, ("all: found 1",), "FAILS"),
        ("personx", {}, (), "not checked: no published counts"),
        ("personx", {}, ("a.jpg cannot be read",), "FAILS"),
        ("personx", {"all": (1, 1)}, (), "good"),
        ("my_site", {}, (), "readable; custom data sets have no published counts to compare with"),
    ],
)
def test_only_a_set_that_was_compared_with_published_counts_is_called_good(
    tmp_path, name, expected_counts, problems, words
):
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    dataset = local_datasets.LocalDataset((), tmp_path, "official", expected_counts)
    result = check_images(name, tmp_path, (), {})
    assert verdict(dataset, DataCheck(name, {}, problems, (), "")) == words
    assert report(dataset, result).startswith(f"{name} in {Path(tmp_path)}: ")
