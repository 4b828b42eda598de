import json

import numpy as np
import pytest
from PIL import Image

from metabin.data import catalogue, loading, partition, store
from metabin.errors import DatasetError
from metabin.protocol.folds import leave_one_out
from metabin.types import Fold, ImageRecord


def records(name, num_ids=5, num_cams=2):
    return tuple(
        ImageRecord(f"{pid:04d}_c{camid + 1}_1.jpg", pid, camid, name)
        for pid in range(1, num_ids + 1)
        for camid in range(num_cams)
    )


def write_images(folder, name):
    folder.mkdir(parents=True)
    for index, record in enumerate(records(name)):
        Image.new("RGB", (8, 16), (index * 10, 0, 0)).save(folder / record.path, quality=95)


@pytest.fixture
def partitioned(tmp_path):
    """Three domains on disk, partitioned; returns the folder and its folds."""
    names, found, digests = ("a", "b", "c"), {}, {}
    for name in names:
        write_images(tmp_path / "raw" / name, name)
        found[name] = catalogue.read(name, tmp_path / "raw" / name)
        pixels = store.decode(found[name], tmp_path / "raw" / name, 16, 8)
        digests[name] = store.save_domain(tmp_path / "out", name, found[name], pixels)
    for fold in leave_one_out(names):
        splits = [
            partition.split_target(name, found[name])
            if name in fold.targets
            else partition.split_source(name, found[name], 2)
            for name in names
        ]
        store.save_manifest(tmp_path / "out", partition.manifest(fold, splits, found, digests))
    return tmp_path / "out"


def test_a_folder_is_read_in_the_order_of_its_names_with_cameras_counted_from_zero(tmp_path):
    write_images(tmp_path / "a", "a")
    assert catalogue.read("a", tmp_path / "a") == records("a")


def test_a_source_trains_on_its_first_identities_and_tests_on_the_others():
    split = partition.split_source("a", records("a"), 2)
    assert {record.pid for record in split.train} == {1, 2}
    assert {record.pid for record in split.query} == {record.pid for record in split.gallery} == {3, 4, 5}


def test_a_target_trains_nothing_and_tests_everything():
    split = partition.split_target("a", records("a"))
    assert (split.train, split.query, split.gallery) == ((), records("a"), records("a"))


def test_a_source_without_test_identities_is_refused():
    with pytest.raises(DatasetError, match="domain a has 5 identities; partition.num_train_ids = 4 .* at most 3"):
        partition.split_source("a", records("a"), 4)


def test_a_manifest_counts_every_part_and_names_its_rows(partitioned):
    manifest = store.load_manifest(partitioned, "b")
    assert (manifest["sources"], manifest["targets"]) == (["a", "c"], ["b"])
    source, target = manifest["domains"]["a"], manifest["domains"]["b"]
    assert source["counts"]["train"] == {"ids": 2, "images": 4, "cameras": 2}
    assert source["counts"]["query"] == {"ids": 3, "images": 6, "cameras": 2}
    assert target["counts"]["gallery"] == {"ids": 5, "images": 10, "cameras": 2}
    assert source["rows"]["query"] == [[4, 10]]
    assert store.part_rows(manifest, "a", "train").tolist() == [0, 1, 2, 3]
    assert store.part_rows(manifest, "b", "train").tolist() == []
    assert len(source["sha256"]) == 64


def test_rows_that_are_not_in_one_piece_are_kept_in_order():
    found = records("a")
    fold = Fold("a", ("b",), ("a",))
    split = partition.DomainSplit("a", (), tuple(found[i] for i in (0, 1, 5, 2)), found)
    manifest = partition.manifest(fold, [split], {"a": found}, {"a": "x"})
    assert manifest["domains"]["a"]["rows"]["query"] == [[0, 2], [5, 6], [2, 3]]
    assert store.part_rows(manifest, "a", "query").tolist() == [0, 1, 5, 2]


def test_labels_count_the_identities_of_all_sources_and_pixels_are_those_of_the_images(partitioned):
    manifest = store.load_manifest(partitioned, "b")
    data = loading.load_part(partitioned, manifest, ("a", "c"), "train")
    assert (len(data), data.num_classes) == (8, 4)
    assert data.label.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert data.domain.tolist() == [0] * 4 + [1] * 4
    assert data.pid.tolist() == [1, 1, 2, 2] * 2
    red = data.images(np.array([0, 3, 7]))[:, 8, 4, 0]
    np.testing.assert_allclose(red, [0, 30, 30], atol=6)


def test_equal_images_give_equal_files_and_another_pixel_another_digest(tmp_path):
    pixels = np.zeros((10, 4, 2, 3), np.uint8)
    first = store.save_domain(tmp_path / "one", "a", records("a"), pixels)
    assert first == store.save_domain(tmp_path / "two", "a", records("a"), pixels)
    assert (tmp_path / "one/a.npy").read_bytes() == (tmp_path / "two/a.npy").read_bytes()
    pixels[3, 1, 1, 2] = 1
    assert store.save_domain(tmp_path / "three", "a", records("a"), pixels) != first


def test_an_unreadable_image_is_named(tmp_path):
    write_images(tmp_path / "a", "a")
    bad = tmp_path / "a" / "0003_c1_1.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(DatasetError, match="0003_c1_1.jpg cannot be read as an image"):
        store.decode(records("a"), tmp_path / "a", 16, 8)


def test_missing_folders_files_manifests_and_odd_names_are_named_with_what_to_do(tmp_path, partitioned):
    with pytest.raises(DatasetError, match="no folder .*nowhere; run `dvc repro download@x` first"):
        catalogue.read("x", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no .jpg images in"):
        (tmp_path / "empty").mkdir()
        catalogue.read("x", tmp_path / "empty")
    (tmp_path / "empty" / "person.jpg").touch()
    with pytest.raises(DatasetError, match="person.jpg: the name should look like 0007_c2_1.jpg"):
        catalogue.read("x", tmp_path / "empty")
    with pytest.raises(DatasetError, match=r"folds/moon.json is missing; run `dvc repro partition`"):
        store.load_manifest(partitioned, "moon")
    (partitioned / "a.npy").unlink()
    with pytest.raises(DatasetError, match="a.npy is missing"):
        loading.load_part(partitioned, store.load_manifest(partitioned, "b"), ("a",), "train")


def test_unknown_domains_are_named_with_the_known_ones():
    with pytest.raises(
        DatasetError, match="unknown domain moon; known are campus, station, mall, winter, night, plaza"
    ):
        catalogue.check_domains(["campus", "moon"])


def test_manifests_are_plain_json_that_a_person_can_read(partitioned):
    text = (partitioned / "folds" / "b.json").read_text()
    assert json.loads(text)["fold"] == "b"
    assert text.count("\n") < 150
