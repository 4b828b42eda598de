"""Ranks of matches by counting, compiled by numba.

No row of distances is sorted, and every distance is read from memory once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 1024  # distances that stay in the first cache while they are compared with every bound
GROUP = 4  # bounds with which a distance is compared once it is in a register

compiled = njit(cache=True, nogil=True)


@compiled
def rank_matches(
    distance: np.ndarray,
    matches: np.ndarray,
    left_out: np.ndarray,
    match_starts: np.ndarray,
    left_out_starts: np.ndarray,
    ranks: np.ndarray,
) -> int:
    """Write the 1-based ranks of every query's matches, ascending.

    The rank of a match is 1 plus the number of gallery images before it: those that are nearer, and
    those that are as near and earlier in the gallery. Images that are left out do not count.

    Args:
        distance: Distances of B queries, (B, G) float32 or float64, contiguous.
        matches: Gallery indices of all queries' matches, those of a query sorted in place.
        left_out: Gallery indices of the images that are left out for the queries.
        match_starts, left_out_starts: The start of each query's part of these and the end of the
            last, (B + 1,).
        ranks: Ranks, int64, of the same shape as `matches`; written.

    Returns:
        The number of distances that are not numbers.
    """
    num_bad = 0
    for b in range(len(distance)):
        row = distance[b]
        row_matches = matches[match_starts[b] : match_starts[b + 1]]
        row_matches.sort()
        row_left_out = left_out[left_out_starts[b] : left_out_starts[b + 1]]
        row_ranks = ranks[match_starts[b] : match_starts[b + 1]]
        num_bad += _rank_among_all(row, row_matches, row_ranks)
        _subtract(row, row_matches, row_left_out, row_ranks)
        row_ranks.sort()
    return num_bad


@compiled
def _rank_among_all(row: np.ndarray, matches: np.ndarray, ranks: np.ndarray) -> int:
    """Write the ranks of ascending matches among all of a row, and return its number of NaN."""
    num_matches = len(matches)
    size = GROUP * (num_matches // GROUP + 1)
    # There is at least one bound more than matches: infinity, which counts all but NaN.
    bounds = np.full(size, np.inf, row.dtype)
    for m in range(num_matches):
        bounds[m] = row[matches[m]]
    counts = np.zeros(size, np.int64)
    lowest = bounds.dtype.type(-np.inf)
    m = 0  # the first match that is not before the block
    for start in range(0, len(row), BLOCK):
        block = row[start : start + BLOCK]
        while m < num_matches and matches[m] < start + len(block):
            # Ties count up to the match's place in the gallery, and not from there on: x < d is
            # x <= e with the largest number e below d, or with NaN, which no x is below.
            counts[m] += _count_equal(block[: matches[m] - start], bounds[m])
            bounds[m] = np.nextafter(bounds[m], lowest) if bounds[m] > lowest else np.nan
            m += 1
        _count_not_above(block, bounds, counts)
    for m in range(num_matches):
        ranks[m] = 1 + counts[m]
    return len(row) - counts[num_matches]


# numba widens sums of integers to 64 bits. With sums of 32 bits, as wide as a distance, the
# processor compares and counts twice as many distances at once. A load serves four comparisons.
@compiled
def _count_not_above(block: np.ndarray, bounds: np.ndarray, counts: np.ndarray) -> None:
    """Add to the count of every bound the number of distances x with x <= bound."""
    for b in range(0, len(bounds), GROUP):
        bound0, bound1, bound2, bound3 = bounds[b : b + GROUP]
        count0 = count1 = count2 = count3 = np.int32(0)
        for k in range(len(block)):
            x = block[k]
            count0 = np.int32(count0 + (x <= bound0))
            count1 = np.int32(count1 + (x <= bound1))
            count2 = np.int32(count2 + (x <= bound2))
            count3 = np.int32(count3 + (x <= bound3))
        counts[b] += count0
        counts[b + 1] += count1
        counts[b + 2] += count2
        counts[b + 3] += count3


@compiled
def _count_equal(block: np.ndarray, distance: np.floating) -> np.int32:
    count = np.int32(0)
    for k in range(len(block)):
        count = np.int32(count + (block[k] == distance))
    return count


@compiled
def _subtract(
    row: np.ndarray, matches: np.ndarray, left_out: np.ndarray, ranks: np.ndarray
) -> None:
    """Subtract from each rank the images before the match that are left out."""
    for m in range(len(matches)):
        match_distance = row[matches[m]]
        for k in left_out:
            is_tie_before = row[k] == match_distance and k < matches[m]
            ranks[m] -= row[k] < match_distance or is_tie_before
