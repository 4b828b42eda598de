import hashlib
from dataclasses import replace

import pytest
from PIL import Image

from metabin.data.acquisition.check import Counts, check_images, count
from metabin.types import ImageRecord

RECORDS = (
    ImageRecord("a.png", 1, 0, "x", "train"),
    ImageRecord("b.png", 1, 1, "x", "train"),
    ImageRecord("c.png", 2, 0, "x", "query"),
    ImageRecord("d.png", 2, 1, "x", "gallery"),
    ImageRecord("e.png", 0, 1, "x", "gallery", True),
)
EXPECTED = {"train": (1, 2), "query": (1, 1), "gallery": (1, 2), "all": (2, 4)}


@pytest.fixture
def folder(tmp_path):
    for index, record in enumerate(RECORDS):
        Image.new("RGB", (4, 8), (index, 0, 0)).save(tmp_path / record.path)
    return tmp_path


def test_distractors_are_images_of_the_gallery_and_have_no_identity():
    assert count(RECORDS) == {
        "train": Counts(1, 2, 2, 0),
        "query": Counts(1, 1, 1, 0),
        "gallery": Counts(1, 2, 1, 1),
        "distractor": Counts(0, 1, 1, 1),
        "all": Counts(2, 4, 2, 0),
    }


def test_a_complete_data_set_has_no_problems_and_every_image_is_reported(folder):
    steps = []
    check = check_images("x", folder, RECORDS, EXPECTED, steps.append)
    assert (check.problems, check.remarks, len(steps)) == ((), (), 5)


def test_the_fingerprint_is_that_of_paths_sizes_and_contents_in_any_order(folder):
    lines = []
    for record in RECORDS:
        content = (folder / record.path).read_bytes()
        lines.append(f"{record.path} {len(content)} {hashlib.sha256(content).hexdigest()}\n")
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert check_images("x", folder, RECORDS, {}).fingerprint == expected
    assert check_images("x", folder, RECORDS[::-1], {}).fingerprint == expected
    Image.new("RGB", (4, 8), (200, 0, 0)).save(folder / "a.png")
    assert check_images("x", folder, RECORDS, {}).fingerprint != expected


def test_wrong_counts_empty_truncated_and_missing_images_are_problems(folder):
    (folder / "a.png").write_bytes(b"")
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:-20])
    (folder / "c.png").unlink()
    check = check_images("x", folder, RECORDS, {**EXPECTED, "train": (2, 5)})
    counts, images = check.problems
    assert counts == "train: found 1 identities and 2 images, expected 2 and 5"
    assert images.startswith("a.png (no content), b.png (")
    assert images.endswith("c.png (no content) cannot be read")


def test_files_with_equal_content_are_a_remark(folder):
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    check = check_images("x", folder, RECORDS, EXPECTED)
    assert check.problems == ()
    assert check.remarks == ("2 images in 1 group have equal content: a.png = b.png",)


def test_equal_content_is_named_by_the_first_three_of_the_first_three_groups(tmp_path):
    records = [
        ImageRecord(f"{group}_{index:03}.png", 0, index, "x") for group in range(5) for index in range(127 - group)
    ]
    for record in records:
        Image.new("RGB", (4, 8), (int(record.path[0]), 0, 0)).save(tmp_path / record.path)
    assert check_images("x", tmp_path, records, {}).remarks == (
        "625 images in 5 groups have equal content: 0_000.png = 0_001.png = 0_002.png and 124 more; "
        "1_000.png = 1_001.png = 1_002.png and 123 more; 2_000.png = 2_001.png = 2_002.png and 122 more "
        "and 2 more groups",
    )


def test_many_problems_are_named_by_the_first_three(folder):
    for record in RECORDS:
        (folder / record.path).write_bytes(b"no image")
    (problem,) = check_images("x", folder, RECORDS, {}).problems
    assert problem.count(".png") == 3
    assert problem.endswith("and 2 more cannot be read")


def test_a_set_that_cannot_be_tested_fails_as_a_target_and_has_a_remark_as_a_source(folder):
    same_camera = tuple(replace(record, camid=0) for record in RECORDS)
    check = check_images("x", folder, same_camera, EXPECTED)
    assert check.untestable.startswith("it cannot be tested: the only query has no match (a gallery image")
    assert (check.passes, check.problems) == (False, ())
    source = check_images("x", folder, same_camera, EXPECTED, is_target=False)
    assert (source.passes, source.untestable) == (True, "")
    assert source.remarks[0].startswith("it can train, but not be tested as it is: the only query")
    assert check_images("x", folder, RECORDS, EXPECTED).passes


def test_queries_without_a_match_are_counted_in_a_remark(folder):
    Image.new("RGB", (4, 8), (99, 0, 0)).save(folder / "f.png")
    (remark,) = check_images("x", folder, (*RECORDS, ImageRecord("f.png", 7, 0, "x", "query")), {}).remarks
    assert remark.startswith("1 of the 2 queries cannot be scored, for lack of a match")
