"""Queries that can be scored are known before an image is decoded: the rule of `metrics.score`."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metabin.data import scorable
from metabin.data.partition import fixed_splits, roles
from metabin.errors import DatasetError
from metabin.evaluation.metrics import score
from metabin.types import DomainSplit, Fold, ImageRecord

IMAGES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=8)  # (pid, camid)
SAME_CAMERA = "the person in the gallery under the same camera only"


def images(pairs, part="", name="x"):
    return tuple(ImageRecord(f"{part}{row}.png", pid, camid, name, part) for row, (pid, camid) in enumerate(pairs))


def official(query, gallery):
    return images(query, "query") + images(gallery, "gallery")


def target(query, gallery, name="x"):
    return {Fold("f", ("s",), (name,)): [DomainSplit(name, query=images(query), gallery=images(gallery))]}


def source(query, gallery):
    return {Fold("source", ("s",), ("x",)): [DomainSplit("s", query=images(query), gallery=images(gallery))]}


@settings(deadline=None)  # the first call loads the compiled ranks
@given(IMAGES, IMAGES)
def test_a_query_has_a_match_if_and_only_if_it_is_scored(query, gallery):
    (query_pid, query_camid), (gallery_pid, gallery_camid) = (
        np.array(pairs, int).reshape(-1, 2).T for pairs in (query, gallery)
    )
    arguments = (query_pid, gallery_pid, query_camid, gallery_camid)
    scores = score(np.zeros((len(query), len(gallery))), *arguments)
    assert np.flatnonzero(scorable.has_match(*arguments)).tolist() == list(scores.by_query)
    matches = scorable.count_matches(images(query), images(gallery))
    assert matches.num_query - matches.num_unmatched == scores.num_query
    assert bool(matches.problem) == (scores.num_query == 0)
    assert bool(matches.remark) == (0 < scores.num_query < len(query))


ONE_CAMERA = [(pid, 0) for pid in range(12) for _ in range(3)]
REFUSED = {
    "one camera": (
        ONE_CAMERA, ONE_CAMERA,
        rf"none of the 36 queries has a match \(.*\): 36 have {SAME_CAMERA}, as all images are of camera 0\. Give "
        "each image its camera as camid, or leave the column camid out",
    ),
    "query and gallery under the same camera": (
        [(1, 0), (2, 1)], [(1, 0), (2, 1)], rf"none of the 2 queries .*: 2 have {SAME_CAMERA}\. Give each",
    ),
    "people of the query not in the gallery": (
        [(1, 0), (2, 0), (3, 1)], [(4, 1), (5, 2)],
        r"none of the 3 queries .*: 3 have no image of the person in the gallery\. Give a person the same pid",
    ),
    "both": (
        [(1, 0), (2, 0), (3, 0)], [(1, 0), (3, 0), (3, 0)],
        rf"none .*: 1 has no image of the person in the gallery; 2 have {SAME_CAMERA}, .*\. Give a .*\. Give each",
    ),
    "queries only": (
        [(1, 0), (1, 1)], [], r"none of the 2 queries .*: there is no gallery image\. Mark images of the same people",
    ),
    "distractors only": ([], [(0, 0)], r"there is no query: every image is a distractor\. Add"),
}  # fmt: skip


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize(("query", "gallery", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_target_without_a_match_is_refused_with_the_queries_and_what_to_do(query, gallery, message):
    with pytest.raises(DatasetError, match=f"target x: {message}"):
        scorable.check_folds(target(query, gallery))


@pytest.mark.bad_input("list or table")
def test_a_source_without_a_match_in_its_test_is_refused_with_the_way_to_train():
    with pytest.raises(DatasetError, match=r"source s, own test: none of the 36 .*Or set partition.num_train_ids to"):
        scorable.check_folds(source(ONE_CAMERA, ONE_CAMERA))
    assert scorable.check_folds(source([], [])) == []  # it has no test


@pytest.mark.parametrize("num_train_ids", [6, "official", "all"])
def test_a_source_with_one_camera_trains_if_it_has_no_test(num_train_ids):
    records = images(ONE_CAMERA[:18], "train") + official(ONE_CAMERA[18:], ONE_CAMERA[18:])
    split = roles.split_source("s", records, num_train_ids)
    folds = {Fold("f", ("s",), ("x",)): [split]}
    if num_train_ids == "all":
        assert scorable.check_folds(folds) == []
        return
    with pytest.raises(DatasetError, match="source s, own test: none of the"):
        scorable.check_folds(folds)
    train = roles.split_source("s", images(ONE_CAMERA, "train"), "official")  # the data set has no test
    assert scorable.check_folds({Fold("f", ("s",), ("x",)): [train]}) == []


def test_queries_without_a_match_among_others_are_a_remark_and_each_is_made_once():
    query = [(pid, 0) for pid in range(3)]
    gallery = [(0, 0), (1, 1), (2, 1)]
    folds = target(query, gallery) | {Fold("g", ("s",), ("x",)): next(iter(target(query, gallery).values()))}
    (remark,) = scorable.check_folds(folds)
    assert remark == (
        "target x: 1 of the 3 queries cannot be scored, for lack of a match (a gallery image of the same person under "
        f"another camera): 1 has {SAME_CAMERA}"
    )
    assert scorable.check_folds(target([(0, 0)], [(0, 1)])) == []


def test_every_problem_is_in_one_error():
    with pytest.raises(DatasetError) as error:
        scorable.check_folds(target([(1, 0)], []) | source(ONE_CAMERA, ONE_CAMERA))
    first, second = str(error.value).splitlines()
    assert first.startswith("target x: ")
    assert second.startswith("source s, own test: ")


def test_every_split_of_a_target_is_checked():
    good = ([(1, 0), (2, 0)], [(1, 1), (2, 1)])
    half = ([(1, 0), (2, 0)], [(1, 1)])
    bad = ([(1, 0)], [(1, 0)])

    def folds(*tests):
        trials = tuple((images(query), images(gallery)) for query, gallery in tests)
        return {Fold("f", ("s",), ("x",)): [roles.split_target("x", (), trials)]}

    assert scorable.check_folds(folds(good, good)) == []
    (remark,) = scorable.check_folds(folds(good, half))
    assert remark.startswith("target x, all splits: 1 of the 4 queries cannot be scored")
    with pytest.raises(DatasetError, match="target x, split 2 of 3: the only query has no match"):
        scorable.check_folds(folds(good, bad, half))


def test_the_shipped_splits_need_two_cameras():
    pairs = [(pid, camid) for pid in range(632) for camid in (0, 1)]
    records = tuple(replace(record, domain="viper") for record in images(pairs))
    fold = Fold("f", ("s",), ("viper",))
    split = roles.split_target("viper", records, fixed_splits.trials("viper", records, None))
    assert scorable.check_folds({fold: [split]}) == []
    same_camera = tuple(replace(record, camid=0) for record in records)
    split = roles.split_target("viper", same_camera, fixed_splits.trials("viper", same_camera, None))
    with pytest.raises(DatasetError, match="target viper, split 1 of 10: none of the 316 queries"):
        scorable.check_folds({fold: [split]})


def test_a_target_without_official_queries_is_tested_with_every_image_but_distractors():
    records = images([(1, 0), (1, 1)], "train") + (ImageRecord("d.png", 0, 2, "x", "gallery", True),)
    assert scorable.target_test(records) == (records[:2], records)
    assert scorable.target_test(official([(1, 0)], [(1, 1)])) == (
        images([(1, 0)], "query"),
        images([(1, 1)], "gallery"),
    )


@pytest.mark.parametrize(
    ("records", "is_target", "problem", "remark"),
    [
        (images(ONE_CAMERA, "gallery"), None, True, False),  # a CSV file without a split
        (images(ONE_CAMERA, "gallery"), True, True, False),
        (images(ONE_CAMERA, "gallery"), False, False, True),
        (images(ONE_CAMERA, "train"), None, False, True),  # CUHK-SYSU, which only trains
        (images(ONE_CAMERA, "train"), True, True, False),
        (official([(1, 0), (2, 0)], [(1, 1)]), None, False, True),
        (images([(1, 0), (1, 1), (2, 0)]), True, False, False),  # like PRID2011, whose splits have no such people
        (official([(1, 0)], [(1, 1)]), None, False, False),
    ],
)
def test_a_data_set_is_checked_by_the_role_that_it_has(records, is_target, problem, remark):
    texts = scorable.check_data_set(records, is_target=is_target)
    assert tuple(map(bool, texts)) == (problem, remark)
