"""Random streams of the renderer: one generator per purpose and key.

A stream is addressed by (seed, purpose, key...). So no decision depends on the order in which
images are rendered, nor on how many were rendered before.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """Purposes of random streams. The numbers are part of the benchmark: never renumber them."""

    PERSON = 1
    KINSHIP = 2
    CLOTH = 3
    CAMERA = 4
    SCENE = 5
    IMAGE = 6
    STYLE = 7


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """Return the random generator of one decision.

    Args:
        seed: Seed of the benchmark, 0 <= seed < 2**32.
        stream: Purpose of the decision.
        key: Subject of the decision, for example (site index, pid); each >= 0.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(stream), *key])))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability, in [0, 1]."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Return a random key, with probability in proportion to its weight (>= 0)."""
    share = np.array(list(weights.values()), np.float64)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]
