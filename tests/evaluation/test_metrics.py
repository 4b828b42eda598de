import numpy as np
import oracles
import pandas as pd
import pytest
import torch

from metabin.evaluation import metrics
from metabin.evaluation.metrics import cosine_distance, score


def random_case(seed, num_query, num_gallery, num_ids, num_cams, shift=0):
    random = np.random.RandomState(seed)  # noqa: NPY002 (the recipe of the reference's numbers)
    distance = random.rand(num_query, num_gallery).astype(np.float32)
    query_pid, gallery_pid = random.randint(0, num_ids, num_query), random.randint(0, num_ids, num_gallery)
    query_camid, gallery_camid = random.randint(0, num_cams, num_query), random.randint(0, num_cams, num_gallery)
    return distance, query_pid, gallery_pid, query_camid, gallery_camid + shift


@pytest.mark.parametrize(
    ("key", "recipe"), [("A", (0, 10, 80, 8, 3)), ("B", (1, 50, 300, 30, 4)), ("C", (2, 6, 12, 4, 2, 2))]
)
def test_scores_equal_the_reference(key, recipe, reference):
    scores = score(*random_case(*recipe))
    expected = reference["evaluation"][key]
    assert scores.num_query == expected["n_valid_queries"]
    assert scores.mAP == pytest.approx(expected["mAP"], abs=1e-6)
    assert scores.mINP == pytest.approx(expected["mINP"], abs=1e-6)
    for rank in (1, 5, 10):
        assert scores.cmc[rank] == pytest.approx(expected[f"R{rank}"], abs=1e-6)


def test_scores_equal_a_slow_oracle_also_with_many_ties():
    for seed in range(10):
        distance, *ids = random_case(seed, 12, 40, 6, 3)
        distance = np.round(distance, 1)
        scores = score(distance, *ids)
        m_ap, m_inp, rank5, valid = oracles.retrieval(distance.tolist(), *(list(column) for column in ids), 5)
        assert (scores.mAP, scores.mINP, scores.cmc[5], scores.num_query) == pytest.approx((m_ap, m_inp, rank5, valid))


def test_a_list_by_hand():
    # The query is pid 1 under camera 0. Index 1 is left out: same pid and camera. The others by
    # distance: 0 no match, 3 match, 2 no match, 4 match.
    distance = np.array([[0.1, 0.0, 0.3, 0.2, 0.4]])
    scores = score(distance, [1], [2, 1, 3, 1, 1], [0], [0, 0, 0, 1, 2], ranks=(1, 2))
    assert scores.mAP == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert scores.mINP == pytest.approx(2 / 4)
    assert scores.cmc == {1: 0.0, 2: 1.0}


def test_ties_are_broken_by_gallery_order():
    matches_first = score([[0.5, 0.5]], [1], [1, 2], [0], [1, 1])
    matches_last = score([[0.5, 0.5]], [1], [2, 1], [0], [1, 1])
    assert (matches_first.cmc[1], matches_last.cmc[1]) == (1.0, 0.0)


def test_queries_without_a_match_are_not_counted_and_no_query_at_all_is_nan():
    distance = [[0.1, 0.2], [0.1, 0.2]]
    scores = score(distance, [1, 9], [1, 2], [0, 0], [1, 1])
    assert (scores.num_query, scores.mAP) == (1, 1.0)
    nothing = score(distance, [8, 9], [1, 2], [0, 0], [1, 1])
    assert nothing.num_query == 0
    assert np.isnan([nothing.mAP, nothing.mINP, nothing.cmc[1]]).all()


def test_every_query_with_a_match_has_an_average_precision_whose_mean_is_map():
    distance, *ids = random_case(3, 30, 60, 12, 3)
    scores = score(distance, *ids)
    assert 0 < scores.num_query < 30
    assert len(scores.by_query) == scores.num_query
    assert np.mean(list(scores.by_query.values())) == pytest.approx(scores.mAP)
    for query in range(30):
        alone = score(distance[[query]], *(column[[query]] if len(column) == 30 else column for column in ids))
        assert (query in scores.by_query) == (alone.num_query == 1)
        assert scores.by_query.get(query, alone.mAP) == pytest.approx(alone.mAP, nan_ok=True)


def test_perfect_features_score_one_with_fewer_gallery_images_than_ranks():
    features = np.eye(3)
    scores = score(cosine_distance(features, features), [0, 1, 2], [0, 1, 2], [0, 0, 0], [1, 1, 1])
    assert (scores.mAP, scores.mINP, scores.cmc) == (1.0, 1.0, {1: 1.0, 5: 1.0, 10: 1.0})


def test_cosine_distance_equals_the_reference(reference):
    random = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(3, 16, generator=random), torch.randn(5, 16, generator=random)
    np.testing.assert_allclose(
        cosine_distance(query, gallery).ravel(), reference["evaluation"]["cosine_dist"]["dist"], atol=1e-6
    )


def test_a_zero_vector_is_at_distance_one():
    assert cosine_distance([[0.0, 0.0]], [[1.0, 0.0]]).tolist() == [[1.0]]


def test_lengths_that_do_not_fit_and_nan_distances_are_refused():
    with pytest.raises(ValueError, match="do not fit 2 query and 2 gallery pids"):
        score(np.zeros((2, 3)), [1, 2], [1, 2], [0, 0], [0, 0])
    with pytest.raises(ValueError, match="1 of 4 distances are not numbers"):
        score([[0, np.nan], [0, 0]], [1, 2], [1, 2], [0, 0], [1, 1])


def test_blocks_of_any_size_give_the_scores_of_the_full_matrix(monkeypatch):
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=(23, 8)), random.normal(size=(61, 8))
    query_pid, gallery_pid = random.integers(0, 6, 23), random.integers(0, 6, 61)
    query_camid, gallery_camid = random.integers(0, 3, 23), random.integers(0, 3, 61)
    columns = (query_pid, gallery_pid, query_camid, gallery_camid)
    expected = score(cosine_distance(query, gallery), *columns)
    for block in (1, 61, 200, 10_000):
        monkeypatch.setattr(metrics, "BLOCK", block)
        monkeypatch.setattr(metrics, "CHUNK", 7 if block == 200 else 4096)
        shapes = [block_rows.shape for block_rows in metrics.cosine_blocks(query, gallery)]
        assert max(rows for rows, _ in shapes) == min(max(1, block // 61), 23)
        assert sum(rows for rows, _ in shapes) == 23
        assert metrics.score_blocks(metrics.cosine_blocks(query, gallery), *columns) == expected


def test_images_that_are_left_out_never_count_even_at_an_equal_or_infinite_distance():
    # index 0 is left out (same pid, same camera); the match, index 1, is as far: it is first
    for far in (0.5, np.inf):
        assert score(np.array([[far, far]]), [1], [1, 1], [0], [0, 1]).cmc[1] == 1


PIDS = ["0001", "0002", "0001"]


@pytest.mark.parametrize(
    ("query_pid", "gallery_pid", "query_camid", "gallery_camid"),
    [
        (["0001"], PIDS, [0], [1, 1, 1]),
        (np.array(["0001"]), np.array(PIDS), ["entry"], ["exit"] * 3),
        (np.array(["0001"], object), pd.Series(PIDS), pd.Series([0]), pd.Series([1, 1, 1])),
        ([1.0], [1.0, 2.0, 1.0], torch.tensor([0]), torch.tensor([1, 1, 1])),
    ],
)
def test_ids_may_be_text_or_numbers_in_any_array(query_pid, gallery_pid, query_camid, gallery_camid):
    scores = score([[0.3, 0.1, 0.2]], query_pid, gallery_pid, query_camid, gallery_camid)
    assert scores.mAP == pytest.approx((1 / 2 + 2 / 3) / 2)  # the matches are second and third
    assert scores.num_query == 1


def test_text_ids_are_compared_as_they_are_written():
    assert score([[0.1]], ["0001"], ["1"], [0], [1]).num_query == 0
    assert score([[0.1]], ["0001"], ["0001"], ["c1"], ["c1"]).num_query == 0  # the same camera


@pytest.mark.parametrize(
    ("distance", "query_pid", "gallery_pid"),
    [
        ([[], []], [1, 2], []),
        (np.empty((2, 0)), ["1", "2"], []),
        ([], [], [1, 2]),
        (np.empty((0, 2)), [], ["1", "2"]),
        ([], [], []),
    ],
)
def test_without_queries_or_without_a_gallery_every_mean_is_nan(distance, query_pid, gallery_pid):
    scores = score(distance, query_pid, gallery_pid, ["a"] * len(query_pid), ["b"] * len(gallery_pid))
    assert scores.num_query == 0
    assert np.isnan([scores.mAP, scores.mINP, *scores.cmc.values()]).all()


def test_no_embeddings_have_no_distances():
    for num_query, num_gallery in ((0, 3), (2, 0), (0, 0)):
        query, gallery = np.ones((num_query, 4), np.float32), np.ones((num_gallery, 4), np.float32)
        assert cosine_distance(query, gallery).shape == (num_query, num_gallery)
        assert sum(len(block) for block in metrics.cosine_blocks(query, gallery)) == num_query


def test_distances_in_half_precision_are_ranked():
    assert score(np.array([[0.5, 0.25]], np.float16), [1], [2, 1], [0], [1, 1]).cmc[1] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_pid": ["1"]}, "query_pid holds text, gallery_pid numbers; expected the same kind"),
        ({"gallery_pid": ["0001", 2]}, "gallery_pid holds '0001' and 2; expected whole numbers .* or text, one kind"),
        ({"query_pid": [[1]]}, r"query_pid has the shape \(1, 1\); expected one id for each image"),
        ({"query_camid": [0.5]}, "query_camid holds 0.5; expected whole numbers"),
        ({"gallery_camid": [1, np.nan]}, "gallery_camid holds nan; expected whole numbers"),
        ({"query_pid": [2**64]}, "query_pid holds 18446744073709551616; expected whole numbers below 2"),
        ({"query_pid": np.array([2**64 - 1], np.uint64)}, "query_pid holds 18446744073709551615; expected"),
        ({"query_pid": [b"1"]}, "query_pid holds b'1'; expected whole numbers .* or text"),
        ({"distance": [0.1, 0.2]}, r"distance \(2,\), .* do not fit 1 query and 2 gallery pids"),
        ({"distance": [["near", "far"]]}, "distance holds <U4; expected real numbers"),
        ({"distance": [[0.1, 0.2j]]}, "distance holds complex128; expected real numbers"),
        ({"ranks": (1, 0)}, "ranks has 0; expected whole numbers from 1"),
        ({"ranks": (-5,)}, "ranks has -5; expected whole numbers from 1"),
        ({"ranks": (1.5,)}, "ranks has 1.5; expected whole numbers from 1"),
    ],
)
def test_arguments_of_another_kind_are_refused_by_name(changes, message):
    arguments = {"distance": [[0.1, 0.2]], "query_pid": [1], "gallery_pid": [1, 2], "query_camid": [0]}
    arguments |= {"gallery_camid": [1, 1]}
    assert score(**arguments).mAP == 1
    with pytest.raises(ValueError, match=message):
        score(**(arguments | changes))


def test_distances_that_are_not_numbers_are_counted_over_all_queries():
    distance = [[np.nan, 0.1], [0.2, np.nan]]
    with pytest.raises(ValueError, match="^2 of 4 distances are not numbers"):
        score(distance, [1, 1], [1, 2], [0, 0], [1, 1])


@pytest.mark.parametrize(
    ("given", "ranked"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int8", "float64"), ("bool", "float64")],
)
def test_distances_are_ranked_in_the_precision_that_they_have(given, ranked):
    matrix = np.zeros((1, 2), given)
    ids = (np.array([1]), np.array([1, 2]))
    result = metrics._distances(matrix, ids, ids)
    assert result.dtype == ranked
    assert np.shares_memory(result, matrix) == (given == ranked)  # the matrix of MSMT17 has 4 GB


@pytest.mark.parametrize(("distance", "num_query"), [(np.zeros((3, 2)), 0), ([], 2)])
def test_distances_of_other_queries_are_refused(distance, num_query):
    ids = list(range(num_query))
    with pytest.raises(ValueError, match="do not fit"):
        score(distance, ids, [1, 2], ids, [0, 0])


def test_ids_in_arrays_of_objects_are_exact_and_have_64_bits():
    large = np.array([2**53, 2**53 + 1], object)
    scores = score([[0.1, 0.2]], np.array([2**53 + 1], object), large, [0], [1, 1])
    assert scores.cmc[1] == 0  # the first image is of another person
    for pid in (2**63, 2**64 - 1):
        with pytest.raises(ValueError, match=r"below 2 \*\* 63"):
            score([[0.1]], np.array([pid], object), [1], [0], [1])


def test_vectors_shorter_than_one_have_the_distance_of_their_directions():
    short = np.array([[0.1, 0.0], [0.0, 1e-3]])
    assert cosine_distance(short, short) == pytest.approx(np.array([[0, 1], [1, 0]]), abs=1e-12)


@pytest.mark.parametrize(("query", "gallery"), [([], ["a", "b"]), (["a", "b"], [])])
def test_a_side_without_ids_takes_the_kind_of_the_other(query, gallery):
    for first, second in (metrics._ids("pid", query, gallery), metrics._ids("pid", gallery, query)):
        assert first.dtype.kind == second.dtype.kind == "U"
    assert np.isnan(score(np.zeros((len(query), len(gallery))), query, gallery, query, gallery).mAP)


def test_ranks_are_whole_numbers_and_a_block_has_at_most_its_size():
    ids = [np.array(values) for values in ([1], [1, 2], [0], [1, 1])]
    assert metrics.ranks_of_matches([np.array([[0.1, 0.2]])], *ids)[0].dtype == np.int64
    assert next(iter(metrics.row_blocks(10 * metrics.BLOCK, 1))).stop == metrics.BLOCK
