"""Data sets are obtained in unusual cases: empty folders, files in the way, archives in archives."""

import shutil
import zipfile

import large_sets
import matlab_files
import pytest
import small_sets
from test_obtain import Terminal, expected, pack, packed, people, read, site, terminal

from metabin.data.acquisition import obtain
from metabin.data.readers import cuhk02, cuhk03, msmt17, viper
from metabin.errors import DatasetError

FETCHED = ["market1501", "viper", "grid", "ilids", "randperson", "clonedperson", "personx"]
__all__ = ["Terminal", "site", "terminal"]  # fixtures

EMPTY = {  # the folders that a broken download or unpacking leaves
    "market1501": "Market-1501-v15.09.15/query Market-1501-v15.09.15/bounding_box_train",
    "viper": "VIPeR/cam_a VIPeR/cam_b",
    "grid": "underground_reid/probe",
    "ilids": "i-LIDS_Pedestrian/Persons",
    "randperson": "randperson_subset",
    "clonedperson": "clonedperson/train clonedperson/test/query",
    "personx": "PersonX_v1/1/query PersonX_v1/2",
}


def make_empty(directory, name):
    for folder in EMPTY[name].split():
        (directory / folder).mkdir(parents=True)
    (directory / EMPTY[name].split()[0] / "Thumbs.db").write_bytes(b"")
    (directory / ".DS_Store").write_bytes(b"")
    (directory / "desktop.ini").write_bytes(b"")


@pytest.mark.parametrize("name", FETCHED)
def test_folders_without_files_are_no_data_set_and_the_set_is_fetched(tmp_path, terminal, site, name):
    site.content = packed(tmp_path, name, tmp_path / "served.zip").read_bytes()
    make_empty(tmp_path / "sets" / name, name)
    with pytest.raises(DatasetError):
        read(name, tmp_path / "sets")
    terminal.obtain(name, tmp_path / "sets")
    assert people(read(name, tmp_path / "sets")) == expected(tmp_path, name)


def test_folders_without_files_do_not_keep_an_archive_from_being_unpacked(tmp_path, terminal):
    for pair in cuhk02.PAIRS:
        for camera in cuhk02.CAMERAS:
            (tmp_path / "sets" / "cuhk02" / "Dataset" / pair / camera).mkdir(parents=True)
    packed(tmp_path, "cuhk02", tmp_path / "sets" / "cuhk02" / "Dataset.zip")
    terminal.obtain("cuhk02", tmp_path / "sets")
    assert people(read("cuhk02", tmp_path / "sets")) == expected(tmp_path, "cuhk02")


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("obstacle", ["notes.txt", "archive.zip.crdownload", "folder/notes.txt", "link"])
def test_a_command_does_not_advise_to_run_itself(tmp_path, terminal, site, name, obstacle):
    directory = tmp_path / "sets" / name
    if obstacle == "link":
        (tmp_path / "elsewhere").mkdir()
        directory.mkdir(parents=True)
        (directory / "link").symlink_to(tmp_path / "elsewhere")
    else:
        (directory / obstacle).parent.mkdir(parents=True)
        (directory / obstacle).write_text("")
    terminal.obtain(name, tmp_path / "sets")
    assert site.requests == []
    first = obstacle.split("/")[0]
    message = f"holds '{first}'.*into a folder without files: first move '{first}' to another"
    with pytest.raises(DatasetError, match=message):
        read(name, tmp_path / "sets")


@pytest.mark.parametrize("name", FETCHED)
def test_without_anything_in_the_way_the_advice_is_the_command(tmp_path, name):
    make_empty(tmp_path / name, name)
    shutil.rmtree(tmp_path / name / EMPTY[name].split("/")[0].split()[0])
    for name_of_file in (".set.zip4f.part", "set.zip.sha256"):
        (tmp_path / name / name_of_file).write_text("")
    with pytest.raises(DatasetError, match=f"Get it with `python -m stages.download --domain {name}`") as error:
        read(name, tmp_path)
    assert "to another place" not in str(error.value)


@pytest.mark.parametrize("around", ["", "copy"])
@pytest.mark.parametrize("inner", ["VIPeR.zip", "VIPeR.v1.0.tar.gz", "pack/VIPeR.zip"])
def test_an_archive_in_an_archive_is_unpacked_too(tmp_path, terminal, around, inner):
    packed(tmp_path, "viper", tmp_path / "outer" / inner, around)
    (tmp_path / "outer" / "readme.txt").write_text("")
    outer = pack(tmp_path / "outer", tmp_path / "sets" / "viper" / "from_drive.zip")
    content = outer.read_bytes()
    terminal.obtain("viper", tmp_path / "sets")
    assert people(viper.read(tmp_path / "sets" / "viper")) == expected(tmp_path, "viper")
    assert outer.read_bytes() == content
    assert sorted(path.name for path in outer.parent.iterdir()) == ["VIPeR", "from_drive.zip"]
    size = list(terminal.bars.values())
    assert [done for done, _, _ in size] == [total for _, total, _ in size]
    assert len(size) == 2


def test_parts_that_come_as_archives_in_several_archives_become_one_data_set(tmp_path, terminal):
    tree = small_sets.unrealperson(tmp_path / "tree")
    for number, parts in enumerate((["unreal_v1.1", "unreal_v3.1"], ["unreal_v3.2"]), 1):
        for part in parts:
            (tmp_path / part).mkdir()
            (tree / part).rename(tmp_path / part / part)
            pack(tmp_path / part, tmp_path / f"outer{number}" / "unreal" / f"{part}.zip")
        pack(tmp_path / f"outer{number}", tmp_path / "sets" / "unrealperson" / f"unreal-00{number}.zip")
    terminal.obtain("unrealperson", tmp_path / "sets")
    assert people(read("unrealperson", tmp_path / "sets")) == expected(tmp_path, "unrealperson")


@pytest.mark.bad_input("archive")
def test_archives_in_an_archive_share_its_limit_and_are_not_unpacked_forever(tmp_path, terminal, monkeypatch):
    monkeypatch.setattr(obtain, "MIN_LIMIT", 200_000)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "zeros").write_bytes(bytes(300_000))
    bomb = tmp_path / "outer" / "bomb.zip"
    bomb.parent.mkdir()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(tmp_path / "inner" / "zeros", "zeros")
    pack(tmp_path / "outer", tmp_path / "viper" / "set.zip")
    with pytest.raises(DatasetError, match="bomb.zip unpacks to more than 200,000 bytes"):
        terminal.obtain("viper", tmp_path)
    (tmp_path / "viper" / "set.zip").unlink()
    small_sets.viper(tmp_path / "level0" / "VIPeR")
    for depth in range(obtain.MAX_NESTED + 1):
        pack(tmp_path / f"level{depth}", tmp_path / f"level{depth + 1}" / "again.zip")
    pack(tmp_path / f"level{depth + 1}", tmp_path / "viper" / "set.zip")
    with pytest.raises(DatasetError, match="VIPeR: .*set.zip holds 'again'; expected cam_a and cam_b"):
        terminal.obtain("viper", tmp_path)
    assert [path.name for path in (tmp_path / "viper").iterdir()] == ["set.zip"]


@pytest.mark.parametrize("name", ["msmt17.zip", "my download.tar.gz"])
@pytest.mark.parametrize("around", ["", "MSMT17_V2/MSMT17_V2", "what/ever/deep"])
def test_an_archive_may_have_another_name_and_outer_folders(tmp_path, terminal, name, around):
    large_sets.msmt17(tmp_path / "tree" / around / "MSMT17", "V2")
    large_sets.litter(tmp_path / "tree" / "__MACOSX" / "MSMT17")
    pack(tmp_path / "tree", tmp_path / "sets" / "msmt17" / name)
    terminal.obtain("msmt17", tmp_path / "sets")
    assert msmt17.find_root(tmp_path / "sets" / "msmt17") == (tmp_path / "sets" / "msmt17" / "MSMT17", "V2")


def test_cuhk03_is_extracted_from_its_archive_with_the_split_beside_that(tmp_path, terminal):
    root = matlab_files.cuhk03_raw(tmp_path / "cuhk03")
    (tmp_path / "tree").mkdir()
    (root / "cuhk03_release").rename(tmp_path / "tree" / "cuhk03_release")
    pack(tmp_path / "tree", root / "cuhk03_release.zip")
    (root / "images_detected").mkdir()
    terminal.obtain("cuhk03", tmp_path)
    assert len(cuhk03.read(root)) == 14


@pytest.mark.bad_input("archive")
def test_a_damaged_archive_is_to_be_removed_before_it_is_fetched_again(tmp_path, terminal, site):
    site.content = packed(tmp_path, "viper", tmp_path / "served.zip").read_bytes()[:-40]
    for num_requests in (1, 1):  # the second time the first archive is there
        with pytest.raises(DatasetError, match="cannot be unpacked .* Remove it and get it again"):
            terminal.obtain("viper", tmp_path / "sets")
        assert len(site.requests) == num_requests
