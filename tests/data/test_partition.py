import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metabin.data import catalogue, store
from metabin.data.acquisition.check import check_images
from metabin.data.batches import loading
from metabin.data.partition import roles
from metabin.data.partition.folds import leave_one_out
from metabin.errors import ConfigError, DatasetError
from metabin.types import Domain, DomainSplit, Fold, ImageRecord


def records(name, num_ids=5, num_cams=2):
    return tuple(
        ImageRecord(f"{pid:04d}_c{camid + 1}_1.jpg", pid, camid, name)
        for pid in range(1, num_ids + 1)
        for camid in range(num_cams)
    )


def domain(images):
    return Domain(tuple(images), Path("a"), "csv", "f")


def write_images(folder, name):
    folder.mkdir(parents=True)
    for index, record in enumerate(records(name)):
        Image.new("RGB", (8, 16), (index * 10, 0, 0)).save(folder / record.path, quality=95)


def save(directory, name, images, folder):
    return store.save_domain(directory, name, images, folder, height=16, width=8)


@pytest.fixture
def partitioned(tmp_path):
    """The folder of a partition of three domains."""
    names = ("a", "b", "c")
    domains = {}
    digests = {}
    for name in names:
        write_images(tmp_path / "raw" / name, name)
        domains[name] = catalogue.read(name, tmp_path / "raw" / name)
        digests[name] = save(tmp_path / "out", name, domains[name].records, domains[name].images)
    for fold in leave_one_out(names):
        splits = [
            roles.split_target(name, domains[name].records)
            if name in fold.targets
            else roles.split_source(name, domains[name].records, 2)
            for name in names
        ]
        store.save_manifest(tmp_path / "out", roles.manifest(fold, splits, domains, digests))
    return tmp_path / "out"


def test_a_folder_is_read_in_the_order_of_its_names_with_cameras_counted_from_zero(tmp_path):
    write_images(tmp_path / "a", "a")
    site = catalogue.read("a", tmp_path / "a")
    assert (site.records, site.images, site.layout) == (records("a"), tmp_path / "a", "rendered")


def test_the_fingerprint_of_a_domain_is_that_of_its_images(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, "a")
    first, second = (catalogue.read("a", tmp_path / name).fingerprint for name in ("a", "b"))
    assert first == second == check_images("a", tmp_path / "a", records("a"), {}).fingerprint
    (tmp_path / "b" / records("a")[0].path).write_bytes(b"another")
    assert catalogue.read("a", tmp_path / "b").fingerprint != first


def test_a_source_trains_on_its_first_identities_and_tests_on_the_others():
    split = roles.split_source("a", records("a"), 2)
    assert {record.pid for record in split.train} == {1, 2}
    assert {record.pid for record in split.query} == {record.pid for record in split.gallery} == {3, 4, 5}


def test_a_target_trains_nothing_and_tests_everything():
    split = roles.split_target("a", records("a"))
    assert (split.train, split.query, split.gallery) == ((), records("a"), records("a"))


def test_a_source_without_test_identities_is_refused():
    with pytest.raises(DatasetError, match="domain a has 5 identities; partition.num_train_ids = 4 .* at most 3"):
        roles.split_source("a", records("a"), 4)


def test_a_manifest_counts_every_part_and_names_its_rows(partitioned):
    manifest = store.load_manifest(partitioned, "b")
    assert (manifest["sources"], manifest["targets"]) == (["a", "c"], ["b"])
    source = manifest["domains"]["a"]
    target = manifest["domains"]["b"]
    assert source["counts"]["train"] == {"ids": 2, "images": 4, "cameras": 2}
    assert source["counts"]["query"] == {"ids": 3, "images": 6, "cameras": 2}
    assert target["counts"]["gallery"] == {"ids": 5, "images": 10, "cameras": 2}
    assert source["rows"]["query"] == [[4, 10]]
    assert store.part_rows(manifest, "a", "train").tolist() == [0, 1, 2, 3]
    assert store.part_rows(manifest, "b", "train").tolist() == []
    assert len(source["sha256"]) == 64


def test_rows_that_are_not_contiguous_stay_in_order():
    images = records("a")
    fold = Fold("a", ("b",), ("a",))
    split = DomainSplit("a", (), tuple(images[i] for i in (0, 1, 5, 2)), images)
    manifest = roles.manifest(fold, [split], {"a": domain(images)}, {"a": "x"})
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
    write_images(tmp_path / "a", "a")
    first = save(tmp_path / "one", "a", records("a"), tmp_path / "a")
    assert first == save(tmp_path / "two", "a", records("a"), tmp_path / "a")
    assert (tmp_path / "one/a.npy").read_bytes() == (tmp_path / "two/a.npy").read_bytes()
    array = (tmp_path / "one/a.npy").read_bytes()
    table = (tmp_path / "one/a.csv").read_bytes()
    assert first == hashlib.sha256(table + array).hexdigest()
    Image.new("RGB", (8, 16), (0, 99, 0)).save(tmp_path / "a" / "0003_c1_1.jpg")
    assert save(tmp_path / "three", "a", records("a"), tmp_path / "a") != first


@pytest.mark.bad_input("image")
def test_an_unreadable_image_is_named(tmp_path):
    write_images(tmp_path / "a", "a")
    bad = tmp_path / "a" / "0003_c1_1.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(DatasetError, match="0003_c1_1.jpg cannot be read as an image"):
        save(tmp_path / "out", "a", records("a"), tmp_path / "a")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.csv"]  # no partial array


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no space")
def test_the_space_of_all_pixels_is_reserved_before_the_first_one_is_written(tmp_path):
    """A sparse file would fill while mapped memory is written, where a full disk kills the process."""
    write_images(tmp_path / "a", "a")
    reserved = []

    def on_image(count):
        (partial,) = (tmp_path / "out").glob(".a.npy.*.partial")
        reserved.append(partial.stat().st_blocks * 512 - partial.stat().st_size)

    size = {"height": 1024, "width": 512}
    store.save_domain(tmp_path / "out", "a", records("a"), tmp_path / "a", **size, on_image=on_image)
    assert reserved[0] >= 0


def test_a_disk_without_room_for_the_pixels_is_an_error_and_the_earlier_array_stays(tmp_path, monkeypatch):
    write_images(tmp_path / "a", "a")
    save(tmp_path / "out", "a", records("a"), tmp_path / "a")
    before = (tmp_path / "out/a.npy").read_bytes()

    def fail(descriptor, offset, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)
    with pytest.raises(OSError, match=r"the disk is full: [\d,]+ bytes are needed, and [\d,]+ are free.*a.npy"):
        save(tmp_path / "out", "a", records("a"), tmp_path / "a")
    assert (tmp_path / "out/a.npy").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "a.npy"]


@pytest.mark.bad_input("file of a stage")
def test_missing_folders_files_manifests_and_odd_names_are_named_with_what_to_do(tmp_path, partitioned):
    with pytest.raises(DatasetError, match="no folder .*nowhere; run `dvc repro download@x` first"):
        catalogue.read("x", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no .jpg images in"):
        (tmp_path / "empty").mkdir()
        catalogue.read("x", tmp_path / "empty")
    (tmp_path / "empty" / "person.jpg").touch()
    with pytest.raises(DatasetError, match="person.jpg: expected a name like 0007_c2_1.jpg"):
        catalogue.read("x", tmp_path / "empty")
    with pytest.raises(DatasetError, match=r"folds/moon.json is missing; run `dvc repro partition`"):
        store.load_manifest(partitioned, "moon")
    (partitioned / "a.npy").unlink()
    with pytest.raises(DatasetError, match="a.npy is missing"):
        loading.load_part(partitioned, store.load_manifest(partitioned, "b"), ("a",), "train")


@pytest.mark.bad_input("file of a stage")
def test_unknown_domains_are_named_with_the_known_ones(tmp_path, make_config):
    data = make_config(data__folder=str(tmp_path)).data
    with pytest.raises(ConfigError, match="unknown domain moon; known are campus, station, mall, winter, night, plaza"):
        catalogue.is_rendered("moon", data)
    (tmp_path / "night.csv").touch()
    with pytest.raises(
        ConfigError, match="night is a site of the synthetic benchmark; give the data set in .* another name"
    ):
        catalogue.is_rendered("night", data)


def test_local_data_sets_are_listed_so_that_their_changes_are_noticed(tmp_path, make_config):
    (tmp_path / "shop.csv").touch()
    data = make_config(data__folder=str(tmp_path), data__local=["office"]).data
    with pytest.raises(ConfigError, match=r"does not list shop, grid: .* give -S 'data.local=\[office, shop, grid\]'"):
        catalogue.require_listed(["campus", "shop", "office", "grid"], data)
    catalogue.require_listed(["campus", "office"], data)


def test_manifests_are_plain_json_that_a_person_can_read(partitioned):
    text = (partitioned / "folds" / "b.json").read_text()
    assert json.loads(text)["fold"] == "b"
    assert text.count("\n") < 150


PARTS = (
    ImageRecord("t1.jpg", 1, 0, "a", "train"),
    ImageRecord("t2.jpg", 2, 1, "a", "train"),
    ImageRecord("q.jpg", 3, 0, "a", "query"),
    ImageRecord("g.jpg", 3, 1, "a", "gallery"),
    ImageRecord("x.jpg", 0, 1, "a", "gallery", True),
)


def test_an_official_split_trains_and_tests_as_the_data_set_says():
    source = roles.split_source("a", PARTS, "official")
    target = roles.split_target("a", PARTS)
    assert (source.train, source.query, source.gallery) == (PARTS[:2], PARTS[2:3], PARTS[3:])
    assert (target.train, target.query, target.gallery) == ((), PARTS[2:3], PARTS[3:])
    with pytest.raises(DatasetError, match="domain a has no official split"):
        roles.split_source("a", records("a"), "official")


def test_all_images_but_distractors_train_where_all_are_asked_for():
    split = roles.split_source("a", PARTS, "all")
    assert (split.train, split.query, split.gallery) == (PARTS[:4], (), ())


def test_a_distractor_is_in_the_gallery_and_never_a_query():
    unsplit = tuple(replace(record, part="") for record in PARTS)
    split = roles.split_target("a", unsplit)
    assert split.query == unsplit[:4]
    assert split.gallery == unsplit


def test_trials_are_tested_one_by_one(tmp_path):
    images = records("a", num_ids=4)
    trials = [(images[:2], images[2:4]), (images[4:5], images[5:8])]
    split = roles.split_target("a", images, trials)
    manifest = roles.manifest(Fold("a", ("b",), ("a",)), [split], {"a": domain(images)}, {"a": "x"})
    assert store.num_trials(manifest, "a") == 2
    assert store.part_rows(manifest, "a", "query", 1).tolist() == [4]
    assert store.part_rows(manifest, "a", "gallery", 0).tolist() == [2, 3]
    assert store.part_rows(manifest, "a", "query").tolist() == []


def test_parts_and_distractors_survive_on_disk(tmp_path):
    store.write_records(tmp_path / "a.csv", PARTS)
    assert store.load_records(tmp_path, "a") == PARTS
    store.write_records(tmp_path / "b.csv", records("b"))
    assert store.load_records(tmp_path, "b") == records("b")
    assert (tmp_path / "b.csv").read_text().startswith("path,pid,camid\n")
