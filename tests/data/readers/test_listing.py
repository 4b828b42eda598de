"""Tests of the readers' common parts: the search for the root, and messages about damage."""

from __future__ import annotations

import large_sets
import pytest

from metabin.data.readers import cuhk02, cuhk03, cuhk_sysu, dukemtmcreid, file_listing, market1501, msmt17
from metabin.errors import DatasetError

READERS = (market1501, dukemtmcreid, msmt17, cuhk02, cuhk03, cuhk_sysu)
by_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.NAME)


@pytest.mark.bad_input("folder of a data set")
@by_reader
def test_the_error_of_a_missing_folder_has_its_contents_and_where_to_get_them(tmp_path, reader):
    with pytest.raises(DatasetError, match="no folder .*nowhere; expected one with .*: copy it there. [A-Z]"):
        reader.find_root(tmp_path / "nowhere")


@pytest.mark.bad_input("folder of a data set")
@by_reader
def test_the_advice_for_an_archive_instead_of_the_folder_or_in_it_is_to_unpack_it(tmp_path, reader):
    (tmp_path / "set.zip").write_bytes(b"PK\3\4")
    with pytest.raises(DatasetError, match="set.zip is a file; expected a folder with .*: unpack it"):
        reader.find_root(tmp_path / "set.zip")
    with pytest.raises(DatasetError, match="holds 'set.zip'; expected .*: unpack 'set.zip' there"):
        reader.find_root(tmp_path)


@pytest.mark.bad_input("folder of a data set")
@by_reader
def test_the_error_of_an_empty_or_other_folder_lists_its_content(tmp_path, reader):
    with pytest.raises(DatasetError, match="holds nothing; expected "):
        reader.find_root(tmp_path)
    for index in range(10):
        (tmp_path / f"holiday_{index}").mkdir()
    with pytest.raises(
        DatasetError, match=r"holds 'holiday_0' \(empty\), .*'holiday_7' \(empty\) and 2 more; expected "
    ):
        reader.find_root(tmp_path)


COPIES = {
    market1501: large_sets.market1501,
    dukemtmcreid: large_sets.dukemtmcreid,
    msmt17: large_sets.msmt17_repack,
    cuhk02: large_sets.cuhk02,
    cuhk03: large_sets.cuhk03_np,
    cuhk_sysu: large_sets.cuhk_sysu_metabin,
}


@pytest.mark.bad_input("folder of a data set")
@by_reader
def test_two_copies_side_by_side_are_refused(tmp_path, reader):
    COPIES[reader](tmp_path / "copy")
    COPIES[reader](tmp_path / "original")
    with pytest.raises(DatasetError, match=r"more than one copy: copy \(.*\), original \(.*\); keep only one"):
        reader.find_root(tmp_path)


@pytest.mark.bad_input("folder of a data set")
@pytest.mark.parametrize("reader", [market1501, dukemtmcreid, msmt17], ids=lambda reader: reader.NAME)
def test_the_error_of_an_incomplete_folder_names_the_missing_part(tmp_path, reader):
    root = COPIES[reader](tmp_path / "set")
    for path in (root / "query").iterdir():
        path.unlink()
    arguments = {"acknowledged": True} if reader is dukemtmcreid else {}
    with pytest.raises(DatasetError, match="query has no images; expected names like .*: copy the data set again"):
        reader.read(root, **arguments)
    (root / "query").rmdir()
    with pytest.raises(DatasetError, match="set lacks query; expected .*bounding_box_train.*: copy all of it again"):
        reader.read(tmp_path, **arguments)
    large_sets.litter(root / "query")
    for folder in ("bounding_box_train", "bounding_box_test"):
        for path in (root / folder).iterdir():
            path.unlink()
    with pytest.raises(DatasetError, match="bounding_box_test of .*set have no images; remove .*set and copy"):
        reader.read(root, **arguments)


@pytest.mark.bad_input("folder of a data set")
def test_another_data_set_is_recognised_by_its_names(tmp_path):
    large_sets.dukemtmcreid(tmp_path / "set")
    with pytest.raises(
        DatasetError, match="2 of 2 images do not belong .*'0001_c2_f0046182.jpg', .*expected Market-1501"
    ):
        market1501.read(tmp_path)


def test_images_are_sorted_and_hidden_files_folders_and_other_kinds_are_left_out(tmp_path):
    large_sets.write_images(tmp_path, "b.JPG a.png c.jpeg")
    large_sets.litter(tmp_path)
    (tmp_path / "folder.jpg").mkdir()
    assert file_listing.image_files(tmp_path) == ["a.png", "b.JPG", "c.jpeg"]
    assert file_listing.image_files(tmp_path, (".png",)) == ["a.png"]
    assert file_listing.subfolders(tmp_path) == ["folder.jpg"]


def test_the_macosx_folder_of_an_archive_is_no_second_copy(tmp_path):
    root = large_sets.cuhk02(tmp_path / "cuhk02")
    for pair in cuhk02.PAIRS:
        for camera in cuhk02.CAMERAS:
            large_sets.litter(tmp_path / "__MACOSX" / pair / camera)
    assert cuhk02.find_root(tmp_path) == (root, "flat")


def test_odd_characters_in_names_are_escaped_in_messages():
    assert file_listing.first_names(["a\n.jpg", "b\udcff.jpg", "c\u0660.jpg", "d.jpg"]) == (
        r"'a\n.jpg', 'b\udcff.jpg', 'c\u0660.jpg', ..."
    )


@by_reader
def test_the_counts_of_every_reader_add_up(reader):
    tables = reader.COUNTS.values() if reader is cuhk03 else [reader.COUNTS]
    for table in tables:
        parts = [table[part] for part in ("train", "query", "gallery") if part in table]
        images = sum(images for _, images in parts) - table.get("distractor", (0, 0))[1]
        assert not parts or images == table["all"][1]
    assert reader.__name__.rsplit(".", 1)[1] == reader.NAME


def test_the_sources_of_the_papers_protocol_add_up_to_its_totals():
    tables = [market1501.COUNTS, dukemtmcreid.COUNTS, cuhk02.COUNTS, cuhk03.COUNTS["np-detected"], cuhk_sysu.COUNTS]
    assert sum(table["all"][0] for table in tables) == 18_530
    assert sum(table["all"][1] for table in tables) == 121_765
