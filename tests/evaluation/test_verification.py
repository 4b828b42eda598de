"""TPR at a fixed FPR: against scikit-learn, whose curve has every threshold."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from metabin.evaluation.verification import RATES, true_positive_rates


def random_case(num_query, num_gallery, num_ids=30, decimals=None):
    """Blocks of distances, and ids. Pairs of one person are nearer; with `decimals` there are many ties."""
    random = np.random.default_rng(0)
    ids = [random.integers(0, count, size) for count in (num_ids, 3) for size in (num_query, num_gallery)]
    is_same = ids[0][:, None] == ids[1]
    distance = random.normal(1, 0.2, is_same.shape).astype(np.float32) - np.float32(0.5) * is_same
    distance = distance if decimals is None else distance.round(decimals)
    return np.array_split(distance, 7), ids


@pytest.mark.parametrize("decimals", [None, 2, 1])
def test_rates_equal_those_of_the_roc_curve_also_with_ties(decimals):
    blocks, ids = random_case(130, 170, decimals=decimals)
    rates = true_positive_rates(blocks, *ids)
    is_same = ids[0][:, None] == ids[1]
    is_pair = ~is_same | (ids[2][:, None] != ids[3])  # one person under one camera is no pair
    fpr, tpr, _ = roc_curve(is_same[is_pair], -np.concatenate(blocks)[is_pair], drop_intermediate=False)
    assert rates["num_positives"] == (is_same & is_pair).sum()
    assert rates["num_negatives"] == (~is_same).sum() > 10_000
    for name, n in RATES.items():
        assert rates[name] == pytest.approx(tpr[fpr <= 1 / n].max())
    assert decimals or 0 < rates["tpr_1e-4"] < rates["tpr_1e-3"] < rates["tpr_1e-2"] < 1


def test_separate_distances_give_one_where_the_published_code_gives_zero():
    blocks, ids = random_case(130, 170)
    is_same = ids[0][:, None] == ids[1]
    rates = true_positive_rates([1 - is_same.astype(np.float32)], *ids)
    assert [rates[name] for name in RATES] == [1, 1, 1]


def test_a_rate_is_nan_with_too_few_negatives_or_without_a_positive():
    blocks, ids = random_case(20, 60)  # about 1,160 negatives
    rates = true_positive_rates(blocks, *ids)
    assert np.isnan(rates["tpr_1e-4"])
    assert rates["tpr_1e-3"] <= rates["tpr_1e-2"] <= 1
    one_camera = [*ids[:2], np.zeros(20), np.zeros(60)]
    assert all(np.isnan(true_positive_rates(blocks, *one_camera)[name]) for name in RATES)
    nothing = np.empty(0, int)
    assert true_positive_rates([], nothing, ids[1], nothing, ids[3])["num_negatives"] == 0
