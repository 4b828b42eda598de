"""Tests of data sets in nested folders, as archives and copies create them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module

import large_sets
import matlab_files
import pytest
import small_sets

from metabin.data.readers import cuhk03, custom, file_listing, layout_search, market1501, personx, unrealperson, viper
from metabin.errors import DatasetError

BUILDERS = {
    "market1501": large_sets.market1501,
    "dukemtmcreid": large_sets.dukemtmcreid,
    "msmt17": lambda root: large_sets.msmt17(root, "V2"),
    "cuhk02": large_sets.cuhk02,
    "cuhk03": large_sets.cuhk03_np,
    "cuhk_sysu": large_sets.cuhk_sysu_torchreid,
    "viper": small_sets.viper,
    "prid2011": small_sets.prid2011,
    "grid": small_sets.grid,
    "ilids": small_sets.ilids,
    "randperson": small_sets.randperson,
    "clonedperson": small_sets.clonedperson,
    "unrealperson": small_sets.unrealperson,
    "personx": small_sets.personx,
}


def read(name, directory):
    """Return (path, pid, camid, part) of every record; "custom" reads a custom folder."""
    if name == "custom":
        records = custom.read(directory, "custom")
    else:
        arguments = {"acknowledged": True} if name == "dukemtmcreid" else {}
        records = import_module(f"metabin.data.readers.{name}").read(directory, **arguments)
    return [(record.path, record.pid, record.camid, record.part) for record in records]


@pytest.mark.parametrize("around", ["copy/copy", "__a/MSMT17_V2/MSMT17_V2", "a/b/c/d/e"])
@pytest.mark.parametrize("name", [*BUILDERS, "custom"])
def test_a_data_set_is_found_up_to_five_folders_deep_beside_what_macos_packs(tmp_path, name, around):
    build = BUILDERS.get(name, large_sets.market1501)
    expected = read(name, build(tmp_path / "plain"))
    build(tmp_path / "sets" / around)
    place = tmp_path / "sets"
    for folder in around.split("/"):
        large_sets.litter(place / "__MACOSX" / folder)
        (place / "readme.txt").write_text("")
        place = place / folder
    assert read(name, tmp_path / "sets") == [(f"{around}/{path}", *values) for path, *values in expected]


@pytest.mark.bad_input("folder of a data set")
def test_folders_below_the_fifth_level_are_not_searched(tmp_path):
    large_sets.market1501(tmp_path / "a/b/c/d/e/f")
    with pytest.raises(DatasetError, match="holds 'a'; expected bounding_box_train"):
        market1501.read(tmp_path)


@pytest.mark.bad_input("folder of a data set")
def test_two_copies_in_different_folders_are_named_and_refused(tmp_path):
    small_sets.viper(tmp_path / "a" / "VIPeR")
    small_sets.viper(tmp_path / "b" / "VIPeR")
    with pytest.raises(
        DatasetError, match=r"more than one copy: a/VIPeR \(cameras\), b/VIPeR \(cameras\); keep only one"
    ):
        viper.read(tmp_path)
    small_sets.viper(tmp_path / "VIPeR")
    assert viper.find_root(tmp_path)[0] == tmp_path / "VIPeR"  # the level above has precedence


@pytest.mark.bad_input("folder of a data set")
def test_a_damaged_copy_is_not_searched_for_a_part_that_looks_complete(tmp_path):
    root = small_sets.personx(tmp_path / "sets" / "PersonX_v1", ["1"])
    (root / "4").mkdir()
    with pytest.raises(DatasetError, match="4 of .*PersonX_v1 lack bounding_box_train"):
        personx.read(tmp_path / "sets")
    small_sets.personx(tmp_path / "sets" / "other" / "PersonX_v1")
    assert personx.find_root(tmp_path / "sets")[0] == tmp_path / "sets" / "other" / "PersonX_v1"


@pytest.mark.bad_input("folder of a data set")
def test_a_folder_with_very_many_entries_is_not_read_to_its_end(tmp_path, monkeypatch):
    wide = tmp_path / "a" / "holiday"
    wide.mkdir(parents=True)
    for index in range(500):
        (wide / f"{index}.txt").touch()
    small_sets.viper(wide / "VIPeR")
    num_read = 0

    @contextmanager
    def scan(folder):
        def entries():
            nonlocal num_read
            for entry in scan_folder:
                num_read += os.fspath(folder) == os.fspath(wide)
                yield entry

        with scandir(folder) as scan_folder:
            yield entries()

    scandir = os.scandir
    monkeypatch.setattr(file_listing.os, "scandir", scan)
    with pytest.raises(DatasetError, match="VIPeR: .* holds 'a'; expected cam_a and cam_b"):
        viper.read(tmp_path)
    assert 0 < num_read < 100


def test_a_folder_that_cannot_be_listed_is_skipped(tmp_path, monkeypatch):
    (tmp_path / "lost+found").mkdir()
    root = small_sets.viper(tmp_path / "sets" / "VIPeR")
    scandir = os.scandir

    def scan(folder):
        if folder == tmp_path / "lost+found":
            raise PermissionError("Permission denied")
        return scandir(folder)

    monkeypatch.setattr(file_listing.os, "scandir", scan)
    assert viper.find_root(tmp_path)[0] == root


def test_unrealperson_is_read_where_every_archive_was_unpacked_into_a_folder_of_its_name(tmp_path):
    expected = read("unrealperson", small_sets.unrealperson(tmp_path / "plain"))
    for version in ("unreal_v1.1", "unreal_v3.1", "unreal_v3.2"):
        (tmp_path / "sets" / version).mkdir(parents=True)
        (tmp_path / "plain" / version).rename(tmp_path / "sets" / version / version)
    assert unrealperson.find_root(tmp_path / "sets") == (tmp_path / "sets", "official")
    rows = read("unrealperson", tmp_path / "sets")
    assert [(path.partition("/")[2], *values) for path, *values in rows] == expected


def test_cuhk03s_split_is_found_anywhere_between_the_images_and_the_named_folder(tmp_path):
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03" / "pack" / "CUHK03")
    cuhk03.extract(root, root)
    for path in (*root.glob("*.mat"), *root.glob("*/*config*.mat")):
        path.rename(tmp_path / "cuhk03" / path.name)
    assert len(cuhk03.read(tmp_path / "cuhk03")) == 14


@pytest.mark.bad_input("folder of a data set")
def test_a_folder_with_files_of_file_managers_only_is_called_empty(tmp_path):
    large_sets.litter(tmp_path / "VIPeR" / "cam_a")
    assert layout_search.is_empty(tmp_path)
    with pytest.raises(DatasetError, match=r"VIPeR lacks cam_b"):
        viper.read(tmp_path)
    (tmp_path / "VIPeR" / "cam_a").rename(tmp_path / "VIPeR" / "other")
    with pytest.raises(DatasetError, match=r"holds 'VIPeR' \(empty\); expected cam_a and cam_b"):
        viper.read(tmp_path)
    (tmp_path / "VIPeR" / "notes").touch()
    assert not layout_search.is_empty(tmp_path)
