"""Which domains train and which test."""

from __future__ import annotations

from collections.abc import Sequence

from metabin.types import Fold


def leave_one_out(domains: Sequence[str]) -> tuple[Fold, ...]:
    """One fold per domain: it is the target, all the others are the sources.

    Raises:
        ValueError: fewer than two domains.
    """
    return tuple(Fold(target, tuple(name for name in domains if name != target), (target,)) for target in domains)
