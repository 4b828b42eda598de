"""Tests of custom data sets: a CSV file or a folder as a domain."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
import small_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from metabin.data.readers import custom
from metabin.errors import DatasetError
from metabin.types import ImageRecord


@pytest.fixture
def listed(tmp_path):
    """Return a function that writes a CSV file and returns its path.

    The images a/1.jpg, a/2.jpg, a/3.png and b 4.jpg are beside the file.
    """
    small_sets.write_images(tmp_path / "a", "1.jpg 2.jpg 3.png")
    (tmp_path / "b 4.jpg").write_bytes(small_sets.image_bytes(".jpg"))

    def write(*lines):
        path = tmp_path / "images.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def rows(records):
    """Return (path, pid, camid, part) of every record."""
    return [(record.path, record.pid, record.camid, record.part) for record in records]


def test_a_list_with_a_split_is_read_unchanged(listed):
    file = listed(
        "\ufeffsplit,path,domain,pid,camid",  # Excel puts a mark in front
        "query,a/2.jpg,shop,7,3",
        'gallery,"b 4.jpg",shop,7, 12',
        "",
        "train,a/1.jpg,shop,0,0",
        "train,a/3.png,street,1,1",
    )
    assert custom.read(file, "shop") == (
        ImageRecord("a/1.jpg", 0, 0, "shop", "train"),
        ImageRecord("a/2.jpg", 7, 3, "shop", "query"),
        ImageRecord("b 4.jpg", 7, 12, "shop", "gallery"),
    )
    assert custom.read(file, "street") == (ImageRecord("a/3.png", 1, 1, "street", "train"),)


def test_without_a_split_the_first_image_of_a_person_seen_by_two_cameras_is_the_query(listed):
    file = listed("path,pid,camid,domain", "a/3.png,5,0,d", "a/1.jpg,5,1,d", "a/2.jpg,6,1,d", "b 4.jpg,6,1,d")
    assert rows(custom.read(file, "d")) == [
        ("a/1.jpg", 5, 1, "gallery"),
        ("a/2.jpg", 6, 1, "gallery"),
        ("a/3.png", 5, 0, "query"),
        ("b 4.jpg", 6, 1, "gallery"),
    ]


def test_without_cameras_every_image_has_its_own_camera_so_that_nothing_is_filtered(listed):
    file = listed("path,pid,domain", "b 4.jpg,2,d", "a/3.png,1,d", "a/1.jpg,2,d", "a/2.jpg,2,d")
    assert rows(custom.read(file, "d")) == [
        ("a/1.jpg", 2, 0, "query"),
        ("a/2.jpg", 2, 1, "gallery"),
        ("a/3.png", 1, 2, "gallery"),
        ("b 4.jpg", 2, 3, "gallery"),
    ]


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a/9.jpg,1,1,d", "line 3: 'a/9.jpg' is not there"),
        ("a,1,1,d", "line 3: 'a' is not there"),
        (",1,1,d", "line 3: '' is not there"),
        ("a/2.jpg,x,1,d", "line 3: pid is 'x'; expected an integer >= 0"),
        ("a/2.jpg,1.0,1,d", "line 3: pid is '1.0'"),
        ("a/2.jpg,-1,1,d", "line 3: pid is '-1'"),
        ("a/2.jpg,\u0663,1,d", r"line 3: pid is '\\u0663'"),
        (f"a/2.jpg,{10**18},1,d", "line 3: pid is '1000000000000000000'"),
        ("a/2.jpg,1,,d", "line 3: camid is ''"),
        ("a/1.jpg,1,1,d", "line 3: 'a/1.jpg' is in line 2 already"),
        ("a/./1.jpg,1,1,d", "line 3: 'a/1.jpg' is in line 2 already"),
        ("/etc/passwd,1,1,d", "line 3: path is '/etc/passwd'; expected one below"),
        ("C:/a/2.jpg,1,1,d", "line 3: path is 'C:/a/2.jpg'"),
        ("a\\2.jpg,1,1,d", "line 3: path is .* with forward slashes"),
        ("a/../a/2.jpg,1,1,d", "line 3: path is 'a/../a/2.jpg'"),
        ("a/2.jpg,1,1", "line 3: has 3 values; expected 4"),
        ("a/2.jpg,1,1,d,query", "line 3: has 5 values; expected 4"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(listed, line, message):
    with pytest.raises(DatasetError, match=f"images.csv, {message}"):
        custom.read(listed("path,pid,camid,domain", "a/1.jpg,1,0,d", line), "d")


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("path,camid,domain", "line 1: the header lacks pid; expected path, pid, domain, maybe camid and split"),
        ("path;pid;domain", "line 1: the header lacks path, pid, domain"),
        ("path,pid,cam_id,domain", "line 1: the header has 'cam_id'; expected"),
        ("path,pid,domain,pid", "line 1: the header has a column twice"),
        ("", "line 1: the header lacks path, pid, domain"),
    ],
)
def test_a_wrong_header_is_refused_so_that_a_typing_error_never_drops_the_cameras(listed, header, message):
    with pytest.raises(DatasetError, match=message):
        custom.read(listed(header, "a/1.jpg,1,0,d"), "d")


@pytest.mark.bad_input("list or table")
def test_a_wrong_split_a_domain_that_is_not_listed_and_a_person_on_both_sides_are_refused(listed):
    header = "path,pid,camid,domain,split"
    with pytest.raises(DatasetError, match="line 2: split is 'test'; expected train, query, gallery"):
        custom.read(listed(header, "a/1.jpg,1,0,d,test"), "d")
    with pytest.raises(DatasetError, match="no images of the domain 'e', but 'd'"):
        custom.read(listed(header, "a/1.jpg,1,0,d,train"), "e")
    with pytest.raises(DatasetError, match="no images of the domain 'd', but no rows"):
        custom.read(listed(header), "d")
    with pytest.raises(DatasetError, match="1 people both in train and in the test: '1'"):
        custom.read(listed(header, "a/1.jpg,1,0,d,train", "a/2.jpg,1,1,d,gallery"), "d")


@pytest.mark.bad_input("list or table")
def test_a_path_that_is_no_list_and_no_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="nowhere.csv is not there; expected a .csv file, or a folder with"):
        custom.read(tmp_path / "nowhere.csv", "d")
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match="images.zip is no .csv file"):
        custom.read(tmp_path / "images.zip", "d")
    (tmp_path / "images.csv").write_bytes(b"path,pid,domain\n\xff\xfe")
    with pytest.raises(DatasetError, match="images.csv cannot be read: .*save it as CSV in UTF-8"):
        custom.read(tmp_path / "images.csv", "d")
    with pytest.raises(DatasetError, match="expected bounding_box_train, query and bounding_box_test, or give a .csv"):
        custom.read(tmp_path, "d")


def market_folder(root, train, query, gallery):
    for folder, names in (("bounding_box_train", train), ("query", query), ("bounding_box_test", gallery)):
        small_sets.write_images(root / folder, names)
    return root


def test_a_folder_like_markets_may_have_cameras_with_several_digits(tmp_path):
    root = market_folder(
        tmp_path / "mall",
        "0002_c13s1_000451_03.jpg -1_c1_x.jpg",
        "7_c1.png",
        "7_c103_b.JPEG 0000_c2_x.jpg -1_c2_x.jpg",
    )
    assert custom.read(root, "mall") == (
        ImageRecord("bounding_box_test/0000_c2_x.jpg", 0, 1, "mall", "gallery", True),
        ImageRecord("bounding_box_test/7_c103_b.JPEG", 7, 102, "mall", "gallery"),
        ImageRecord("bounding_box_train/0002_c13s1_000451_03.jpg", 2, 12, "mall", "train"),
        ImageRecord("query/7_c1.png", 7, 0, "mall", "query"),
    )
    assert custom.read(tmp_path, "mall")[0].path == "mall/bounding_box_test/0000_c2_x.jpg"


def test_cameras_and_people_may_also_count_from_zero(tmp_path):
    root = market_folder(tmp_path, "1_c0_a.jpg", "0_c1_a.jpg", "0_c0_a.jpg")
    assert custom.read(root, "d") == (
        ImageRecord("bounding_box_test/0_c0_a.jpg", 0, 0, "d", "gallery"),
        ImageRecord("bounding_box_train/1_c0_a.jpg", 1, 0, "d", "train"),
        ImageRecord("query/0_c1_a.jpg", 0, 1, "d", "query"),
    )


@pytest.mark.bad_input("folder of a data set")
def test_a_folder_with_wrong_names_or_a_person_on_both_sides_is_refused(tmp_path):
    root = market_folder(tmp_path, "1_c1_a.jpg", "2_c1_a.jpg", "2_c2_a.jpg")
    small_sets.write_images(root / "query", "1_c1_a.jpg")
    with pytest.raises(DatasetError, match="1 people both in train and in the test: '1'"):
        custom.read(root, "d")
    small_sets.write_images(root / "query", "bob.jpg 3_cam1.jpg")
    with pytest.raises(
        DatasetError, match="2 of 4 images .*'3_cam1.jpg', 'bob.jpg'; expected names like 0002_c13_01.jpg"
    ):
        custom.read(root, "d")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES = st.sampled_from(["a.jpg", "b/c.png", "0", "12", "d", "train", "gallery", "..", "/", "\0", "\n"]) | TEXT
ROWS = st.tuples(  # as custom.COLUMNS: path, pid, domain, camid, split
    st.sampled_from(["a.jpg", "b/c.png", "b/d.png"]),
    st.sampled_from(["0", "1", "22"]),
    st.sampled_from(["d", "d", "e"]),
    st.sampled_from(["0", "1", "13"]),
    st.sampled_from(["query", "gallery", "train"]),
)


@settings(max_examples=200, deadline=None)
@given(
    num_columns=st.integers(3, 5),
    rows=st.lists(ROWS, min_size=1, max_size=3, unique_by=lambda row: row[0]),
    wrong=st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 4)), VALUES, max_size=2),
    end=st.sampled_from(["", "", ",", '"', "\r"]) | TEXT,
)
def test_any_content_of_the_file_gives_records_or_a_dataset_error(num_columns, rows, wrong, end):
    table = [
        [wrong.get((line, column), value) for column, value in enumerate(values[:num_columns])]
        for line, values in enumerate([custom.COLUMNS, *rows])
    ]
    text = io.StringIO()
    csv.writer(text).writerows(table)
    with tempfile.TemporaryDirectory() as directory:
        small_sets.write_images(Path(directory), "a.jpg")
        small_sets.write_images(Path(directory) / "b", "c.png d.png")
        file = Path(directory) / "images.csv"
        file.write_bytes((text.getvalue() + end).encode())
        try:
            records = custom.read(file, "d")
        except DatasetError:
            return
    assert records == tuple(sorted(set(records), key=lambda record: record.path))
    assert {record.path for record in records} <= {"a.jpg", "b/c.png", "b/d.png"}
    assert {record.part for record in records} <= {"train", "query", "gallery"}
