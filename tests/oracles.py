"""Slow, obvious versions of what the package computes: loops and plain numbers, no tensors where that is possible."""

from __future__ import annotations

import math


def distance(a, b) -> float:
    return max(math.dist(a, b), 1e-6)


def cross_entropy(logits, label, smoothing) -> float:
    total = 0.0
    for row, y in zip(logits, label, strict=True):
        log_sum = math.log(sum(math.exp(value) for value in row))
        target = [1 - smoothing if j == y else smoothing / (len(row) - 1) for j in range(len(row))]
        total -= sum(q * (value - log_sum) for q, value in zip(target, row, strict=True))
    return total / len(logits)


def triplet(features, label, margin) -> float:
    total = 0.0
    for i, f in enumerate(features):
        positive = max(distance(f, g) for j, g in enumerate(features) if label[j] == label[i])
        negative = min((distance(f, g) for j, g in enumerate(features) if label[j] != label[i]), default=math.inf)
        total += max(0.0, positive - negative + margin)
    return total / len(features)


def scatter(features, domain) -> float:
    unit = [[value / math.sqrt(sum(v * v for v in f)) for value in f] for f in features]
    means = []
    for k in sorted(set(domain)):
        members = [u for u, d in zip(unit, domain, strict=True) if d == k]
        centroid = [sum(column) / len(members) for column in zip(*members, strict=True)]
        length = math.sqrt(sum(c * c for c in centroid))
        means.append(sum(sum(a * c for a, c in zip(u, centroid, strict=True)) / length for u in members) / len(members))
    return sum(means) / len(means)


def shuffle(features, label, domain) -> float:
    total = 0.0
    for i, f in enumerate(features):
        far = max(distance(f, g) for j, g in enumerate(features) if j == i or domain[j] != domain[i])
        near = min(
            (distance(f, g) for j, g in enumerate(features) if domain[j] == domain[i] and label[j] != label[i]),
            default=math.inf,
        )
        total += math.log1p(math.exp(far - near)) if near < math.inf else 0.0
    return total / len(features)


def retrieval(distances, query_pid, gallery_pid, query_camid, gallery_camid, rank):
    """(mAP, mINP, CMC at the rank, number of valid queries), by walking down every sorted list."""
    precisions, penalties, hits = [], [], []
    for q, row in enumerate(distances):
        order = sorted(range(len(row)), key=lambda g: (row[g], g))
        order = [g for g in order if not (gallery_pid[g] == query_pid[q] and gallery_camid[g] == query_camid[q])]
        found = [position for position, g in enumerate(order, start=1) if gallery_pid[g] == query_pid[q]]
        if found:
            precisions.append(sum(count / position for count, position in enumerate(found, start=1)) / len(found))
            penalties.append(len(found) / found[-1])
            hits.append(found[0] <= rank)
    valid = len(precisions)
    return sum(precisions) / valid, sum(penalties) / valid, sum(hits) / valid, valid
