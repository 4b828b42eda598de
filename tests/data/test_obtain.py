"""Data sets are obtained: fetched from a web server on this machine, unpacked from an archive, extracted."""

import shutil
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import large_sets
import matlab_files
import pytest
import small_sets
from archive_server import Site, serving

from metabin.data.acquisition.local_datasets import READERS, WITHDRAWN
from metabin.data.acquisition.obtain import obtain
from metabin.data.readers import grid, viper
from metabin.errors import DatasetError
from stages import download, local_data

PEOPLE = [("p1", [("s1.jpg", [8, 8, 1, 1], 0)])]
TREES = {  # folder of each data set in its owners' archive, and its content
    "market1501": ("Market-1501-v15.09.15", large_sets.market1501),
    "msmt17": ("MSMT17_V1", lambda root: large_sets.msmt17(root, "V1")),
    "cuhk02": ("Dataset", large_sets.cuhk02),
    "cuhk03": ("cuhk03-np", large_sets.cuhk03_np),
    "cuhk_sysu": ("cuhk_sysu", large_sets.cuhk_sysu_torchreid),
    "viper": ("VIPeR", small_sets.viper),
    "prid2011": ("prid_2011", small_sets.prid2011),
    "grid": ("underground_reid", small_sets.grid),
    "ilids": ("i-LIDS_Pedestrian", small_sets.ilids),
    "randperson": ("randperson_subset/randperson_subset", small_sets.randperson),
    "clonedperson": ("clonedperson", small_sets.clonedperson),
    "unrealperson": ("unreal", small_sets.unrealperson),
    "personx": ("PersonX_v1", small_sets.personx),
}


class Terminal:
    """Output for the user: lines, and bars with their progress, total and unit."""

    def __init__(self):
        self.lines = []
        self.bars = {}

    @contextmanager
    def progress(self, title, total, unit):
        self.bars[title] = [0, total, unit]

        def advance(count):
            self.bars[title][0] += count

        yield advance

    def obtain(self, name, folder):
        obtain(name, folder, self.progress, self.lines.append)


@pytest.fixture
def terminal():
    return Terminal()


@pytest.fixture
def site(monkeypatch):
    """A server that replaces the one of every reader's archive; the test sets its content."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Site(b"")) as server:
        for name in READERS:
            reader = import_module(f"metabin.data.readers.{name}")
            if hasattr(reader, "ARCHIVE"):
                monkeypatch.setattr(reader, "ARCHIVE", replace(reader.ARCHIVE, url=server.url, checksum=""))
        yield server


def pack(tree, archive):
    """Everything in a folder as a zip or a tar.gz."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in files:
                file.write(path, path.relative_to(tree))
    else:
        with tarfile.open(archive, "w:gz") as file:
            for path in files:
                file.add(path, path.relative_to(tree))
    return archive


def packed(folder, name, archive, around=""):
    """The data set `name` as an archive, in the folder that its owners put it in, or `around` that."""
    top, build = TREES[name]
    build(folder / "tree" / around / top)
    pack(folder / "tree", archive)
    shutil.rmtree(folder / "tree")
    return archive


def read(name, folder):
    return import_module(f"metabin.data.readers.{name}").read(folder / name)


def people(records):
    return sorted((record.path.split("/")[-1], record.pid, record.camid, record.part) for record in records)


def expected(folder, name):
    """Return the images that the reader finds without any archive."""
    _, build = TREES[name]
    build(folder / "expected" / name)
    return people(read(name, folder / "expected"))


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("place", ["{name}/original.zip", "{name}/original.tar.gz", "{name}.zip", "{name}.tar.gz"])
def test_an_archive_of_the_user_is_unpacked_and_stays(tmp_path, terminal, name, place):
    archive = packed(tmp_path, name, tmp_path / "sets" / place.format(name=name))
    content = archive.read_bytes()
    terminal.obtain(name, tmp_path / "sets")
    assert people(read(name, tmp_path / "sets")) == expected(tmp_path, name)
    assert archive.read_bytes() == content
    assert terminal.bars == {f"unpack {archive.name}": [len(content), len(content), "byte"]}
    assert terminal.lines == []
    visible = [path.name for path in (tmp_path / "sets" / name).iterdir() if not path.name.startswith(".")]
    assert len(visible) == (2 if archive.parent.name == name else 1)


@pytest.mark.parametrize("name", ["market1501", "viper", "grid", "ilids", "randperson", "clonedperson", "personx"])
def test_a_set_without_a_form_is_fetched_once_with_its_licence(tmp_path, terminal, site, name):
    site.content = packed(tmp_path, name, tmp_path / "served.zip").read_bytes()
    archive = import_module(f"metabin.data.readers.{name}").ARCHIVE
    terminal.obtain(name, tmp_path / "sets")
    assert people(read(name, tmp_path / "sets")) == expected(tmp_path, name)
    fetching, checksum = terminal.lines
    assert fetching == f"fetching {archive.file} from {site.url}; licence: {archive.licence}"
    assert checksum.endswith(f"{archive.file}.sha256, to compare later ones with")
    assert not (tmp_path / "sets" / name / archive.file).exists()
    size = len(site.content)
    assert terminal.bars == {f"{step} {archive.file}": [size, size, "byte"] for step in ("fetch", "unpack")}
    terminal.obtain(name, tmp_path / "sets")
    assert len(site.requests) == 1


def test_a_set_that_was_deleted_is_fetched_again_and_compared_with_the_first(tmp_path, terminal, site):
    site.content = packed(tmp_path, "grid", tmp_path / "served.zip").read_bytes()
    terminal.obtain("grid", tmp_path)
    for _ in range(2):
        shutil.rmtree(tmp_path / "grid" / "underground_reid")
        terminal.obtain("grid", tmp_path)
    assert len(site.requests) == 3
    shutil.rmtree(tmp_path / "grid" / "underground_reid")
    site.content = packed(tmp_path, "grid", tmp_path / "served.zip", around="other").read_bytes()
    with pytest.raises(DatasetError, match="of an earlier download"):
        terminal.obtain("grid", tmp_path)


def snapshot(folder):
    return sorted((path, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*"))


@pytest.mark.parametrize("damage", ["nothing", "a camera", "every image", "the names"])
def test_an_existing_data_set_is_never_touched_complete_or_damaged(tmp_path, terminal, site, damage):
    root = small_sets.viper(tmp_path / "viper" / "VIPeR")
    packed(tmp_path, "viper", tmp_path / "viper" / "VIPeR.v1.0.zip")
    if damage == "a camera":
        shutil.rmtree(root / "cam_b")
    for path in root.rglob("*.bmp"):
        if damage == "every image":
            path.unlink()
        elif damage == "the names":
            path.rename(path.with_stem("image"))
    before = snapshot(tmp_path)
    terminal.obtain("viper", tmp_path)
    assert snapshot(tmp_path) == before
    assert site.requests == []


@pytest.mark.parametrize("name", ["notes.txt", "VIPeR.7z", "cam_a.rar", "000_45.bmp"])
def test_a_file_of_the_user_in_the_folder_prevents_a_download(tmp_path, terminal, site, name):
    (tmp_path / "viper").mkdir()
    (tmp_path / "viper" / name).write_bytes(b"text")
    terminal.obtain("viper", tmp_path)
    assert (site.requests, terminal.lines) == ([], [])


@pytest.mark.parametrize("name", ["msmt17", "cuhk02", "cuhk03", "cuhk_sysu", "prid2011", "unrealperson", "my_site"])
def test_a_set_that_needs_consent_is_not_fetched_and_leaves_no_folder(tmp_path, terminal, site, name):
    terminal.obtain(name, tmp_path / "sets")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WITHDRAWN)
def test_a_withdrawn_set_is_neither_fetched_nor_unpacked(tmp_path, terminal, site, name):
    large_sets.dukemtmcreid(tmp_path / "tree" / "DukeMTMC-reID")
    pack(tmp_path / "tree", tmp_path / "sets" / name / "duke.zip")
    terminal.obtain(name, tmp_path / "sets")
    assert [path.name for path in (tmp_path / "sets" / name).iterdir()] == ["duke.zip"]


@pytest.mark.parametrize("around", ["", "{part}", "unreal/{part}"])
def test_several_archives_become_one_data_set_and_only_together(tmp_path, terminal, around):
    tree = small_sets.unrealperson(tmp_path / "tree")
    for part in list(tree.iterdir()):
        part.rename(tmp_path / "images")
        (tmp_path / part.name / around.format(part=part.name)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images").rename(tmp_path / part.name / around.format(part=part.name))
        pack(tmp_path / part.name, tmp_path / "unrealperson" / f"{part.name}.zip")
    damaged = tmp_path / "unrealperson" / "unreal_v3.2.zip"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-9])
    with pytest.raises(DatasetError, match="unreal_v3.2.zip cannot be unpacked"):
        terminal.obtain("unrealperson", tmp_path)
    assert all(path.suffix == ".zip" for path in (tmp_path / "unrealperson").iterdir())
    damaged.write_bytes(content)
    terminal.obtain("unrealperson", tmp_path)
    assert people(read("unrealperson", tmp_path)) == expected(tmp_path, "unrealperson")


@pytest.mark.bad_input("archive")
def test_two_archives_of_the_same_are_not_chosen_between(tmp_path, terminal):
    packed(tmp_path, "viper", tmp_path / "viper" / "set.zip")
    packed(tmp_path, "viper", tmp_path / "viper" / "set (1).zip")
    with pytest.raises(
        DatasetError, match=r"has 'set \(1\).zip', 'set.zip', which hold the same data; remove one of them"
    ):
        terminal.obtain("viper", tmp_path)
    assert sorted(path.name for path in (tmp_path / "viper").iterdir()) == ["set (1).zip", "set.zip"]


@pytest.mark.bad_input("archive")
def test_an_archive_of_something_else_is_refused_and_leaves_nothing(tmp_path, terminal):
    archive = packed(tmp_path, "grid", tmp_path / "viper" / "set.zip")
    for _ in range(2):
        with pytest.raises(
            DatasetError, match="VIPeR: .*set.zip holds 'underground_reid'; expected cam_a and cam_b .*"
        ):
            terminal.obtain("viper", tmp_path)
        assert list((tmp_path / "viper").iterdir()) == [archive]


@pytest.mark.bad_input("archive")
def test_a_damaged_archive_is_named_and_leftovers_of_a_killed_process_are_not_used(tmp_path, terminal):
    archive = packed(tmp_path, "viper", tmp_path / "viper" / "set.zip")
    for leftover in (".set.zip.unpacked/set", ".set.zip.unpacked/.set.unfinished"):
        small_sets.viper(tmp_path / "viper" / leftover / "VIPeR")
        (tmp_path / "viper" / leftover / "VIPeR" / "cam_a" / "000_45.bmp").unlink()
    content = archive.read_bytes()
    archive.write_bytes(content[:-30])
    with pytest.raises(DatasetError, match="set.zip cannot be unpacked"):
        terminal.obtain("viper", tmp_path)
    assert list((tmp_path / "viper").iterdir()) == [archive]
    archive.write_bytes(content)
    terminal.obtain("viper", tmp_path)
    assert len(viper.read(tmp_path / "viper")) == 8


@pytest.mark.parametrize("is_packed", [False, True])
def test_raw_data_become_images_once(tmp_path, terminal, is_packed):
    roots = {
        "cuhk03": matlab_files.cuhk03_raw(tmp_path / "cuhk03" / "CUHK03"),
        "cuhk_sysu": matlab_files.cuhk_sysu_raw(tmp_path / "cuhk_sysu" / "CUHK-SYSU", PEOPLE),
    }
    for name, root in roots.items():
        if is_packed:
            pack(root.parent, tmp_path / f"{name}.zip")
            shutil.rmtree(root.parent)
        else:
            with pytest.raises(DatasetError, match=f"`python -m stages.download --domain {name}` writes them"):
                read(name, tmp_path)
        terminal.obtain(name, tmp_path)
    assert len(read("cuhk03", tmp_path)) == 14
    assert len(read("cuhk_sysu", tmp_path)) == 1
    assert terminal.bars["extract cuhk03"] == [14 + 13, 28_193, "image"]
    assert terminal.bars["extract cuhk_sysu"] == [1, 34_574, "image"]
    before = snapshot(tmp_path)
    again = Terminal()
    for name in roots:
        again.obtain(name, tmp_path)
    assert (snapshot(tmp_path), again.bars) == (before, {})


def test_a_folder_that_cannot_be_written_is_named(tmp_path, terminal, site):
    (tmp_path / "sets").write_bytes(b"")
    with pytest.raises(DatasetError, match="sets/grid cannot be written"):
        terminal.obtain("grid", tmp_path / "sets")


def test_the_download_stage_obtains_and_the_check_only_reads(tmp_path, site, make_config, capsys):
    site.content = packed(tmp_path, "grid", tmp_path / "served.zip").read_bytes()
    config = make_config(
        protocol__domains=["grid"],
        protocol__sources=["campus", "night"],
        data__folder=str(tmp_path / "sets"),
        data__accept_unfit=["grid"],
    )
    with pytest.raises(DatasetError, match="Get it with `python -m stages.download --domain grid`"):
        local_data.find_local_dataset(config, "grid")
    assert (site.requests, (tmp_path / "sets").exists()) == ([], False)
    download.obtain_local(config, "grid")
    assert f"grid: fetching underground_reid.zip from {site.url}; licence: research only\n" in capsys.readouterr().out
    assert len(grid.read(tmp_path / "sets" / "grid")) == 11
