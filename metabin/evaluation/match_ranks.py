"""Ranks of matches by counting, compiled by numba.

Nothing is sorted, and every distance is read from memory once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Distances that stay in the first cache while all matches of a query are counted against them.
BLOCK = 2048


@njit(cache=True, nogil=True)
def count_nearer(
    distance: np.ndarray,
    matches: np.ndarray,
    match_ends: np.ndarray,
    left_out: np.ndarray,
    left_out_ends: np.ndarray,
    ranks: np.ndarray,
) -> int:
    """Write the 1-based ranks of every query's matches, ascending.

    The rank of a match is 1 plus the number of gallery images before it: those that are nearer, and
    those that are as near and earlier in the gallery. Images that are left out do not count.

    Args:
        distance: (B, G), one row per query.
        matches, left_out: gallery indices, those of the first query first.
        match_ends, left_out_ends: (B,), the end of each query's part of these.
        ranks: of the same shape as `matches`; written.
    Returns: The number of distances that are not numbers.
    """
    num_bad = 0
    first_match = 0
    first_left_out = 0
    for q in range(len(distance)):
        row = distance[q]
        ranks[first_match : match_ends[q]] = 1
        for start in range(0, len(row), BLOCK):
            block = row[start : start + BLOCK]
            num_bad += _count_nan(block)
            for m in range(first_match, match_ends[q]):
                match_distance = row[matches[m]]
                # A tie counts before the match's place in the gallery, and not from there on.
                split = min(max(matches[m] - start, 0), len(block))
                ranks[m] += _count_not_farther(block[:split], match_distance)
                ranks[m] += _count_nearer(block[split:], match_distance)
        # The blocks counted the images that are left out as well: subtract them.
        for m in range(first_match, match_ends[q]):
            match_distance = row[matches[m]]
            for k in left_out[first_left_out : left_out_ends[q]]:
                is_tie_before = row[k] == match_distance and k < matches[m]
                ranks[m] -= row[k] < match_distance or is_tie_before
        ranks[first_match : match_ends[q]].sort()
        first_match = match_ends[q]
        first_left_out = left_out_ends[q]
    return num_bad


# Loops over an index, with 32-bit counters: only in this form does the compiler compare many
# distances at once.
@njit(cache=True, nogil=True)
def _count_nearer(block: np.ndarray, distance: float) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] < distance)
    return int(count)


@njit(cache=True, nogil=True)
def _count_not_farther(block: np.ndarray, distance: float) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] <= distance)
    return int(count)


@njit(cache=True, nogil=True)
def _count_nan(block: np.ndarray) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] != block[k])  # NaN alone differs from itself
    return int(count)
