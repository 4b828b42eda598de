import numpy as np
import oracles
import pytest
import torch

from metabin import metrics
from metabin.metrics import cosine_distance, score


def draws(seed, num_query, num_gallery, num_ids, num_cams, shift=0):
    random = np.random.RandomState(seed)  # noqa: NPY002 (the recipe of the reference's numbers)
    distance = random.rand(num_query, num_gallery).astype(np.float32)
    query_pid, gallery_pid = random.randint(0, num_ids, num_query), random.randint(0, num_ids, num_gallery)
    query_camid, gallery_camid = random.randint(0, num_cams, num_query), random.randint(0, num_cams, num_gallery)
    return distance, query_pid, gallery_pid, query_camid, gallery_camid + shift


@pytest.mark.parametrize(
    ("key", "recipe"), [("A", (0, 10, 80, 8, 3)), ("B", (1, 50, 300, 30, 4)), ("C", (2, 6, 12, 4, 2, 2))]
)
def test_scores_equal_the_reference(key, recipe, reference):
    found, wanted = score(*draws(*recipe)), reference["evaluation"][key]
    assert found.num_query == wanted["n_valid_queries"]
    assert found.mAP == pytest.approx(wanted["mAP"], abs=1e-6)
    assert found.mINP == pytest.approx(wanted["mINP"], abs=1e-6)
    for rank in (1, 5, 10):
        assert found.cmc[rank] == pytest.approx(wanted[f"R{rank}"], abs=1e-6)


def test_scores_equal_a_slow_walk_also_with_many_ties():
    for seed in range(10):
        distance, *rest = draws(seed, 12, 40, 6, 3)
        distance = np.round(distance, 1)
        found = score(distance, *rest)
        m_ap, m_inp, rank5, valid = oracles.retrieval(distance.tolist(), *(list(column) for column in rest), 5)
        assert (found.mAP, found.mINP, found.cmc[5], found.num_query) == pytest.approx((m_ap, m_inp, rank5, valid))


def test_a_list_by_hand():
    # the query is pid 1 under camera 0. Left out: index 1, same pid and camera. The rest: 0 no, 3 yes, 2 no, 4 yes.
    distance = np.array([[0.1, 0.0, 0.3, 0.2, 0.4]])
    found = score(distance, [1], [2, 1, 3, 1, 1], [0], [0, 0, 0, 1, 2], ranks=(1, 2))
    assert found.mAP == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.mINP == pytest.approx(2 / 4)
    assert found.cmc == {1: 0.0, 2: 1.0}


def test_ties_are_broken_by_gallery_order():
    matches_first = score([[0.5, 0.5]], [1], [1, 2], [0], [1, 1])
    matches_last = score([[0.5, 0.5]], [1], [2, 1], [0], [1, 1])
    assert (matches_first.cmc[1], matches_last.cmc[1]) == (1.0, 0.0)


def test_queries_without_a_match_are_not_counted_and_none_at_all_is_nan():
    distance = [[0.1, 0.2], [0.1, 0.2]]
    found = score(distance, [1, 9], [1, 2], [0, 0], [1, 1])
    assert (found.num_query, found.mAP) == (1, 1.0)
    nothing = score(distance, [8, 9], [1, 2], [0, 0], [1, 1])
    assert nothing.num_query == 0
    assert np.isnan([nothing.mAP, nothing.mINP, nothing.cmc[1]]).all()


def test_every_query_with_a_match_has_an_average_precision_whose_mean_is_map():
    distance, *rest = draws(3, 30, 60, 12, 3)
    found = score(distance, *rest)
    assert 0 < found.num_query < 30
    assert len(found.by_query) == found.num_query
    assert np.mean(list(found.by_query.values())) == pytest.approx(found.mAP)
    for query in range(30):
        alone = score(distance[[query]], *(column[[query]] if len(column) == 30 else column for column in rest))
        assert (query in found.by_query) == (alone.num_query == 1)
        assert found.by_query.get(query, alone.mAP) == pytest.approx(alone.mAP, nan_ok=True)


def test_perfect_features_score_one_and_fewer_gallery_images_than_ranks_do_no_harm():
    features = np.eye(3)
    found = score(cosine_distance(features, features), [0, 1, 2], [0, 1, 2], [0, 0, 0], [1, 1, 1])
    assert (found.mAP, found.mINP, found.cmc) == (1.0, 1.0, {1: 1.0, 5: 1.0, 10: 1.0})


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


def test_blocks_of_any_size_give_the_scores_of_the_whole_matrix(monkeypatch):
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=(23, 8)), random.normal(size=(61, 8))
    query_pid, gallery_pid = random.integers(0, 6, 23), random.integers(0, 6, 61)
    query_camid, gallery_camid = random.integers(0, 3, 23), random.integers(0, 3, 61)
    columns = (query_pid, gallery_pid, query_camid, gallery_camid)
    whole = score(cosine_distance(query, gallery), *columns)
    for block in (1, 61, 200, 10_000):
        monkeypatch.setattr(metrics, "BLOCK", block)
        monkeypatch.setattr(metrics, "CHUNK", 7 if block == 200 else 4096)
        shapes = [found.shape for found in metrics.cosine_blocks(query, gallery)]
        assert max(rows for rows, _ in shapes) == min(max(1, block // 61), 23)
        assert sum(rows for rows, _ in shapes) == 23
        assert metrics.score_blocks(metrics.cosine_blocks(query, gallery), *columns) == whole


def test_what_is_left_out_never_counts_not_even_at_an_equal_or_infinite_distance():
    # index 0 is left out (same pid, same camera); the match, index 1, is as far: it is first
    for far in (0.5, np.inf):
        assert score(np.array([[far, far]]), [1], [1, 1], [0], [0, 1]).cmc[1] == 1
