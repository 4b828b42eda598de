"""Random streams: one per purpose, all derived from one root seed.

Streams are named by labels instead of sharing a global generator. So an additional random number in
one place (say, for another augmentation) changes no other stream. The stream of step 1,000 is known
without the 999 steps before it; therefore a resumed training equals an uninterrupted one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(root: int, *labels: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on the root seed and on every label, in order.

    >>> derive_seed(0, "augment", 7) == derive_seed(0, "augment", 7) != derive_seed(0, "augment", 8)
    True
    """
    # The types are part of the text, so that 1 and "1" are different labels.
    text = "\x1f".join([str(root), *(f"{type(label).__name__}:{label}" for label in labels)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(root: int, *labels: str | int) -> np.random.Generator:
    """Return a numpy generator for the purpose that the labels name."""
    return np.random.default_rng(derive_seed(root, *labels))
