"""Counting returns the ranks of a stable sort."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metabin.evaluation import metrics
from metabin.evaluation.scoring import product_on

ROOT = Path(__file__).parents[2]


def by_sorting(distance, query_pid, gallery_pid, query_camid, gallery_camid):
    for row, pid, camid in zip(distance, query_pid, query_camid, strict=True):
        same = gallery_pid == pid
        order = metrics.nearest_first(row, same & (gallery_camid == camid))
        yield (1 + np.flatnonzero(same[order])).tolist()


def by_counting(*case):
    distance, *ids = case
    ranks, starts = metrics.ranks_of_matches([distance[:2], distance[2:]], *ids)
    return [ranks[start:stop].tolist() for start, stop in itertools.pairwise(starts)]


def random_case(seed, num_query, num_gallery, num_levels, dtype):
    random = np.random.default_rng(seed)
    distance = random.integers(0, num_levels, (num_query, num_gallery)).astype(dtype)
    distance[random.random(distance.shape) < 0.05] = np.inf
    distance[random.random(distance.shape) < 0.5] *= -1  # -infinity and -0.0 among them
    columns = (random.integers(0, top, number) for top in (4, 3) for number in (num_query, num_gallery))
    return distance, *columns


@settings(deadline=None)  # the first call compiles
@given(
    st.integers(0, 10**6),
    st.integers(3, 8),
    st.integers(1, 60),
    st.integers(1, 30),
    st.sampled_from(["f4", "f8"]),
)
def test_ranks_equal_those_of_a_stable_sort(seed, num_query, num_gallery, num_levels, dtype):
    case = random_case(seed, num_query, num_gallery, num_levels, dtype)
    assert by_counting(*case) == list(by_sorting(*case))


@pytest.mark.parametrize("num_gallery", [1023, 1024, 1025, 5000])
def test_ranks_equal_those_of_a_stable_sort_for_galleries_of_several_blocks(num_gallery):
    case = random_case(0, 6, num_gallery, 50, "f4")
    assert by_counting(*case) == list(by_sorting(*case))


def test_a_distance_that_is_not_a_number_is_refused_at_any_place():
    distance, *ids = random_case(0, 4, 1030, 50, "f4")
    distance[3, 1029] = np.nan
    with pytest.raises(ValueError, match="1 of .* not numbers"):
        by_counting(distance, *ids)


def test_the_product_on_a_device_equals_that_of_numpy():
    random = np.random.default_rng(0)
    query, gallery = (random.standard_normal((number, 8)).astype(np.float32) for number in (5, 9))
    (distance,) = metrics.cosine_blocks(query, gallery, product_on(torch.device("cpu"), gallery))
    np.testing.assert_allclose(distance, metrics.cosine_distance(query, gallery), atol=1e-6)


RACE = """
import os
import numpy as np
from metabin.evaluation.match_ranks import _count_equal

def answer():
    return _count_equal(np.arange(1000, dtype=np.float32) % 7, np.float32(3))

pids = []
for _ in range(4):
    if pid := os.fork():
        pids.append(pid)
        continue
    print(answer(), flush=True)
    os._exit(0)
for pid in pids:
    os.waitpid(pid, 0)
print(answer(), "of the cache" if _count_equal.stats.cache_hits else "compiled again")
"""


def test_processes_that_compile_at_once_into_one_cache_all_count_right_and_leave_a_good_cache(tmp_path):
    """The smallest kernel: all are cached in the same way, and the others take seconds to compile."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", RACE], env=environment, capture_output=True, text=True)
    assert (done.stdout.splitlines(), done.stderr) == (["143"] * 4 + ["143 of the cache"], "")
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".nbi", ".nbc"}
