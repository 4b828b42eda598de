"""One random stream per purpose, all derived from one root seed.

Streams are named by labels instead of being drawn from a shared global generator, so that adding a draw in one place
(say, one more augmentation) moves no other stream, and so that the stream of step 1,000 is known without
replaying the 999 steps before it: this is what makes a resumed training equal to an unbroken one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(root: int, *labels: str | int) -> int:
    """A seed in [0, 2**63) that depends on the root seed and on every label, in order.

    >>> derive_seed(0, "augment", 7) == derive_seed(0, "augment", 7) != derive_seed(0, "augment", 8)
    True
    """
    text = "\x1f".join([str(root), *(f"{type(label).__name__}:{label}" for label in labels)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(root: int, *labels: str | int) -> np.random.Generator:
    """A numpy generator of its own for the purpose that the labels name."""
    return np.random.default_rng(derive_seed(root, *labels))
