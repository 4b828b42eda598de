"""Ranks of matches by counting, compiled by numba: nothing is sorted, and every distance is read from memory once."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 2048  # distances that stay in the first cache while all matches of a query are counted against them


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

    A rank is one more than the images that are nearer, or as near and earlier in the gallery, not counting those left
    out.

    Args:
        distance: (B, G), a row for each query. matches, left_out: gallery indices, those of the first query first;
            match_ends, left_out_ends: (B,) where those of a query end. ranks: as matches; written.
    Returns: how many distances are not numbers.
    """
    num_bad = 0
    first_match = first_left_out = 0
    for q in range(len(distance)):
        row = distance[q]
        ranks[first_match : match_ends[q]] = 1
        for start in range(0, len(row), BLOCK):
            block = row[start : start + BLOCK]
            num_bad += _not_numbers(block)
            for m in range(first_match, match_ends[q]):
                own = row[matches[m]]
                earlier = min(max(matches[m] - start, 0), len(block))
                ranks[m] += _not_farther(block[:earlier], own) + _nearer(block[earlier:], own)
        for m in range(first_match, match_ends[q]):
            own = row[matches[m]]
            for k in left_out[first_left_out : left_out_ends[q]]:
                ranks[m] -= row[k] < own or (row[k] == own and k < matches[m])
        ranks[first_match : match_ends[q]].sort()
        first_match, first_left_out = match_ends[q], left_out_ends[q]
    return num_bad


# Loops over an index, with narrow counters: in this form alone the compiler compares many distances at once.
@njit(cache=True, nogil=True)
def _nearer(block: np.ndarray, own: float) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] < own)
    return int(count)


@njit(cache=True, nogil=True)
def _not_farther(block: np.ndarray, own: float) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] <= own)
    return int(count)


@njit(cache=True, nogil=True)
def _not_numbers(block: np.ndarray) -> int:
    count = np.int32(0)
    for k in range(len(block)):
        count += np.int32(block[k] != block[k])
    return int(count)
