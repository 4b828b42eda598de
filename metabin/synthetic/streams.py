"""Random streams: every drawing decision has its own generator, named by what it is for.

A stream is addressed by (seed, purpose, key...), so that no decision depends on the order in which
images are drawn, nor on how many were drawn before.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a random stream decides. The numbers are part of the benchmark: never renumber."""

    PERSON = 1
    KINSHIP = 2
    CLOTH = 3
    CAMERA = 4
    SCENE = 5
    SHOT = 6
    STYLE = 7


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """The generator of one decision.

    Args:
        seed: the benchmark's seed, 0 <= seed < 2**32.
        stream: what is decided.
        key: what it is decided for, for example (site index, pid); each >= 0.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(stream), *key])))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability, in [0, 1]."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One key, drawn with probability in proportion to its weight (>= 0)."""
    share = np.array(list(weights.values()), np.float64)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]
