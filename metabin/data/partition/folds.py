"""Which domains train and which test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metabin.types import Fold


def leave_one_out(
    domains: Sequence[str],
    sources: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    sources_of: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Fold, ...]:
    """One fold per domain: it is the target; all the others, and `sources`, train.

    Args:
        groups: the data sets that a name among `domains` stands for; a name that is not there stands for itself.
        sources_of: what trains when a name among `domains` is held out, where that is not all the others.

    Raises:
        ValueError: a fold has no sources, or one of its targets is among them.
    """
    members = {name: tuple((groups or {}).get(name, (name,))) for name in domains}
    own = sources_of or {}

    def train(held_out: str) -> tuple[str, ...]:
        others = (one for name in domains if name != held_out for one in members[name])
        return tuple(own[held_out]) if held_out in own else (*others, *sources)

    return tuple(Fold(held_out, train(held_out), members[held_out]) for held_out in domains)


def datasets(folds: Sequence[Fold]) -> tuple[str, ...]:
    """Every data set that a fold uses, each once, in order of appearance among targets and then sources."""
    targets = [name for fold in folds for name in fold.targets]
    return tuple(dict.fromkeys([*targets, *(name for fold in folds for name in fold.sources)]))


def describe(fold: Fold) -> str:
    """What trains and what tests: "a + b -> c". A protocol's number alone says neither."""
    return f"{' + '.join(fold.sources)} -> {' + '.join(fold.targets)}"
