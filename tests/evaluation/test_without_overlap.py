import numpy as np
import pytest

from metabin.data.batches.loading import ImageSet
from metabin.evaluation import overlap, scoring, untrained
from metabin.types import Embeddings


def images(rows):
    """Rows of a domain of 12 images, two cameras for each of six people; pid 5 stands for the distractors."""
    row = np.array(rows)
    pixels = (np.arange(12, dtype=np.uint8).reshape(-1, 1, 1, 1) * 20 + np.zeros((12, 8, 4, 3), np.uint8),)
    zeros = np.zeros(len(rows), np.int64)
    return ImageSet(pixels, zeros, row, zeros, row // 2, row % 2, row // 2, ("site",))


def overlap_with_source(pids=(), distractors=(), *, target="site", num_pairs=1):
    return {"target": target, "num_pairs": num_pairs, "pids": list(pids), "distractors": list(distractors)}


QUERY, GALLERY = [0, 2, 4], [1, 3, 5, 7, 10, 11]
TEST = scoring.TestSet("site", True, images(QUERY), images(GALLERY))


def reduce(*overlaps, test=TEST):
    reduced = overlap.without_overlap(test, overlaps)
    assert reduced is not None
    return reduced


def test_people_leave_query_and_gallery_and_distractors_leave_one_by_one():
    reduced = reduce(
        overlap_with_source([1, 3]), overlap_with_source([], [10]), overlap_with_source([0], target="elsewhere")
    )
    assert reduced.test.query.row.tolist() == [0, 4]
    assert reduced.test.gallery.row.tolist() == [1, 5, 11]
    assert reduced.test.gallery.pid.tolist() == [0, 2, 5]
    assert reduced.query.tolist() == [True, False, True]
    assert (reduced.test.domain, reduced.test.unseen, reduced.test.trial) == ("site", True, None)
    np.testing.assert_array_equal(reduced.test.gallery.images(np.array([1]))[0], TEST.gallery.images(np.array([2]))[0])


def test_a_domain_that_shares_nothing_has_no_second_score():
    assert overlap.without_overlap(TEST, []) is None
    assert (
        overlap.without_overlap(TEST, [overlap_with_source(num_pairs=0), overlap_with_source([1], target="elsewhere")])
        is None
    )


def test_a_trial_without_the_people_in_question_stays_complete():
    reduced = reduce(overlap_with_source([4]))
    assert reduced.test.query.row.tolist() == QUERY
    assert reduced.test.gallery.row.tolist() == GALLERY


def test_nothing_is_scored_where_no_query_or_no_gallery_is_left():
    assert overlap.without_overlap(TEST, [overlap_with_source([0, 1, 2])]) is None
    alone = scoring.TestSet("site", True, images([0, 2]), images([3]))
    assert overlap.without_overlap(alone, [overlap_with_source([1])]) is None


def test_scores_without_overlap_are_those_computed_by_hand():
    """Images are angles in degrees: the nearer, the more alike."""
    angles = {0: 0, 2: 90, 4: 170, 1: 40, 3: 20, 5: 100, 7: 30, 10: 150, 11: 165}

    def embeddings(part):
        radians = np.deg2rad([angles[row] for row in part.row.tolist()])
        return Embeddings(np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32), part.pid, part.camid)

    query, gallery = embeddings(TEST.query), embeddings(TEST.gallery)
    # image 0 finds 3, 7 and then 1, its match; image 2 finds its match 3 after 5, 1, 7 and 10; image 4 finds 11, 10, 5
    assert scoring.retrieval_scores(query, gallery).mAP == pytest.approx((1 / 3 + 1 / 5 + 1 / 3) / 3)
    reduced = reduce(overlap_with_source([1, 3]), overlap_with_source([], [10]))
    scores = scoring.retrieval_scores(*reduced.embeddings(query, gallery))
    # left are 1, 5 and 11: image 0 finds 1 first, image 4 finds 11 and then 5
    assert scores.mAP == pytest.approx((1 + 1 / 2) / 2)
    assert (scores.cmc[1], scores.num_query) == (0.5, 2)
    row = scoring.score_row(scores, reduced.test)
    assert (row["num_ids"], row["num_query"], row["mAP"]) == (2, 2, scores.mAP)


def test_the_untrained_methods_are_scored_on_what_is_left():
    reduced = reduce(overlap_with_source([1, 3]), overlap_with_source([], [10]))
    by_colour = untrained.colour_scores(reduced.test, num_stripes=1)
    assert by_colour.num_query == 2
    assert by_colour.mAP == pytest.approx((1 + 1) / 2)  # grey by row: 0 is next to 1, 4 next to 5
